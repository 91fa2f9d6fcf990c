"""`summary.py "TIER RESULT SECONDS"…`: a table of the tiers of a test run, and one line with all tests counted."""

import sys
import xml.etree.ElementTree as ElementTree  # our own pytest wrote these files
from pathlib import Path


def count(report: Path) -> tuple[int, int, int]:
    """Tests passed, failed and skipped, from a report in JUnit's format; none for a tier without one."""
    if not report.exists():
        return 0, 0, 0
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314
    total, errors, failures, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "errors", "failures", "skipped")
    )
    return total - errors - failures - skipped, errors + failures, skipped


def main(rows: list[str]) -> None:
    """Print the table."""
    passed = failed = skipped = 0
    for row in rows:
        tier, result, seconds = row.split()
        good, bad, left_out = count(Path("build") / f"tests-{tier}.xml")
        print(f"  {tier:<10} {result:<7} {good:5} passed {bad:3} failed {left_out:3} skipped {int(seconds):5} s")
        passed, failed, skipped = passed + good, failed + bad, skipped + left_out
    print(f"{passed} passed, {failed} failed, {skipped} skipped")


if __name__ == "__main__":
    main(sys.argv[1:])
