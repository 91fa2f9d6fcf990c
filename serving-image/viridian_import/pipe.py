"""Another process that answers each line with a line, by its standard input and output."""

import subprocess
from pathlib import Path
from signal import Signals
from typing import Final

_LAST_WORDS: Final = 600
"""Characters of what a process printed before it ended."""


class EndedError(Exception):
    """The process ended before it had answered.

    Attributes:
        how: By which signal, or with which exit code.
        said: The last that it printed.
    """

    def __init__(self, how: str, said: str) -> None:
        super().__init__(f"ended {how}")
        self.how = how
        self.said = said or "nothing"


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
    code = process.wait()
    how = f"by {Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return EndedError(how, " ".join(printed.read_text("utf-8", "replace").split())[-_LAST_WORDS:])
