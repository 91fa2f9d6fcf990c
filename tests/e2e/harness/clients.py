"""The clients of a model: the demonstration's open-loop load, in a separate process."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from examples.demo.records import Answer, AnswerReader
from tests.waiting import eventually

from .background import Background

_LONGEST = 900
_ENOUGH = 200
"""Requests, in which what is to be seen shows, if it is there."""
_PATIENCE = 15
"""Seconds until a client gives up: longer than the model's own timeout, so that the API's answer arrives first."""


class Clients(Background):
    """Requests at a fixed rate, from entering to leaving the context, and what came of each.

    Attributes:
        records: Where that is written, one line of JSON each.
    """

    def __init__(self, url: str, samples: Path, folder: Path, rate: float) -> None:
        self.records = folder / "requests.jsonl"
        self._reader = AnswerReader(self.records)
        self._answers: list[Answer] = []
        self._rate = rate
        command = (
            *(sys.executable, "-m", "examples.demo.load", "--until-stdin-closes"),
            *("--url", url, "--samples", str(samples), "--records", str(self.records)),
            *("--rate", str(rate), "--seconds", str(_LONGEST), "--timeout", str(_PATIENCE)),
        )
        super().__init__("load", command, folder)

    def has_begun(self) -> bool:
        """Whether the first answer is there."""
        return bool(self.answers)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """The end of its input stops the load; it leaves when every request has come to an end."""
        try:
            process.wait(2 * _PATIENCE)
        except subprocess.TimeoutExpired:
            super().stop(process)

    @property
    def answers(self) -> Sequence[Answer]:
        """What came of all requests so far."""
        self._answers += self._reader.read_new()
        return self._answers

    @property
    def failed(self) -> Counter[str]:
        """How many ended without a good answer, by the reason."""
        return Counter(answer.failure for answer in self.answers if answer.failure)

    def by(self, version: str) -> list[Answer]:
        """Those that a version answered."""
        return [answer for answer in self.answers if answer.version == version]

    def go_on(self, requests: int = _ENOUGH) -> list[Answer]:
        """Await so many further requests; the value is what came of them."""
        before = len(self.answers)
        eventually(
            lambda: len(self.answers) >= before + requests,
            f"{requests} further requests to come to an end",
            within=_PATIENCE + 10 * requests / self._rate,
        )
        return list(self._answers[before:])

    def __str__(self) -> str:
        """The figures in one line."""
        versions = sorted({answer.version for answer in self.answers if answer.version})
        shares = ", ".join(f"{len(self.by(version))} by {version}" for version in versions)
        return f"{len(self.answers)} requests ({shares}), {self.failed.total()} failed"
