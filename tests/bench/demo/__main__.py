"""`make bench-demo`: runs the demonstration again and again, the last runs beside a load that keeps all cores busy."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.e2e.harness.background import REPOSITORY

from .busy import busy
from .runs import Run, read_run, table, write

_BUILD = REPOSITORY / "build"
_RESULT = _BUILD / "bench-demo.json"
_KEPT = _BUILD / "bench-demo"
_FILES = ("demo-report.json", "demo-timeline.json", "demo-requests.jsonl")
_LONGEST = 900.0
"""Seconds for one run, several times what it takes."""


def main() -> int:
    """Run, print, write.

    Returns:
        0 when every run ended well and none lost a request, else 1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how many runs")
    parser.add_argument("--busy", type=int, default=4, help="how many of them, the last ones, beside another load")
    arguments = parser.parse_args()
    shutil.rmtree(_KEPT, ignore_errors=True)
    _KEPT.mkdir(parents=True)
    runs: list[Run] = []
    for number in range(1, arguments.runs + 1):
        cores = (os.cpu_count() or 1) if number > arguments.runs - arguments.busy else 0
        runs.append(_run(number, cores))
        write(runs, _RESULT)  # after each, so that an interrupted series leaves what it has
        print(table(runs[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(runs))
    odd = [run for run in runs if not run.is_clean]
    if odd:
        print(f"\n{len(odd)} of {len(runs)} runs not clean; their records are in {_KEPT}.", file=sys.stderr)
    return 1 if odd else 0


def _run(number: int, cores: int) -> Run:
    """Run the demonstration once, and keep its records if something went wrong."""
    (_BUILD / "demo-report.json").unlink(missing_ok=True)
    log = _KEPT / f"run-{number}.log"
    began = time.monotonic()
    with busy(cores, _LONGEST), log.open("wb") as output:
        status = _demonstrate(output.fileno())
    run = read_run(number, cores, time.monotonic() - began, status, _report(_BUILD / "demo-report.json"))
    if not run.is_clean:
        for name in _FILES:
            if (_BUILD / name).exists():
                shutil.copyfile(_BUILD / name, _KEPT / f"run-{number}-{name}")
    return run


def _demonstrate(output: int) -> int:
    command = [sys.executable, "-m", "examples.demo"]
    try:
        return subprocess.run(
            command, cwd=REPOSITORY, stdout=output, stderr=output, timeout=_LONGEST, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return 1


def _report(file: Path) -> dict[str, Any] | None:
    if not file.exists():
        return None
    document: dict[str, Any] = json.loads(file.read_text())
    return document


if __name__ == "__main__":
    sys.exit(main())
