"""The processor time of a server with all its processes."""

import os
from collections.abc import Iterable

from .memory import read_of, tree

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_OWN_AND_REAPED = slice(11, 15)
"""utime, stime, cutime and cstime among the fields behind the name in /proc/PID/stat (proc(5))."""


def seconds_of(roots: Iterable[int]) -> float:
    """What processes have used since they started, as user and in the kernel, with their children and children's
    children, also those that have ended and were waited for; in seconds, to a hundredth for each process."""
    return _TICK * sum(_ticks(pid) for root in roots for pid in tree(root))


def _ticks(pid: int) -> int:
    # The name of the program stands in parentheses and may hold anything.
    fields = read_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[_OWN_AND_REAPED]))
