"""`make bench-steady`: the time a pod takes to start, and its memory over minutes of load; build/bench-steady.json."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

from tests.bench.serving.memory import Memory, each_of, used_by
from tests.bench.serving.processes import Running, viridian
from tests.bench.serving.questions import PLAIN, check
from tests.bench.serving.workloads import IRIS
from tests.bench.serving.wrk import Load, send
from tests.serving.pod import ROOT

_RESULT = ROOT / "build" / "bench-steady.json"
_CONNECTIONS = 32
_PIECE = 30
"""Seconds of load between two looks at the memory."""
_GROWTH = 0.02
"""Share by which the last third may use more memory than the one before it: an allocator is never quite at rest."""


def main() -> int:
    """Start, load, print, write.

    Returns:
        0 when the memory stayed flat and no request failed, else 1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10, help="how long the load lasts, at least 3")
    pieces = max(3, parser.parse_args().minutes) * 60 // _PIECE
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-steady-") as folder, viridian(Path(folder), IRIS) as running:
        start = time.perf_counter() - began
        check(running.port, PLAIN, IRIS.samples, IRIS.answers_of(running.model))
        print(f"ready after {start:.1f} s, {used_by(running.processes).mib:.1f} MiB", flush=True)
        seen = [_piece(running, 1)]
        before = each_of(running.processes)
        seen += [_piece(running, number) for number in range(2, pieces + 1)]
        after = each_of(running.processes)
    figures = [memory.mib for _, memory in seen]
    third = pieces // 3
    growth = mean(figures[-third:]) / mean(figures[-2 * third : -third]) - 1
    failed = sum(load.non_2xx for load, _ in seen)
    requests = round(sum(load.requests_per_second for load, _ in seen) * _PIECE)
    result = {
        "ready_seconds": round(start, 2),
        "memory": seen[0][1].how,
        "mib": [round(figure, 1) for figure in figures],
        "growth_by_process_mib": {name: round(after[name].mib - before[name].mib, 2) for name in after.keys() & before},
        "growth_of_last_third_percent": round(100 * growth, 2),
        "requests": requests,
        "requests_failed": failed,
    }
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{requests:,} requests, {failed} failed; the last third used {100 * growth:+.2f} % of the one before it")
    grown = ", ".join(f"{name} {mib:+.2f}" for name, mib in sorted(result["growth_by_process_mib"].items()))
    print(f"MiB of each process since the first half minute: {grown}")
    return 0 if growth <= _GROWTH and not failed else 1


def _piece(running: Running, number: int) -> tuple[Load, Memory]:
    load = send(f"http://127.0.0.1:{running.port}{PLAIN.path}", PLAIN.encoded(), _CONNECTIONS, _PIECE)
    memory = used_by(running.processes)
    print(f"{number * _PIECE:4} s: {memory.mib:6.1f} MiB, {load.requests_per_second:,.0f} req/s", flush=True)
    return load, memory


if __name__ == "__main__":
    sys.exit(main())
