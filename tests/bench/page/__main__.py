"""`make bench-page`: the page with many models in a real browser; a table, and build/bench-page.json.

The page's own server runs before a kubectl that knows so many models, of which some change each second.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from tests.bench.page.stand_in import change, model, serving
from tests.component.harness.binaries import REPOSITORY

CHANGES = 50
"""Models that change each second."""
FIRST_ROWS = """() => document.querySelectorAll('table.models tbody tr').length > 0"""


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=20, help="how long models change")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [_measure(count, options.seconds, Path(folder)) for count in (10, options.models)]
    target = REPOSITORY / "build" / "bench-page.json"
    target.write_text(json.dumps({"rows": rows}, indent=2) + "\n")
    for row in rows:
        sys.stdout.write("  ".join(f"{key}={value}" for key, value in row.items()) + "\n")
    return 0


def _measure(count: int, seconds: int, folder: Path) -> dict[str, Any]:
    items = [model(number, 1, 5) for number in range(count)]
    with serving(folder, items) as (process, address), _browser() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        began = time.perf_counter()
        page.goto(address)
        page.wait_for_function(FIRST_ROWS)
        first = time.perf_counter() - began
        began = time.perf_counter()
        page.get_by_label("Search").fill(f"model-{count - 1:05}")
        page.wait_for_function("() => document.querySelectorAll('table.models tbody tr').length === 1")
        found = time.perf_counter() - began
        page.get_by_label("Search").fill("")
        spent, busy, began = _cpu(process), _busy(session), time.monotonic()
        for second in range(seconds):
            change(folder, (model(number, 2 + second, 6 + second) for number in range(min(CHANGES, count))))
            time.sleep(max(0.0, began + second + 1 - time.monotonic()))
        took = time.monotonic() - began
        page.wait_for_function(f"() => document.body.textContent.includes('{5 + seconds} %')")
        return {
            "models": count,
            "seconds_to_first_rows": round(first, 2),
            "seconds_to_search": round(found, 2),
            "changes_each_second": min(CHANGES, count),
            "server_cores": round((_cpu(process) - spent) / took, 3),
            "browser_cores": round((_busy(session) - busy) / took, 3),
            "server_mib": _resident(process),
        }


@contextmanager
def _browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("this needs chromium: run it by `make bench-page`, which installs it")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


def _busy(session: Any) -> float:
    """Seconds that the page's own thread has been busy."""
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def _cpu(process: int) -> float:
    """Seconds of CPU that it has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS"))


if __name__ == "__main__":
    sys.exit(main())
