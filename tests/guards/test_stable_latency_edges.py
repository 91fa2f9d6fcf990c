"""Stable's percentiles at their edges: how many requests it takes, which count, and which bound it is."""

import math

import pytest

from viridian.guards import Config, PodCounters, RequestCounts, Snapshot, State
from viridian.guards.config import LatencyGuard, SlowerGuard
from viridian.guards.stable_latency import freeze, percentile, resolve

P95, P99 = SlowerGuard(95, 1.5), SlowerGuard(99, 2.0)


def timed(fast: int, slow: int = 0) -> RequestCounts:
    """Requests of which some took a tenth of a second, and the rest a fifth."""
    return RequestCounts(fast + slow, 0, {0.1: fast, 0.2: fast + slow, math.inf: fast + slow})


def snapshot(stamp: float, *pods: RequestCounts, revision: str = "s") -> Snapshot:
    return Snapshot(stamp, {revision: {f"p{i}": PodCounters(stamp, counts) for i, counts in enumerate(pods)}})


@pytest.mark.parametrize(
    ("counts", "percent", "bound"),
    [
        (timed(95, 5), 95, 0.1),
        (timed(94, 6), 95, 0.2),
        (timed(949, 51), 95, 0.2),
        (timed(95, 5), 96, 0.2),
        (RequestCounts(1, 0, {math.inf: 1}), 95, None),
        (RequestCounts(1, 0, {0.2: 1, 0.1: 1, math.inf: 1}), 95, 0.1),  # whatever their order
        (RequestCounts(7, 0, {0.1: 0, math.inf: 0}), 95, None),
        (RequestCounts(7, 0, {0.1: 7}), 95, None),  # nobody says how many there were in all
    ],
)
def test_the_bound_within_which_so_many_were_answered(
    counts: RequestCounts, percent: float, bound: float | None
) -> None:
    assert percentile(counts, percent) == bound


def of_stable(before: Snapshot, now: Snapshot, *guards: SlowerGuard, known: dict[float, float] | None = None) -> object:
    return freeze(Config(slower=guards), State(of_stable=known or {}), before, now, "s").of_stable


@pytest.mark.parametrize(("requests", "found"), [(199, {}), (200, {95: 0.1}), (201, {95: 0.1})])
def test_ten_requests_beyond_the_percentile_make_it_known(requests: int, found: dict[float, float]) -> None:
    assert of_stable(snapshot(0, timed(0)), snapshot(60, timed(requests)), P95) == found


@pytest.mark.parametrize(("requests", "found"), [(39, {}), (40, {75: 0.1})])
def test_exactly_ten_are_enough(requests: int, found: dict[float, float]) -> None:
    assert of_stable(snapshot(0, timed(0)), snapshot(60, timed(requests)), SlowerGuard(75, 1.5)) == found


def test_those_since_the_candidate_was_made_come_first() -> None:
    # given a stable that was slow before
    before, now = snapshot(0, timed(0, 900)), snapshot(60, timed(200, 900))
    assert of_stable(before, now, P95) == {95: 0.1}
    # and where they are too few, all of its pods' so far count
    assert of_stable(before, snapshot(60, timed(199, 900)), P95) == {95: 0.2}
    assert of_stable(snapshot(0, timed(0), timed(0)), snapshot(60, timed(100), timed(99)), P95) == {}
    assert of_stable(snapshot(0, timed(50), timed(50)), snapshot(60, timed(100), timed(100)), P95) == {95: 0.1}


def test_requests_of_another_revision_say_nothing_of_stable() -> None:
    other = snapshot(60, timed(900), revision="c")
    assert of_stable(snapshot(0, timed(0), revision="c"), other, P95) == {}


def test_each_percentile_is_known_by_itself_and_stays() -> None:
    before, now = snapshot(0, timed(0)), snapshot(60, timed(300))
    assert of_stable(before, now, P99, P95) == {95: 0.1}
    assert of_stable(before, now, P99, P95, known={99: 0.3}) == {99: 0.3, 95: 0.1}
    state = State(of_stable={95: 0.1})
    assert freeze(Config(slower=(P95,)), state, before, now, "s") is state


def test_what_is_known_becomes_a_limit_and_the_rest_waits() -> None:
    fixed = LatencyGuard(50, 0.05)
    config = Config(latencies=(fixed,), slower=(P95, P99))
    assert resolve(config, {}) == config
    resolved = resolve(config, {99: 0.2})
    assert resolved.latencies == (fixed, LatencyGuard(99, 0.4, of_stable=True))
    assert resolved.slower == (P95,)
