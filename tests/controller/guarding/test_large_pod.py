"""A pod with a great many series, beside honest models that roll: when those are judged, and what it costs."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest
from tests.controller.counters import INTERVAL
from tests.metrics.answers import Series, requests, stamps
from tests.metrics.large_pod import CULPRIT, HONEST, MOST_MEMORY, SCRAPES, LargePod

BAD = HONEST[::2]
AHEAD = 15
"""Scrapes by which counters are ahead of the clock: on a busy machine ticks take long, and old ones would be stale."""
TICKS, TURNS = 8, 3
"""Ticks of a run, and the one in which half of the candidates turn bad."""
MOST_SECONDS = INTERVAL
"""Of a processor, for a look at all of them: with more, the next scrape's counters would be there before it ends."""


def counters(model: str, began: float, newest: int) -> bytes:
    """The last scrapes of one stable and one candidate pod, up to the one with this number; the first one `began`."""
    page: list[Series] = []
    numbers = range(newest - SCRAPES + 1, newest + 1)
    for revision in (f"{model}-1", f"{model}-2"):
        fails = revision == f"{model}-2" and model in BAD
        labels = {"model": model, "revision": revision, "pod_uid": f"pod-of-{revision}"}
        at = {"at": began + INTERVAL * numbers[0] + 0.5, "every": INTERVAL, **labels}
        failed = [100 * max(0, number - SCRAPES - TURNS + 1) if fails else 0 for number in numbers]
        page += [
            stamps(*(began + INTERVAL * number for number in numbers), **at),
            requests("split", "ok", *(100 * number - bad for number, bad in zip(numbers, failed, strict=True)), **at),
            requests("split", "error", *failed, **at),
        ]
    return json.dumps(page, separators=(",", ":"))[1:-1].encode()


class Fleets(LargePod):
    """All models roll; the counters are those of the newest scrape."""

    def __init__(self, *, counts: bool) -> None:
        super().__init__(counts=counts)
        self.began, self.newest = time.time() - (SCRAPES - AHEAD) * INTERVAL, SCRAPES

    def honest(self, model: str) -> bytes:
        return counters(model, self.began, self.newest)


def ticks(server: Fleets, names: Sequence[str]) -> list[dict[str, Any]]:
    """Tick by tick what was judged, one scrape after the other."""
    seen = []
    with server.running() as url:
        command = [sys.executable, "-m", "tests.controller.guarding.judging", url, *names]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as judging:
            assert judging.stdin is not None
            assert judging.stdout is not None
            for _ in range(TICKS):
                judging.stdin.write("tick\n")
                judging.stdin.flush()
                seen.append(json.loads(judging.stdout.readline()))
                server.newest += 1
            judging.stdin.close()
    return seen


def verdict_of(seen: Sequence[dict[str, Any]]) -> int:
    """The tick after which all bad candidates were rolled back, and no other."""
    assert seen[-1]["back"] == BAD
    return next(number for number, tick in enumerate(seen) if tick["back"] == BAD)


@pytest.mark.parametrize("counts", [True, False], ids=["counted", "found by halving"])
def test_fifty_rollouts_beside_a_pod_with_many_series_are_judged_at_most_one_tick_later(counts: bool) -> None:
    # given the same rollouts without and with such a pod beside them
    alone = ticks(Fleets(counts=counts), HONEST)
    # when half of the candidates fail all requests
    beside = ticks(Fleets(counts=counts), [*HONEST, CULPRIT])
    # then they are rolled back no more than a tick later, and none of the good ones is
    assert TURNS <= verdict_of(alone) <= verdict_of(beside) <= verdict_of(alone) + 1
    # and within the operator's means, in every tick, the first one too
    assert max(tick["memory"] for tick in beside) < MOST_MEMORY, beside
    assert max(tick["seconds"] for tick in beside[1:]) < MOST_SECONDS, beside
