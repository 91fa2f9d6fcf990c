"""Simulates rollouts under every rule, and writes build/bench-guards.json.

python -m tests.bench.guards [--rollouts 2000] [--bases 0.1,1,5] [--rates 1,10,60,600,6000] [--minutes 60] [--workers 2]

A cell that is done is kept in build/bench-guards/, and not simulated again: a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.bench.guards.cells import Row, Task, tasks

REPORT = Path("build/bench-guards.json")
DONE = Path("build/bench-guards")


def main(arguments: Sequence[str]) -> None:
    """Simulate, print each row, and write them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=2000)
    parser.add_argument("--bases", default="0.1,1,5", help="in percent")
    parser.add_argument("--rates", default="1,10,60,600,6000", help="requests a minute")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(arguments)
    bases = [float(each) / 100 for each in asked.bases.split(",")]
    rates = [int(each) for each in asked.rates.split(",")]
    wanted = list(tasks(bases, rates, asked.minutes))
    DONE.mkdir(parents=True, exist_ok=True)
    _report(wanted)
    due = [task for task in wanted if not _is_done(task, asked.rollouts)]
    sys.stdout.write(f"{len(wanted) - len(due)} of {len(wanted)} cells are done\n")
    with ProcessPoolExecutor(asked.workers) as pool:
        running = {pool.submit(_timed, task, asked.rollouts): task for task in due}
        for future in as_completed(running):
            rows, seconds = future.result()
            _keep(running[future], rows)
            _report(wanted)
            for each in rows:
                sys.stdout.write(json.dumps(each) + "\n")
            sys.stdout.write(f"{running[future].name}: {seconds:.0f} s of processor time\n")
            sys.stdout.flush()


def _timed(task: Task, rollouts: int) -> tuple[list[Row], float]:
    began = time.process_time()
    return task.rows(rollouts), time.process_time() - began


def _file(task: Task) -> Path:
    return DONE / f"{task.name}.json"


def _is_done(task: Task, rollouts: int) -> bool:
    return _file(task).exists() and all(row["rollouts"] >= rollouts for row in json.loads(_file(task).read_text()))


def _keep(task: Task, rows: Sequence[Row]) -> None:
    """Keep a cell; the file is complete, or not there."""
    draft = _file(task).with_suffix(".tmp")
    draft.write_text(json.dumps(rows, indent=1) + "\n")
    draft.replace(_file(task))


def _report(wanted: Iterable[Task]) -> None:
    """Write what is done of the cells that were asked for."""
    rows = [row for task in wanted if _file(task).exists() for row in json.loads(_file(task).read_text())]
    REPORT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
