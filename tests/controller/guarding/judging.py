"""Ticks over rolling models whose counters come from a Prometheus, in a separate process.

Usage: python -m tests.controller.guarding.judging URL NAME…

It makes a tick for each line of its standard input, and prints as one line of JSON which models are rolled back by
then, the processor time of the tick in seconds, and the most memory that the process had so far, in MiB.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.controller.counters import INTERVAL, Fleet
from tests.controller.fakes import model, status
from tests.controller.guarding.ticking import ALL_STABLE, EPOCH, HALF, Stage

from viridian.controller.guarding.ticker import Ticker
from viridian.metrics.connection import Connection
from viridian.metrics.prometheus import Prometheus


async def judge(url: str, names: list[str]) -> None:
    """Tick as often as there are lines."""
    stage, interval = Stage(), timedelta(seconds=INTERVAL)
    for name in names:
        seen = model(name, status=status(name))
        stage.models.see(seen.manifest)
        stage.api.put_children(name, seen.owner, HALF)
        stage.pods.note(seen.key, Fleet(name).pods, datetime.now(UTC))
    prometheus = Prometheus(Connection(url, timeout=timedelta(seconds=60)), interval)
    ticker = Ticker(stage.api, prometheus, stage.models, stage.monitor, stage.pods, stage.queue, interval, EPOCH)
    for _ in sys.stdin:
        began = time.process_time()
        await ticker.tick()
        seconds = time.process_time() - began
        back = [name for name in names if stage.gives(name) == ALL_STABLE]
        print(json.dumps({"back": back, "seconds": seconds, "memory": _memory()}), flush=True)


def _memory() -> float:
    """Of this program alone, where getrusage begins with what its parent had."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    asyncio.run(judge(sys.argv[1], sys.argv[2:]))
