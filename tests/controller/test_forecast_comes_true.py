"""Rollouts by the controller's own code, with drawn counters and an accelerated clock, end as `plan` says they will."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.controller.rolling import CANDIDATE, Cluster
from tests.rollout.world import spec_for

from viridian.api.status import Phase
from viridian.cli.forecast.behavior import Behavior, Candidate, LogNormal
from viridian.cli.forecast.many import Ending, Forecast, Range, forecast
from viridian.cli.forecast.play import World

ROLLOUTS = int(os.environ.get("ROLLOUTS", "6"))
"""Of each pair: enough to notice a forecast that is far off. It was held against 30."""
INTERVAL = 2.0
STABLE = Behavior(0.01, LogNormal(0.08))
SPEC: dict[str, Any] = {
    "rollout": {
        "steps": [{"weight": 10, "hold": "20s"}, {"weight": 50, "hold": "20s"}],
        "bake": {"duration": "30s", "holdback": 10},
        "deadline": "5m",
    },
    "guards": {
        "errorRate": {"max": "10%", "worseThanStable": "1.5"},
        "latency": [{"percentile": "95", "max": "200ms"}],
    },
}
PAIRS = [
    (1200, Candidate("healthy", STABLE)),
    (120, Candidate("healthy and quiet", STABLE)),
    (1200, Candidate("5x errors", replace(STABLE, errors=0.05))),
    (1200, Candidate("all failing", replace(STABLE, errors=1.0))),
    (240, Candidate("20x errors", replace(STABLE, errors=0.2))),
    (1200, Candidate("4x slower", replace(STABLE, slowdown=4.0))),
]


@dataclass(frozen=True)
class Ended:
    """How a rollout ended: seconds since it began, and the candidate's requests and failures."""

    phase: Phase
    seconds: float
    requests: int
    failed: int


async def roll_out(cluster: Cluster, candidate: Behavior) -> Ended:
    """A model that serves gets another version, until that has taken over or is taken back."""
    cluster.behaviors = {"iris-1": STABLE, CANDIDATE: candidate}
    cluster.apply(spec_for(**SPEC), generation=1)
    while cluster.status.phase is not Phase.STABLE:
        await cluster.live()
    cluster.apply(spec_for("v2.0.0", **SPEC), generation=2)
    began, requests, failed = cluster.now, 0, 0
    for _ in range(400):
        await cluster.live()
        own = [pod.counts for uid, pod in cluster.pods.items() if uid.startswith(f"{CANDIDATE}_")]
        requests = max(requests, sum(each.requests for each in own))
        failed = max(failed, sum(each.errors for each in own))
        status, seconds = cluster.status, (cluster.now - began).total_seconds()
        if status.ending is not None:
            return Ended(status.ending.phase, seconds, requests, failed)
        if status.stable.revision == CANDIDATE:
            return Ended(Phase.FINISHING, seconds, requests, failed)
    raise AssertionError(f"the rollout has not ended: {cluster.status.phase}")


@pytest.mark.parametrize(("rpm", "candidate"), PAIRS, ids=lambda value: getattr(value, "name", value))
async def test_what_was_forecast_comes_true(rpm: float, candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a forecast
    world = World(spec_for("v2.0.0", **SPEC), rpm, STABLE, interval=INTERVAL, startup=INTERVAL)
    said = forecast(world, [candidate], 1000, seed=1)[0]
    # when rollouts happen
    happened = [
        await roll_out(Cluster(monkeypatch, INTERVAL, rpm, seed), candidate.behavior) for seed in range(ROLLOUTS)
    ]
    # then each ending is as frequent as it was said to be
    for phase, ending in by_phase(said).items():
        share = sum(one.phase is phase for one in happened) / ROLLOUTS
        doubt = math.sqrt(max(ending.chance * (1 - ending.chance), 0.02) / ROLLOUTS)
        assert share == pytest.approx(ending.chance, abs=3.5 * doubt), (phase, ending)
    # and times, requests and failures are those of nine in ten, but for some scrapes and for chance
    for phase, ending in by_phase(said).items():
        inside([one.seconds for one in happened if one.phase is phase], ending.seconds, 3 * INTERVAL)
    inside([one.requests for one in happened], said.requests, 0.1 * said.requests.high)
    inside([one.failed for one in happened], said.failed, 0.1 * said.failed.high + 1)


def by_phase(said: Forecast) -> dict[Phase, Ending]:
    return {Phase.FINISHING: said.promoted, Phase.ROLLED_BACK: said.turned_back, Phase.EXPIRED: said.expired}


def inside(values: Sequence[float], expected: Range | None, slack: float) -> None:
    """Of values that lie in a range nine times in ten, so many lie there that fewer are hardly chance."""
    if expected is None or len(values) < ROLLOUTS / 3:
        return
    hits = sum(expected.low - slack <= value <= expected.high + slack for value in values)
    least = 0.9 * len(values) - 3 * math.sqrt(0.09 * len(values))
    assert hits >= least, (sorted(values), expected)
