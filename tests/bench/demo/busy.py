"""Processes that keep the processor busy for as long as a context lasts, and never longer than they were given."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_CHUNK = 100_000
"""Additions between two looks at the clock: some milliseconds."""


@contextmanager
def busy(cores: int, at_most: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep this many cores busy, each with one process of ordinary priority.

    Args:
        cores: The number of processes; 0 for none.
        at_most: Seconds after which each ends by itself, even if this process was killed or hangs.

    Yields:
        The processes; they have ended when the context is left.
    """
    command = [sys.executable, __file__, str(os.getpid()), str(at_most)]
    with ExitStack() as stack:
        processes = []
        for _ in range(cores):
            processes.append(stack.enter_context(subprocess.Popen(command, stdin=subprocess.DEVNULL)))
            stack.callback(processes[-1].kill)
        yield processes


def spin(parent: int, at_most: float) -> None:
    """Use one core until the time is over or the parent has gone."""
    end = time.monotonic() + at_most
    while time.monotonic() < end and os.getppid() == parent:
        for _ in range(_CHUNK):
            pass


if __name__ == "__main__":
    spin(int(sys.argv[1]), float(sys.argv[2]))
