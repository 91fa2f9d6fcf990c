"""A pod whose clock is ahead is left out and named; the others count as before."""

import pytest

from viridian.guards.series import PodCounters
from viridian.metrics.clocks import without_clocks_ahead
from viridian.metrics.prometheus import PodSamples

INTERVAL, SCRAPED = 5.0, 1000.0


def pod(stamp: float, scraped_at: float = SCRAPED) -> PodSamples:
    return PodSamples((PodCounters(stamp - INTERVAL), PodCounters(stamp)), 0, scraped_at)


@pytest.mark.parametrize("ahead", [-300.0, -5.0, 0.0, 5.0])
def test_clocks_that_are_behind_or_hardly_ahead_change_nothing(ahead: float) -> None:
    samples = {"iris-1": {"a": pod(SCRAPED)}, "iris-2": {"b": pod(SCRAPED + ahead)}}
    assert without_clocks_ahead(samples, INTERVAL) == (samples, "")


def test_a_pod_that_is_ahead_is_left_out_and_named_with_the_way_out() -> None:
    # given a pod that is five minutes ahead beside two that are right, and one that is ahead by less
    right = {"iris-1": {"a": pod(SCRAPED), "b": pod(SCRAPED - 5)}}
    samples = {**right, "iris-2": {"c": pod(SCRAPED + 300), "d": pod(SCRAPED + 60)}}

    # when
    kept, why = without_clocks_ahead(samples, INTERVAL)

    # then
    assert kept == {**right, "iris-2": {}}
    assert "the clock of pod c is 300 s ahead" in why
    assert "2 pods are ahead" in why
    assert "set the clock of its node" in why


def test_a_pod_without_counters_has_no_clock() -> None:
    samples = {"iris-1": {"a": PodSamples((), 0, SCRAPED)}}
    assert without_clocks_ahead(samples, INTERVAL) == (samples, "")
