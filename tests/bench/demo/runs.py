"""The rows of the table: what became of each run of the demonstration."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        run: Its number, from 1.
        busy_cores: Cores that another load kept busy meanwhile.
        seconds: From start to end of the program.
        ended_well: Whether the good version was promoted and the bad one rolled back.
        requests: Requests that clients sent; None if the run wrote no report.
        requests_failed_client: Those without a good answer.
        failures: How these ended, and during which part of the demonstration, with their numbers.
        promotion_seconds: From applying the good version to its promotion.
    """

    run: int
    busy_cores: int
    seconds: float
    ended_well: bool
    requests: int | None = None
    requests_failed_client: int | None = None
    failures: dict[str, int] = field(default_factory=dict)
    promotion_seconds: float | None = None

    @property
    def is_clean(self) -> bool:
        """Whether it ended well and lost no request."""
        return self.ended_well and self.requests_failed_client == 0


def read_run(run: int, busy_cores: int, seconds: float, exit_status: int, report: Mapping[str, Any] | None) -> Run:
    """Summarize one run.

    Args:
        run: Its number.
        busy_cores: Cores that another load kept busy.
        seconds: How long it took.
        exit_status: The program's.
        report: The document of build/demo-report.json; None if the run did not get so far.
    """
    if report is None:
        return Run(run, busy_cores, round(seconds, 1), ended_well=False)
    return Run(
        run,
        busy_cores,
        round(seconds, 1),
        ended_well=exit_status == 0,
        requests=report["requests_total"],
        requests_failed_client=report["requests_failed_client"],
        failures={f"{one['failure']} ({one['period']})": one["count"] for one in report["failures"]},
        promotion_seconds=report["promotion_seconds"],
    )


def write(runs: Iterable[Run], file: Path) -> None:
    """Write build/bench-demo.json."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"rows": [asdict(run) for run in runs]}, indent=2) + "\n")


def table(runs: Sequence[Run]) -> str:
    """The runs as a Markdown table."""
    head = ("run", "busy cores", "requests", "requests_failed_client", "seconds", "how", "ended")
    cells = [head, *(_cells(run) for run in runs)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def _cells(run: Run) -> tuple[str, ...]:
    return (
        str(run.run),
        str(run.busy_cores),
        _number(run.requests),
        _number(run.requests_failed_client),
        f"{run.seconds:.0f}",
        ", ".join(f"{count} {how}" for how, count in run.failures.items()),
        "well" if run.ended_well else "**not as it should**",
    )


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
