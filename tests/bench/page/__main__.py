"""`make bench-page`: the page with many models in a real browser; a table, and build/bench-page.json.

The page's own server runs before a kubectl that knows so many models, of which some change each second.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from tests.component.harness.binaries import REPOSITORY

KUBECTL = """#!/bin/sh
case "$*" in
  *--raw*watch=true*) exec tail -n +1 -f "$0.events" ;;
  *) cat "$0.list" ;;
esac
"""
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


def model(number: int, version: int, weight: int) -> dict[str, Any]:
    """A model in the middle of a rollout, as the API server has it."""
    name = f"model-{number:05}"
    moment = "2026-01-01T00:00:00Z"
    guard = {"name": "errorRate", "kind": "relative", "verdict": "Healthy", "evidence": 1.5, "threshold": 100.0}
    role = {"replicas": 2, "ready": 2}
    status = {
        "phase": "Progressing",
        "stable": {"color": "blue", "version": "v1", "revision": f"{name}-1", "weight": 100 - weight, **role},
        "candidate": {"color": "green", "version": "v2", "revision": f"{name}-2", "weight": weight, **role},
        "step": {"index": 1, "count": 3, "weight": weight, "progress": "1/3", "verifiedAt": moment},
        "guards": [{**guard, "message": "1 of 1,000 requests failed, stable's 1 of 9,000"}],
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "Progressing", "lastTransitionTime": moment,
             "message": f"step 1 of 3 with {weight} %: holds for another 4m"}
        ],
        "history": [],
    }  # fmt: skip
    metadata = {"name": name, "namespace": f"team-{number % 20}", "uid": f"{number}", "resourceVersion": str(version)}
    spec = {"model": {"version": "v2", "uri": f"image:///models/{name}"}, "rollout": {"steps": [{"weight": 5}]}}
    head = {"apiVersion": "viridian.dev/v1alpha1", "kind": "ModelDeployment"}
    return {**head, "metadata": metadata, "spec": spec, "status": status}


def _measure(count: int, seconds: int, folder: Path) -> dict[str, Any]:
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    items = [model(number, 1, 5) for number in range(count)]
    (folder / "kubectl.list").write_text(json.dumps({"metadata": {"resourceVersion": "7"}, "items": items}))
    events = folder / "kubectl.events"
    events.write_text("")
    with _server(folder) as (process, address), _browser() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        began = time.perf_counter()
        page.goto(address)
        page.wait_for_function(FIRST_ROWS)
        first = time.perf_counter() - began
        began = time.perf_counter()
        page.get_by_label("Search").fill(f"model-{count - 1:05}")
        page.wait_for_function("() => document.querySelectorAll('table.models tbody tr').length === 1")
        found = time.perf_counter() - began
        page.get_by_label("Search").fill("")
        spent, busy, began = _cpu(process), _busy(page), time.monotonic()
        for second in range(seconds):
            changed = [model(number, 2 + second, 6 + second) for number in range(min(CHANGES, count))]
            with events.open("a") as out:
                out.writelines(json.dumps({"type": "MODIFIED", "object": each}) + "\n" for each in changed)
            time.sleep(max(0.0, began + second + 1 - time.monotonic()))
        took = time.monotonic() - began
        page.wait_for_function(f"() => document.body.textContent.includes('{5 + seconds} %')")
        return {
            "models": count,
            "seconds_to_first_rows": round(first, 2),
            "seconds_to_search": round(found, 2),
            "changes_each_second": min(CHANGES, count),
            "server_cores": round((_cpu(process) - spent) / took, 3),
            "browser_cores": round((_busy(page) - busy) / took, 3),
            "server_mib": _resident(process),
        }


@contextmanager
def _server(folder: Path) -> Iterator[tuple[int, str]]:
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY / "operator")}
    command = [sys.executable, "-m", "viridian.cli.main", "dashboard", "-A", "--no-browser"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", said)
            if found is None:
                raise RuntimeError(f"the page did not start: {said}")
            yield process.pid, found.group()
        finally:
            process.terminate()


@contextmanager
def _browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("this needs chromium: run it by `make bench-page`, which installs it")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


def _busy(page: Any) -> float:
    """Seconds of CPU that the page's own thread has used."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
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
