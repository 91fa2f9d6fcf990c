"""What the forecast asks of the guards is what the operator's driver asks of them, look by look."""

import math
import random
from dataclasses import replace

import pytest
from tests.guards.fleet import poisson

from viridian.cli.forecast.guard_run import GuardRun
from viridian.guards.config import Config, LatencyGuard
from viridian.guards.driver import Rollout, Window, advance
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.series import PodCounters, RequestCounts, Snapshot
from viridian.guards.state import State

CONFIGS = (
    Config(error_rate_max=0.05, worse_than_stable=1.5, latencies=(LatencyGuard(95, 0.2),)),
    Config(error_rate_max=0.1, worse_than_stable=1.0, request_timeout=5.0),
)


def draw(rng: random.Random, mean: float, errors: float, slow: float) -> RequestCounts:
    requests = poisson(rng, mean)
    failed = sum(rng.random() < errors for _ in range(requests))
    late = sum(rng.random() < slow for _ in range(requests - failed))
    return RequestCounts(requests, failed, {0.2: requests - failed - late, math.inf: requests})


@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_the_same_requests_are_judged_alike(seed: int, routed: bool) -> None:
    # given random traffic, a candidate that may be bad, and weights that rise
    rng = random.Random(seed)
    config, interval, per_look = rng.choice(CONFIGS), rng.choice((2.0, 15.0)), rng.choice((0.5, 6.0, 60.0))
    errors, slow = rng.choice((0.0, 0.01, 0.08, 0.4, 1.0)), rng.choice((0.0, 0.03, 0.3))
    guards, state, window = GuardRun(config, routed=routed), State(), None
    totals = {"c": RequestCounts(buckets={0.2: 0, math.inf: 0}), "s": RequestCounts(buckets={0.2: 0, math.inf: 0})}
    weight, since, stamp = 0, -1000.0, 0.0
    seen: set[Verdict] = set()
    for look in range(80):
        # when both take in what happened
        stamp += interval
        new = draw(rng, per_look * weight / 100, errors, slow) if look else RequestCounts(buckets={0.2: 0, math.inf: 0})
        old = draw(rng, per_look * (100 - weight) / 100, 0.01, 0.01) if look else new
        totals = {"c": totals["c"] + new, "s": totals["s"] + old}
        mine = guards.look(stamp, new, old, weight, since)
        state, window, theirs = _advance(config, state, window, stamp, totals, Rollout("c", "s", weight, since, routed))
        # then they say the same; of silence, which cannot be drawn, only the driver speaks
        assert mine == [each for each in theirs if each.guard != "answers"]
        seen |= {each.verdict for each in mine}
        if rng.random() < 0.15:
            weight, since = rng.choice((10, 50, 95, 100) if routed else (100,)), stamp
    assert seen


def _advance(
    config: Config,
    state: State,
    window: Window | None,
    stamp: float,
    totals: dict[str, RequestCounts],
    rollout: Rollout,
) -> tuple[State, Window, list[Judgement]]:
    pods = {
        name: {name: PodCounters(stamp, **{"comparable" if rollout.routed else "direct": counts})}
        for name, counts in totals.items()
    }
    state, window, judgements = advance(config, state, window, Snapshot(stamp, pods), rollout)
    # Which sides a sentence names depends on nothing but the counts.
    return state, window, [replace(each) for each in judgements]
