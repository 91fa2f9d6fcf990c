"""Two shares against a linear bound: the mean of the e-value is at most 1 wherever the null hypothesis holds."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viridian.guards.answers.confidence import interval
from viridian.guards.answers.linear import Bound, log_e_value, project
from viridian.guards.counts import Block, Counts

BOUNDS = st.one_of(
    st.builds(Bound, factor=st.floats(1.1, 5.0)), st.builds(Bound, slack=st.floats(0.02, 0.5), factor=st.just(1.0))
)
shares = st.floats(0.0, 1.0)


def pmf(n: int, x: int, p: float) -> float:
    return math.comb(n, x) * p**x * (1 - p) ** (n - x)


def counts(total: int):
    return st.builds(lambda x: Counts(total, min(x, total)), st.integers(0, total))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), counts(30), counts(30), BOUNDS, shares, shares)
def test_it_averages_to_at_most_one_wherever_the_null_hypothesis_holds(
    n_c, n_s, candidate_past, stable_past, bound, stable, below
):
    # given shares that keep the bound, and any past
    candidate = below * min(1.0, bound.slack + bound.factor * stable)
    past = Block(candidate_past, stable_past)

    # when the e-value is averaged over all that a block may hold
    mean = math.fsum(
        pmf(n_c, x, candidate)
        * pmf(n_s, y, stable)
        * math.exp(log_e_value(Block(Counts(n_c, x), Counts(n_s, y)), past, bound))
        for x in range(n_c + 1)
        for y in range(n_s + 1)
    )

    # then nobody gains by it
    assert mean <= 1 + 1e-6


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.02, 0.98), st.floats(0.02, 0.98), BOUNDS)
def test_the_projection_lies_on_the_edge_of_the_null_hypothesis(n_s, n_c, below, above, bound):
    # given a stable share whose bound is below 1, and a candidate's share above that
    stable = below * (1 - bound.slack) / bound.factor
    edge = bound.slack + bound.factor * stable
    candidate = edge + above * (1 - edge)
    assert not bound.holds(stable, candidate)
    # then
    null_stable, null_candidate = project(stable, candidate, n_s, n_c, bound)
    assert null_candidate == pytest.approx(bound.slack + bound.factor * null_stable)
    assert 0 < null_stable < 1
    assert 0 < null_candidate < 1


def test_a_share_far_above_its_bound_is_evidence_and_one_within_it_is_none():
    far, near = Block(Counts(100, 60), Counts(100, 20)), Block(Counts(100, 25), Counts(100, 20))
    assert log_e_value(far, far, Bound(factor=1.5)) > math.log(100)
    assert log_e_value(far, far, Bound(slack=0.2)) > math.log(5)
    assert log_e_value(near, near, Bound(factor=1.5)) == 0
    assert log_e_value(far, Block(), Bound(factor=1.5)) == 0


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000), shares)
def test_a_confidence_sequence_is_an_interval_around_the_share(total, share):
    seen = Counts(total, round(share * total))
    low, high = interval(seen)
    assert 0 <= low <= seen.rate <= high <= 1


def test_a_confidence_sequence_holds_the_true_share_however_often_one_looks():
    missed = 0
    for seed in range(200):
        rng, events = random.Random(seed), 0
        for n in range(1, 401):
            events += rng.random() < 0.1
            low, high = interval(Counts(n, events)) if n % 10 == 0 else (0.0, 1.0)
            if not low <= 0.1 <= high:
                missed += 1
                break
    assert missed <= 200 * 0.05 + 6
