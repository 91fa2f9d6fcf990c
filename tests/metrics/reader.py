"""Reads the counters of models in a separate process, and prints what came of it and what it cost.

Usage: python -m tests.metrics.reader URL READINGS < models.json
"""

import asyncio
import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from viridian.metrics.connection import Connection, MetricsError
from viridian.metrics.prometheus import Prometheus

_BOUNDS = (0.2, 0.5)


def main() -> None:
    """Read so many times."""
    url, readings = sys.argv[1], int(sys.argv[2])
    keys = [(namespace, name) for namespace, name in json.load(sys.stdin)]
    print(json.dumps([*asyncio.run(_read(url, keys, readings)), _memory()]))


async def _read(url: str, keys: list[tuple[str, str]], readings: int) -> list[dict[str, Any]]:
    prometheus = Prometheus(Connection(url, timeout=timedelta(seconds=60)), timedelta(seconds=2))
    return [await _look(prometheus, keys) for _ in range(readings)]


async def _look(prometheus: Prometheus, keys: list[tuple[str, str]]) -> dict[str, Any]:
    begin, late = time.perf_counter(), asyncio.create_task(_latest())
    found = await prometheus.read(keys, _BOUNDS)
    seconds = time.perf_counter() - begin
    late.cancel()
    return {
        "seen": sorted(name for (_, name), samples in found.items() if not isinstance(samples, MetricsError)),
        "blind": {name: str(error) for (_, name), error in found.items() if isinstance(error, MetricsError)},
        "seconds": seconds,
        "stalled": await late,
    }


async def _latest() -> float:
    """The longest time for which everything else in the process had to wait, in seconds."""
    latest = 0.0
    try:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.005)
            latest = max(latest, time.perf_counter() - begin - 0.005)
    except asyncio.CancelledError:
        return latest


def _memory() -> dict[str, float]:
    """The most that it had, in MiB: of this program alone, where getrusage begins with what its parent had."""
    status = Path("/proc/self/status").read_text()
    return {"peak": int(status.partition("VmHWM:")[2].split()[0]) / 1024}


if __name__ == "__main__":
    main()
