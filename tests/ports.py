"""Ports for servers that tests start."""

import itertools
import os
import socket

_FIRST, _MANY = 10_000, 20_000
"""Below the range from which the kernel takes ports for outgoing connections, so that none of those gets in between."""
_NUMBERS = itertools.count(os.getpid() * 97)
_TAKEN: list[socket.socket] = []
"""One name a port that this process was given. Names end with their process, and no two processes have the same."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, and that no process of a test run is given again while we live.

    Raises:
        RuntimeError: all ports are in use.
    """
    for number in itertools.islice(_NUMBERS, _MANY):
        port = _FIRST + number % _MANY
        if _take(port) and _is_free(port):
            return port
    raise RuntimeError(f"all ports from {_FIRST} to {_FIRST + _MANY - 1} are in use")


def _take(port: int) -> bool:
    """Whether this process is the first to ask for a port: a server that starts again must find its own one free."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0viridian-test-port-{port}")
    except OSError:
        name.close()
        return False
    _TAKEN.append(name)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
