"""Limits on latency as multiples of stable's, frozen when the candidate gets weight."""

import math

import pytest

from viridian.guards import (
    Config,
    PodCounters,
    RequestCounts,
    Rollout,
    Snapshot,
    State,
    Verdict,
    Window,
    advance,
    bounds,
)
from viridian.guards.config import LatencyGuard, SlowerGuard
from viridian.guards.stable_latency import freeze, percentile, resolve
from viridian_shared.counts.latency import GRID

CONFIG = Config(slower=(SlowerGuard(95, 1.5),))


def timed(fast: int, slow: int, at: float = 0.1, late: float = 2.0) -> RequestCounts:
    """Requests of which some took a tenth of a second, and the rest two."""
    buckets = {le: fast * (le >= at) + slow * (le >= late) for le in GRID}
    return RequestCounts(fast + slow, 0, {**buckets, math.inf: fast + slow})


def snapshot(stamp: float, **revisions: RequestCounts) -> Snapshot:
    return Snapshot(
        stamp,
        {name: {f"{name}{i}": PodCounters(stamp, counts) for i in range(2)} for name, counts in revisions.items()},
    )


def test_stables_percentile_is_that_of_the_time_since_the_candidate_was_made():
    # given a stable that was slow before, and is fast since
    before, now = snapshot(0, s=timed(0, 10_000)), snapshot(60, s=timed(990, 10_010))

    # when the candidate gets weight, then the bound is half as much again as what stable takes now
    state = freeze(CONFIG, State(), before, now, "s")
    assert state.of_stable == {95: 0.1}
    assert resolve(CONFIG, state.of_stable).latencies == (LatencyGuard(95, 0.15, of_stable=True),)


def test_what_stable_did_before_counts_where_there_is_little_else():
    now = snapshot(60, s=timed(990, 10))
    assert freeze(CONFIG, State(), now, now, "s").of_stable == {95: 0.1}


def test_a_stable_without_requests_gives_no_bound():
    now = snapshot(60, s=timed(20, 0))
    assert freeze(CONFIG, State(), now, now, "s") == State()
    assert bounds([CONFIG]) == GRID
    assert bounds([resolve(CONFIG, {95: 0.1})]) == (0.15,)


def test_a_percentile_above_the_grid_is_unknown():
    assert percentile(RequestCounts(10, 0, {60.0: 0, math.inf: 10}), 95) is None
    assert percentile(RequestCounts(), 95) is None


@pytest.mark.parametrize(("pods", "verdict"), [(2, Verdict.BREACH), (1, Verdict.POD_CONFOUNDED)])
def test_a_slow_candidate_breaches_unless_it_may_be_its_node(pods, verdict):
    config, rollout = resolve(CONFIG, {95: 0.1}), Rollout("c", "s", 20, -1000.0)
    state, window, judgements = State(), None, []
    for tick in range(30):
        seen = snapshot(2.0 * tick, c=timed(0, 10 * tick), s=timed(100 * tick, 0))
        candidate = dict(list(seen.pods["c"].items())[:pods])
        now = Snapshot(seen.stamp, {**seen.pods, "c": candidate})
        state, window, judgements = advance(config, state, window, now, rollout)
    judgement = next(each for each in judgements if each.guard == "latency-p95-of-stable")
    assert judgement.verdict is verdict
    assert isinstance(window, Window)
