"""`make bench-alerts`: which alerts fire in each scenario, and how soon; a table, and build/bench-alerts.json."""

import json
import sys
import tempfile
from pathlib import Path

from tests.component.alerts.promtool import scenarios
from tests.component.harness.binaries import REPOSITORY


def main() -> int:
    """Play all of them; the exit status is not 0 when an alert fires that should not, or one that should does not."""
    rows = []
    for scenario in scenarios():
        with tempfile.TemporaryDirectory() as folder:
            fired = scenario.play(Path(folder))
        rows.append(
            {
                "scenario": scenario.name,
                "expected": sorted(scenario.fires),
                "fired": sorted(fired),
                "seconds_to_fire": {name: firing.first for name, firing in sorted(fired.items())},
            }
        )
        mark = "ok   " if rows[-1]["expected"] == rows[-1]["fired"] else "WRONG"
        sys.stdout.write(f"{mark} {scenario.name}: {', '.join(sorted(fired)) or 'silence'}\n")
        sys.stdout.flush()
    target = REPOSITORY / "build" / "bench-alerts.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"rows": rows}, indent=2) + "\n")
    return int(any(row["expected"] != row["fired"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
