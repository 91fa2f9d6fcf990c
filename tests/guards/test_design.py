"""The design effect of pods: stable's own against each other."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.guards.fleet import Fleet

from viridian.guards import Config, decode, encode
from viridian.guards.counts import Counts
from viridian.guards.design import Spread, own_effect, tempered

DEFAULTS = Config(error_rate_max=0.1, worse_than_stable=1.5)


def spread(rng, rates, blocks=300, requests=40):
    one = Spread()
    for _ in range(blocks):
        one = one.after([Counts(requests, int(rng.binomial(requests, rate))) for rate in rates])
    return one


def test_pods_that_differ_by_chance_alone_have_no_effect():
    effects = [spread(np.random.default_rng(seed), (0.05, 0.05, 0.05)).effect for seed in range(20)]
    assert np.mean(effects) == pytest.approx(1.0, abs=0.15)


def test_one_bad_node_under_one_of_stables_pods_is_a_large_effect():
    assert spread(np.random.default_rng(1), (0.02, 0.02, 0.3)).effect > 5


@pytest.mark.parametrize("pods", [[], [Counts(50, 10)], [Counts(50, 1), Counts(50, 0)], [Counts(5, 5), Counts(5, 5)]])
def test_what_says_nothing_about_pods_changes_nothing(pods):
    assert Spread(3.0, 2.0).after(pods) == Spread(3.0, 2.0)


def test_failures_count_less_where_stables_pods_differ():
    # given the same failures of candidate and stable, once with stable's spread over its pods, once all on one of them
    def evidence(uneven: bool) -> tuple[float, str]:
        fleet = Fleet(Config(worse_than_stable=1.5), weight=50)
        fleet.look()
        for _ in range(40):
            for pod in fleet.stable:
                pod.serve(20, (6 if pod is fleet.stable[0] else 0) if uneven else 2)
            fleet.tick((60, 24, 0), (0, 0, 0))
        return fleet.judgements[0].e_value, fleet.judgements[0].sentence

    # then the second are less evidence, and the sentence says so
    even, uneven = evidence(uneven=False), evidence(uneven=True)
    assert uneven[0] < even[0]
    assert "differ" in uneven[1]
    assert "differ" not in even[1]


def test_the_effect_survives_a_restart():
    fleet = Fleet(Config(worse_than_stable=1.5), weight=50)
    fleet.look()
    for _ in range(5):
        for pod in fleet.stable:
            pod.serve(20, 6 if pod is fleet.stable[0] else 0)
        fleet.tick((60, 2, 0), (0, 0, 0))
    before = fleet.state.relative["errorRate"]
    fleet.restart(fleet.window.start)
    assert replace(fleet.state.relative["errorRate"]) == before
    assert before.spread.freedom > 0


# -- what it does to the guards


def test_failures_of_one_pod_speak_less_against_the_candidate_than_those_of_all() -> None:
    # given as many failures, on one of its pods or on both
    one, both = Fleet(DEFAULTS), Fleet(DEFAULTS)
    for fleet in (one, both):
        fleet.look()
    for _ in range(2):
        one.candidate[0].serve(40, 20)
        one.candidate[1].serve(40, 0)
        for pod in both.candidate:
            pod.serve(40, 10)
        for fleet in (one, both):
            for pod in fleet.stable:
                pod.serve(200, 2)
            fleet.now += 2.0
            fleet.look()
    # then
    for mine, other in zip(one.judgements, both.judgements, strict=True):
        assert mine.candidate.events == other.candidate.events
        assert math.log(mine.e_value) < 0.6 * math.log(other.e_value)


def test_pods_of_stable_that_differ_are_known_before_the_candidate_has_any_request() -> None:
    # given a node under one of stable's pods that fails a lot, while stable serves alone
    fleet = Fleet(DEFAULTS, weight=0)
    fleet.look()
    for _ in range(6):
        for index, pod in enumerate(fleet.stable):
            pod.serve(200, 60 if index == 0 else 2)
        fleet.now += 2.0
        fleet.look()
    # then both kinds of guard know it, and it survives a restart
    known = [*fleet.state.absolute.values(), *fleet.state.relative.values()]
    assert len(known) == 2
    assert all(one.spread.effect > 5 for one in known)
    assert decode(encode(fleet.state)) == fleet.state


@given(st.floats(-30, 30), st.floats(1, 20), st.floats(1, 20))
def test_what_the_block_itself_shows_never_adds_to_the_evidence(ratio: float, before: float, within: float) -> None:
    assert tempered(ratio, before, within) <= ratio / before


@pytest.mark.parametrize(
    ("ratio", "before", "within", "left"),
    [
        (1.0, 2.0, 4.0, 0.25),
        (1.0, 4.0, 2.0, 0.25),
        (0.5, 2.0, 4.0, 0.125),
        (0.0, 2.0, 4.0, 0.0),
        (-1.0, 2.0, 4.0, -0.5),
    ],
)
def test_evidence_against_the_candidate_is_raised_to_the_larger_effect(
    ratio: float, before: float, within: float, left: float
) -> None:
    assert tempered(ratio, before, within) == pytest.approx(left)


def test_one_block_of_the_candidates_pods_is_believed_sooner_than_one_of_stables() -> None:
    assert own_effect(10.0, 2.0) == pytest.approx((10 + 2) / (2 + 2))
