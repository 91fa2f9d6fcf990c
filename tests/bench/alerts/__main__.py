"""`make bench-alerts`: which alerts fire in each scenario, and how soon: build/bench-alerts.json and .md."""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.component.alerts.promtool import Scenario, scenarios
from tests.component.harness.binaries import REPOSITORY


def main() -> int:
    """Play all of them; the exit status is not 0 when an alert fires that should not, or one that should does not."""
    rows = []
    for scenario in scenarios():
        rows.append(row := play(scenario))
        mark = "ok   " if row["expected"] == row["fired"] else "WRONG"
        sys.stdout.write(f"{mark} {scenario.name}: {', '.join(row['fired']) or 'silence'}\n")
        sys.stdout.flush()
    target = REPOSITORY / "build" / "bench-alerts.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"rows": rows}, indent=2) + "\n")
    target.with_suffix(".md").write_text("\n".join(table(rows)) + "\n")
    return int(any(row["expected"] != row["fired"] for row in rows))


def play(scenario: Scenario) -> dict[str, Any]:
    """Return what must fire in a scenario, and what did."""
    with tempfile.TemporaryDirectory() as folder:
        fired = scenario.play(Path(folder))
    return {
        "scenario": scenario.name,
        "expected": sorted(scenario.fires),
        "fired": sorted(fired),
        "seconds_to_fire": {name: firing.first for name, firing in sorted(fired.items())},
    }


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table in the documentation: a scenario each, and after how long which alert fired."""
    yield "| scenario | alerts, and minutes until each fired |"
    yield "|---|---|"
    for row in rows:
        fired = [f"{name} {round(seconds / 60, 1):g}" for name, seconds in row["seconds_to_fire"].items()]
        missed = [f"**{name} did not fire**" for name in row["expected"] if name not in row["fired"]]
        wrong = [f"**{name} should not**" for name in row["fired"] if name not in row["expected"]]
        yield f"| {row['scenario']} | {', '.join([*fired, *missed, *wrong]) or 'none'} |"


if __name__ == "__main__":
    sys.exit(main())
