"""Another process that answers each line with a line, by its standard input and output."""

import re
import subprocess
from pathlib import Path
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, Signals
from typing import Final

from viridian_serving.artifacts.library_words import words_of

_CRASHES: Final = (SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE)
"""What ends a process whose native code does what it must not."""
_IN_A_TRACEBACK: Final = re.compile(r"\s|Traceback \(|Exception ignored|terminate called|\[bt\]")
_LINES: Final = 2


class EndedError(Exception):
    """The process ended before it had answered.

    Attributes:
        how: By which signal, or with which exit code.
        said: The last that it printed, as a sentence.
        crashed: Whether native code of a library ended it.
        killed: Whether somebody else did: mostly the kernel, for want of memory.
    """

    def __init__(self, code: int, printed: str) -> None:
        super().__init__(code, printed)
        self.how = f"by {Signals(-code).name}" if code < 0 else f"with exit code {code}"
        self.said = f". It printed: {words}" if (words := last_words(printed)) else ""
        self.crashed = -code in _CRASHES
        self.killed = -code == SIGKILL


def exchange(process: "subprocess.Popen[bytes]", line: bytes, printed: Path) -> bytes:
    """Send a line, and wait for the answer.

    Args:
        process: Whom to ask; both of its streams are pipes.
        line: Without its end.
        printed: The file that has what it prints beside its answers.

    Raises:
        EndedError: It ended before.
    """
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None  # noqa: S101  both are pipes
    assert stdout is not None  # noqa: S101
    try:
        stdin.write(line + b"\n")
        stdin.flush()
    except BrokenPipeError:
        raise _ended(process, printed) from None
    answer = stdout.readline()
    if not answer:
        raise _ended(process, printed)
    return answer


def _ended(process: "subprocess.Popen[bytes]", printed: Path) -> EndedError:
    return EndedError(process.wait(), printed.read_text("utf-8", "replace"))


def last_words(printed: str) -> str:
    """Return the last that a process printed before it ended: of a traceback its last line, and each line once."""
    lines = [line for line in printed.splitlines() if line.strip() and not _IN_A_TRACEBACK.match(line)]
    return "; ".join(words_of(line) for line in list(dict.fromkeys(lines))[-_LINES:])
