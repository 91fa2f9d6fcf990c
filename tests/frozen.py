"""Processes that stand still, as on a node that gives them no time."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import eventually


def freeze(pid: int) -> None:
    """Stop a process, and return when all of its threads have stopped.

    The signal wakes one of them. On a busy machine the others go on until that one has its turn.
    """
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: _states(pid) == {"T"}, f"process {pid} to stand still")


def thaw(pid: int) -> None:
    """Let it go on where it was."""
    os.kill(pid, signal.SIGCONT)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that does nothing for as long as the `with` block lasts, so that its answer cannot come too early."""
    freeze(pid)
    try:
        yield
    finally:
        thaw(pid)


def _states(pid: int) -> set[str]:
    # The name of the command stands in parentheses before the state, and may contain spaces.
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return {thread.read_text().rpartition(") ")[2][0] for thread in threads}
