"""The design effect of pods in numbers, worked out by hand."""

import pytest

from viridian.guards.counts import Counts
from viridian.guards.design import Spread

# Of 100 requests 6 fail: 2.4 are expected of 40, 3.6 of 60. Pearson's statistic is 1.6² / 2.256 + 1.6² / 3.384 =
# 1.8913, and its mean under chance alone 100 / 99 = 1.0101.
TWO = [Counts(40, 4), Counts(60, 2)]


def test_a_block_adds_pearsons_statistic_and_its_mean() -> None:
    assert Spread().after(TWO) == Spread(1.8913, 1.0101)


def test_earlier_blocks_fade() -> None:
    assert Spread(2.0, 1.0).after(TWO) == Spread(3.8713, 2.0001)


def test_three_pods_have_two_degrees_of_freedom() -> None:
    assert Spread().after([Counts(40, 4), Counts(40, 4), Counts(20, 0)]).freedom == 2.0202


@pytest.mark.parametrize(
    ("spread", "effect"),
    [
        (Spread(), 1.0),
        (Spread(0.0, 5.0), 1.0),
        (Spread(10.0, 0.0), 2.0),
        (Spread(50.0, 10.0), 3.0),
        (Spread(1.8913, 1.0101), 11.8913 / 11.0101),
    ],
)
def test_the_effect_is_drawn_towards_one(spread: Spread, effect: float) -> None:
    assert spread.effect == pytest.approx(effect)


@pytest.mark.parametrize(
    ("pods", "counts"),
    [
        ([*TWO, Counts()], True),  # a pod without requests is none
        ([Counts(40, 4), Counts()], False),
        ([Counts(40, 1), Counts(60, 0)], False),
        ([Counts(40, 1), Counts(60, 1)], True),
        ([Counts(2, 2), Counts(2, 1)], True),
        ([Counts(2, 2), Counts(2, 2)], False),
    ],
)
def test_what_says_something_about_pods(pods: list[Counts], counts: bool) -> None:
    assert (Spread().after(pods) != Spread()) is counts
    if len(pods) == 3:
        assert Spread().after(pods) == Spread().after(TWO)
