"""Ports for servers that tests start."""

import itertools
import os
import socket

_FIRST, _MANY = 10_000, 20_000
"""Below the range from which the kernel takes ports for outgoing connections, so that none of those gets in between."""
_NUMBERS = itertools.count(os.getpid() * 97)
"""Each process of a test run begins elsewhere, and none gives a port away twice soon."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, and that this process gives to nobody else.

    Raises:
        RuntimeError: all ports are in use.
    """
    for number in itertools.islice(_NUMBERS, _MANY):
        port = _FIRST + number % _MANY
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"all ports from {_FIRST} to {_FIRST + _MANY - 1} are in use")
