"""Takes the network away from this process before it loads anything."""

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000


def leave_network() -> str:
    """Cut this process, and all that it starts, off the network.

    Call it before there are threads: a process with threads cannot change its user namespace.

    Returns:
        How it is kept from it, as the end of a sentence.
    """
    user, group = os.getuid(), os.getgid()
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(_CLONE_NEWNET) == 0:
        return "without network (in its own network namespace)"
    if unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        # Without these, files that it writes would belong to nobody, which the kernel refuses.
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
        return "without network (in its own network namespace)"
    sys.addaudithook(_refuse_sockets)
    return (
        "with Python's sockets closed to it, which stops mistakes and not malice: this machine's kernel gives no "
        "network namespace to this user"
    )


def _refuse_sockets(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"):
        raise PermissionError("a model that is imported has no network")
