"""Programs that run beside a test, write a file that the test reads, and end with it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[3]
_STOP_SECONDS = 30.0


class Background:
    """A program with its output in a file.

    Attributes:
        output: What it prints.
        errors: What it complains about.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.output, self.errors = folder / f"{name}.txt", folder / f"{name}-errors.txt"
        self._name, self._command = name, command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self._command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=output, stderr=errors
            )
        try:
            eventually(self.has_begun, f"{self._name} to begin")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended_by_itself = self._end()
        if kind is None:
            assert not ended_by_itself, f"{self._name} ended before its time:\n{self.errors.read_text()}"

    def has_begun(self) -> bool:
        """Whether it sees what happens from now on: once it has printed a first line, for what prints."""
        return b"\n" in self.output.read_bytes()

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Let it end, now that its standard input is closed: by a signal, unless a subclass knows better."""
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _end(self) -> bool:
        """End it; the value is whether it had ended unexpectedly."""
        process = self._process
        if process is None or process.stdin is None:
            return True
        ended_by_itself = process.poll() is not None
        process.stdin.close()
        self.stop(process)
        return ended_by_itself
