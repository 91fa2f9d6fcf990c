"""Rollouts of the operator's own core, with drawn requests, end as they were forecast to."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.guards.fleet import poisson
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.cli.forecast import play
from viridian.cli.forecast.behavior import Behavior, Candidate, LogNormal
from viridian.cli.forecast.many import Ending, Forecast, Range, forecast
from viridian.guards.driver import Rollout, Window, advance
from viridian.guards.series import PodCounters, RequestCounts, Snapshot
from viridian.guards.spec import guard_config
from viridian.guards.state import State

ROLLOUTS, INTERVAL = 30, 2.0
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
BOUND = 0.2


@dataclass
class Guarded(World):
    """A world whose guards are the real ones, over requests that are drawn one by one."""

    rng: random.Random = field(default_factory=random.Random)
    behaviors: dict[str, Behavior] = field(default_factory=dict)
    rpm: float = 0.0
    counters: dict[str, RequestCounts] = field(default_factory=dict)
    state: State = field(default_factory=State)
    window: Window | None = None
    weight: tuple[int, float] = (0, 0.0)

    def traffic(self, seconds: float = INTERVAL, rate: int = 0) -> None:
        super().traffic(seconds, 0)
        for color in Color:
            if self.route is None or not self.pods[color]:
                continue
            revision = self.pods[color][0].revision
            self._answer(revision, self.rpm / 60 * seconds * self.route.split(color) / 100)
        self._judge()

    def _answer(self, revision: str, mean: float) -> None:
        behavior = self.behaviors.get(revision, STABLE)
        requests, failed, late = poisson(self.rng, mean), 0, 0
        slow = behavior.latency.slower_than(BOUND / behavior.slowdown)
        for _ in range(requests):
            fails = self.rng.random() < behavior.errors
            failed += fails
            late += not fails and self.rng.random() < slow
        new = RequestCounts(requests, failed, {BOUND: requests - failed - late, math.inf: requests})
        self.counters[revision] = self.counters.get(revision, RequestCounts()) + new
        if requests:
            self.requests[revision] = self.counters[revision].requests
            self.moved[revision] = self.now

    def _judge(self) -> None:
        candidate, stable = self.status.candidate, self.status.stable
        if candidate is None or stable is None or self.status.ending is not None:
            return
        if candidate.weight != self.weight[0]:
            self.weight = candidate.weight, self.now.timestamp()
        snapshot = Snapshot(self.now.timestamp(), self._pods())
        rollout = Rollout(candidate.revision, stable.revision, *self.weight)
        self.state, self.window, judgements = advance(
            guard_config(self.spec), self.state, self.window, snapshot, rollout
        )
        missing = tuple(each.guard for each in judgements if each.kind == "absolute" and each.requests_missing != 0)
        self.says = {"judgements": tuple(judgements), "missing": missing}

    def _pods(self) -> Mapping[str, Mapping[str, PodCounters]]:
        stamp = self.now.timestamp()
        return {name: {f"{name}-x": PodCounters(stamp, counts)} for name, counts in self.counters.items()}


@dataclass(frozen=True)
class Ended:
    """How a rollout ended in the world: seconds since it began, and the candidate's requests and failures."""

    phase: Phase
    seconds: float
    requests: int
    failed: int


def roll_out(candidate: Behavior, rpm: float, seed: int) -> Ended:
    world = Guarded(spec_for(**SPEC), rng=random.Random(seed), rpm=rpm, behaviors={"iris-2": candidate})
    world.settle()
    world.edit(spec_for("v2.0.0", **SPEC))
    began = world.now
    for _ in range(400):
        world.kubelet()
        world.reconcile()
        status, counted = world.status, world.counters.get("iris-2", RequestCounts())
        seconds = (world.now - began).total_seconds()
        if status.ending is not None:
            return Ended(status.ending.phase, seconds, counted.requests, counted.errors)
        if status.stable is not None and status.stable.revision == "iris-2":
            return Ended(Phase.FINISHING, seconds, counted.requests, counted.errors)
        world.traffic()
    raise AssertionError(f"the rollout has not ended: {world.status.phase}")


PAIRS = [
    (1200, Candidate("healthy", STABLE)),
    (120, Candidate("healthy and quiet", STABLE)),
    (1200, Candidate("5x errors", replace(STABLE, errors=0.05))),
    (1200, Candidate("all failing", replace(STABLE, errors=1.0))),
    (240, Candidate("20x errors", replace(STABLE, errors=0.2))),
    (1200, Candidate("4x slower", replace(STABLE, slowdown=4.0))),
]


@pytest.mark.parametrize(("rpm", "candidate"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_what_was_forecast_comes_true(rpm: float, candidate: Candidate) -> None:
    # given a forecast
    world = play.World(spec_for("v2.0.0", **SPEC), rpm, STABLE, interval=INTERVAL, startup=INTERVAL)
    said = forecast(world, [candidate], 500, seed=1)[0]
    # when as many rollouts as can be waited for happen
    happened = [roll_out(candidate.behavior, rpm, seed) for seed in range(ROLLOUTS)]
    # then each ending is as frequent as it was said to be
    for phase, ending in by_phase(said).items():
        share = sum(one.phase is phase for one in happened) / ROLLOUTS
        doubt = math.sqrt(max(ending.chance * (1 - ending.chance), 0.02) / ROLLOUTS)
        assert share == pytest.approx(ending.chance, abs=3.5 * doubt), (phase, ending)
    # and times, requests and failures are those of nine in ten, but for a scrape and for chance
    for phase, ending in by_phase(said).items():
        inside([one.seconds for one in happened if one.phase is phase], ending.seconds, 3 * INTERVAL)
    inside([one.requests for one in happened], said.requests, 0.1 * said.requests.high)
    inside([one.failed for one in happened], said.failed, 0.1 * said.failed.high + 1)


def by_phase(said: Forecast) -> dict[Phase, Ending]:
    return {Phase.FINISHING: said.promoted, Phase.ROLLED_BACK: said.turned_back, Phase.EXPIRED: said.expired}


def inside(values: list[float] | list[int], expected: Range | None, slack: float) -> None:
    """Of values that lie in a range nine times in ten, so many lie there that fewer are hardly chance."""
    if expected is None or len(values) < ROLLOUTS / 3:
        return
    hits = sum(expected.low - slack <= value <= expected.high + slack for value in values)
    least = 0.9 * len(values) - 3 * math.sqrt(0.09 * len(values))
    assert hits >= least, (sorted(values), expected)
