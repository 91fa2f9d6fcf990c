"""The rows of the table, and the files they are written to."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from examples.demo.records import Answer


@dataclass(frozen=True)
class Row:
    """What one fault cost.

    Attributes:
        fault: Its name.
        requests: Requests that clients sent, from before the fault until after its end.
        requests_failed: Those without a good answer, save those that the candidate's own model failed.
        requests_failed_by_candidate: Those that the candidate answered with an error of its own model.
        requests_failed_beyond: Those of the `requests_failed` that fall into no period in which requests may fail.
        failures: How the `requests_failed` ended, in words, with their numbers.
        failing_seconds: From the first to the last of them.
        put_back_seconds: Until what was edited or deleted was as before.
        spared: Whether the specification promises that none fails beyond those periods.
        ended_as: Phase and stable version at the end, and what was not as specified.
        expected: The same by the specification.
    """

    fault: str
    requests: int
    requests_failed: int
    ended_as: str
    expected: str
    spared: bool
    requests_failed_by_candidate: int = 0
    requests_failed_beyond: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    failing_seconds: float | None = None
    put_back_seconds: float | None = None

    @property
    def is_as_expected(self) -> bool:
        """Whether it ended as specified, and cost nothing where nothing may be lost."""
        return self.ended_as == self.expected and not (self.spared and self.requests_failed_beyond)


@dataclass(frozen=True)
class Period:
    """A time in which requests may fail, such as from the loss of pods until the weights must have followed.

    Attributes:
        start: In seconds of Unix time.
        end: The same; a request that is sent later may not fail.
    """

    start: float
    end: float

    def covers(self, answer: Answer) -> bool:
        """Whether the request was in flight in this period, or sent in it."""
        return answer.ended_at >= self.start and answer.sent_at <= self.end


def count(answers: Sequence[Answer], failing_version: str, allowed: Sequence[Period] = ()) -> dict[str, object]:
    """The columns of a row that come from what clients got.

    Args:
        answers: All of it.
        failing_version: The version whose own errors are counted apart; empty when there is none.
        allowed: When requests may fail.
    """
    failed = [answer for answer in answers if answer.failure]
    # An answer that names its version was given by a pod of that version, so it was not lost on its way.
    others = [answer for answer in failed if not failing_version or answer.version != failing_version]
    return {
        "requests": len(answers),
        "requests_failed": len(others),
        "requests_failed_by_candidate": len(failed) - len(others),
        "requests_failed_beyond": sum(not any(period.covers(answer) for period in allowed) for answer in others),
        "failures": dict(Counter(answer.failure for answer in others).most_common()),
        "failing_seconds": round(max(a.ended_at for a in others) - min(a.sent_at for a in others), 1)
        if others
        else None,
    }


def write(rows: Iterable[Row], file: Path) -> None:
    """Write build/bench-faults.json."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2) + "\n")


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, so that it can go into the documentation as it is."""
    head = ("fault", "requests", "failed", "how", "for", "put back after", "ended as")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def _cells(row: Row) -> tuple[str, ...]:
    own = (
        f" (+ {row.requests_failed_by_candidate} by the candidate's model)" if row.requests_failed_by_candidate else ""
    )
    ended = row.ended_as
    if row.ended_as != row.expected:
        ended += f" **(expected: {row.expected})**"
    if row.spared and row.requests_failed_beyond:
        ended += f" **({row.requests_failed_beyond} failed when none may)**"
    return (
        row.fault,
        f"{row.requests:,}",
        f"{row.requests_failed}{own}",
        ", ".join(f"{number} {how}" for how, number in row.failures.items()),
        _seconds(row.failing_seconds),
        _seconds(row.put_back_seconds),
        ended,
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
