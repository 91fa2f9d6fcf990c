"""What clients saw: one record per request, as a line of JSON, so that another process can follow along."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

CONNECT = "connect error"
LOST = "connection lost"
TIMEOUT = "timeout"
NOT_SENT = "not sent"
UNREADABLE = "unreadable answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and what came of it."""

    sent_at: float
    """When it was meant to be sent, in seconds of Unix time."""
    latency: float
    """From then to the end of the answer: a client that is late because the server is slow is not excused."""
    status: int | None
    revision: str
    """The header Viridian-Revision of the answer; empty without an answer."""
    version: str
    failure: str
    """Empty for a good answer, else `HTTP 500 model-failed` and so on, or how the connection failed."""
    right: bool | None
    """Whether the prediction is what a person read on the image."""
    rescued: bool = False
    """Whether stable answered in the stead of a candidate whose model did not."""

    @property
    def ended_at(self) -> float:
        """When the answer, or its absence, was known."""
        return self.sent_at + self.latency


def write_answer(file: TextIO, answer: Answer) -> None:
    """Append one record."""
    file.write(json.dumps(asdict(answer), separators=(",", ":")) + "\n")


class AnswerReader:
    """Follows a file of records while another process writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = 0

    def read_new(self) -> list[Answer]:
        """All complete records since the last call; a file that is not there yet has none."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read_to)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._read_to += len(complete)
        return [Answer(**json.loads(line)) for line in complete.splitlines()]


@dataclass
class Totals:
    """Sums over the records so far."""

    requests: int = 0
    rescued: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    by_version: Counter[str] = field(default_factory=Counter)
    right_by_version: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Requests without a good answer."""
        return self.failures.total()

    def add(self, answers: list[Answer]) -> None:
        """Count further records."""
        for answer in answers:
            self.requests += 1
            self.rescued += answer.rescued
            if answer.failure:
                self.failures[answer.failure] += 1
            else:
                self.by_version[answer.version] += 1
                self.right_by_version[answer.version] += bool(answer.right)

    def accuracy(self, version: str) -> float | None:
        """Share of this version's answers that were right."""
        answered = self.by_version[version]
        return self.right_by_version[version] / answered if answered else None
