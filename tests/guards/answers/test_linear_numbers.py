"""Two shares against a linear bound, in numbers that a search over a fine grid gives as well."""

import math

import pytest

from viridian.guards.answers.confidence import REPORT_ALPHA, factor_apart, interval
from viridian.guards.answers.linear import Bound, log_e_value, project
from viridian.guards.counts import Block, Counts


@pytest.mark.parametrize(
    ("bound", "stable", "candidate", "holds"),
    [
        (Bound(), 0.3, 0.3, True),
        (Bound(), 0.3, 0.31, False),
        (Bound(factor=2.0), 0.25, 0.5, True),
        (Bound(factor=2.0), 0.25, 0.51, False),
        (Bound(slack=0.125), 0.25, 0.375, True),
        (Bound(slack=0.125), 0.25, 0.38, False),
        (Bound(factor=2.0, slack=0.125), 0.25, 0.625, True),
    ],
)
def test_which_shares_keep_a_bound(bound: Bound, stable: float, candidate: float, holds: bool) -> None:
    assert bound.holds(stable, candidate) is holds


def entropy(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


@pytest.mark.parametrize("bound", [Bound(factor=1.5), Bound(slack=0.1), Bound(factor=2.0, slack=0.05)])
@pytest.mark.parametrize(("stable", "candidate"), [(0.1, 0.6), (0.3, 0.95), (0.02, 0.2)])
@pytest.mark.parametrize(("n_stable", "n_candidate"), [(50, 50), (400, 20), (10, 300)])
def test_the_projection_is_the_nearest_point_of_the_edge(
    bound: Bound, stable: float, candidate: float, n_stable: int, n_candidate: int
) -> None:
    # given the distance of every point of the edge
    def distance(share: float) -> float:
        return n_stable * entropy(stable, share) + n_candidate * entropy(candidate, bound.slack + bound.factor * share)

    grid = [step / 20_000 for step in range(1, 20_000)]
    inside = [share for share in grid if 0 < bound.slack + bound.factor * share < 1]
    nearest = min(inside, key=distance)
    # then
    found, edge = project(stable, candidate, n_stable, n_candidate, bound)
    assert found == pytest.approx(nearest, abs=1e-4)
    assert edge == pytest.approx(bound.slack + bound.factor * found)


def test_the_value_of_a_block_is_its_likelihood_ratio() -> None:
    # given a past by which the forecast is 20 % of stable's and 60 % of the candidate's, drawn to 40 % of both
    past, block = Block(Counts(100, 60), Counts(100, 20)), Block(Counts(10, 7), Counts(20, 3))
    bound, stable, candidate = Bound(factor=1.5), 20.4 / 101, 60.4 / 101
    null_stable, null_candidate = project(stable, candidate, 20, 10, bound)
    # then
    expected = (
        3 * math.log(stable / null_stable)
        + 17 * math.log((1 - stable) / (1 - null_stable))
        + 7 * math.log(candidate / null_candidate)
        + 3 * math.log((1 - candidate) / (1 - null_candidate))
    )
    assert log_e_value(block, past, bound) == pytest.approx(expected)


PAST, BLOCK = Block(Counts(100, 60), Counts(100, 20)), Block(Counts(10, 7), Counts(20, 3))


@pytest.mark.parametrize(
    ("block", "past"),
    [
        (Block(Counts(), Counts(20, 3)), PAST),
        (Block(Counts(10, 7), Counts()), PAST),
        (BLOCK, Block(Counts(), Counts(100, 20))),
        (BLOCK, Block(Counts(100, 60), Counts())),
        (BLOCK, Block(Counts(100, 20), Counts(100, 20))),  # the past gives no reason to bet
    ],
)
def test_without_all_four_there_is_no_bet(block: Block, past: Block) -> None:
    assert log_e_value(block, past, Bound(factor=1.5)) == 0.0


def test_a_forecast_is_never_certain() -> None:
    # given a past of nothing but this class, and one without it
    past = Block(Counts(10**9, 10**9), Counts(10**9, 0))
    # then a single answer against it costs a finite amount: ln of 0.001 over what the bound leaves
    value = log_e_value(Block(Counts(1, 0), Counts(1, 0)), past, Bound(slack=0.5))
    stable, candidate = 0.001, 0.999
    null_stable, null_candidate = project(stable, candidate, 1, 1, Bound(slack=0.5))
    expected = math.log((1 - stable) / (1 - null_stable)) + math.log((1 - candidate) / (1 - null_candidate))
    assert value == pytest.approx(expected)


# ------------------------------------------------------------------ intervals


def mixture(n: int, x: int, p: float) -> float:
    """The martingale of the docstring, as a logarithm."""
    value = math.lgamma(x + 1) + math.lgamma(n - x + 1) - math.lgamma(n + 2)
    return value - (x * math.log(p) if x else 0.0) - ((n - x) * math.log(1 - p) if n > x else 0.0)


@pytest.mark.parametrize("counts", [Counts(10, 3), Counts(400, 20), Counts(400, 380), Counts(1000, 1)])
@pytest.mark.parametrize("alpha", [REPORT_ALPHA, 0.01])
def test_both_ends_are_where_the_martingale_reaches_its_limit(counts: Counts, alpha: float) -> None:
    low, high = interval(counts, alpha)
    assert low < counts.rate < high
    for end in (low, high):
        assert mixture(counts.total, counts.events, end) == pytest.approx(-math.log(alpha), rel=1e-4)


def test_the_ends_of_none_and_of_all() -> None:
    assert interval(Counts()) == (0.0, 1.0)
    low, high = interval(Counts(50, 0))
    assert low == 0.0
    assert mixture(50, 0, high) == pytest.approx(-math.log(0.05), rel=1e-4)
    low, high = interval(Counts(50, 50))
    assert high == 1.0
    assert mixture(50, 50, low) == pytest.approx(-math.log(0.05), rel=1e-4)


def test_how_far_two_shares_surely_are_apart() -> None:
    many, few = Counts(1000, 500), Counts(1000, 100)
    assert factor_apart(many, few) == pytest.approx(interval(many)[0] / interval(few)[1])
    assert factor_apart(many, few) > 3
    assert factor_apart(few, many) < 1
    assert factor_apart(Counts(), few) == 0.0
