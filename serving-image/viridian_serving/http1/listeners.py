"""Listening sockets: in a cluster a pod has IPv4 addresses, IPv6 addresses, or both."""

import socket
from typing import Final

ANY: Final = "::"
"""Every address of this machine, of both families."""
BACKLOG: Final = 2048
"""Connections that the kernel keeps for a process that gets no time on a busy node. What does not fit is dropped, and a
gateway gives up a pod that it cannot connect to within two seconds."""


def open_listener(host: str, port: int) -> socket.socket:
    """Listen on a TCP port.

    Args:
        host: Name or address; `ANY` for every address, of IPv4 alone where this machine has no IPv6.
        port: Port; 0 for any.

    Returns:
        The listening socket.

    Raises:
        OSError: The port is taken, or the address is not ours.
    """
    if host == ANY and socket.has_dualstack_ipv6():
        return socket.create_server((ANY, port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    host = "0.0.0.0" if host == ANY else host  # noqa: S104  a pod is reached from outside
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def reach(host: str) -> str:
    """The address at which this machine itself reaches what listens on `host`."""
    return "127.0.0.1" if host in {ANY, "0.0.0.0"} else host  # noqa: S104
