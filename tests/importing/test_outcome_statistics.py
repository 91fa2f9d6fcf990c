"""The statistics of ``viridian outcomes``, against figures of their sources."""

import math

import numpy as np
import pytest

from viridian_import.outcomes.statistics import (
    calibration,
    mean,
    mean_difference,
    share,
    share_difference,
)

pytestmark = pytest.mark.importing


def test_intervals_of_shares_are_those_of_newcombe_s_table() -> None:
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I: 81 of 263, method 3 (Wilson)
    found = share(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=0.0001)


def test_intervals_of_differences_are_those_of_newcombe_s_table() -> None:
    # Newcombe (1998), "Interval estimation for the difference between independent proportions", table II (a): 56 of 70
    # less 48 of 80, method 10
    found = share_difference((48, 80), (56, 70))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=0.0001)


def test_the_probability_is_that_of_the_lady_who_tastes_tea() -> None:
    # Fisher (1935), "The Design of Experiments": three of four cups right has the probability 34 of 70
    assert share_difference((1, 4), (3, 4)).p == pytest.approx(34 / 70)


def test_a_mean_has_student_s_interval() -> None:
    found = mean([1.0, 2.0, 3.0, 4.0])  # t of 3 degrees of freedom at 97.5 % is 3.1824
    half = 3.182446 * math.sqrt(5 / 3 / 4)
    assert (found.value, found.low, found.high) == pytest.approx((2.5, 2.5 - half, 2.5 + half))


@pytest.mark.parametrize(("first", "second"), [([1.0], [2.0, 3.0]), ([], [1.0, 2.0]), ([1.0, 1.0], [2.0, 2.0])])
def test_too_little_is_not_judged(first: list[float], second: list[float]) -> None:
    assert mean_difference(first, second) is None


def test_equal_samples_do_not_differ() -> None:
    found = mean_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert found is not None
    assert (found.value, found.p) == pytest.approx((0, 1))


def test_calibration_is_the_distance_of_each_bin() -> None:
    # given 3 of 4 right at 0.95, and 0 of 1 at 0.3
    error, bins = calibration([(0.95, True)] * 3 + [(0.95, False), (0.3, False)])
    assert error == pytest.approx((4 * abs(0.75 - 0.95) + 0.3) / 5)
    assert [(each.low, each.count, each.accuracy) for each in bins] == [(0.3, 1, 0), (0.9, 4, 0.75)]


def test_healthy_versions_are_rarely_called_different() -> None:
    # given 300 pairs of equal versions
    random = np.random.default_rng(7)
    pairs = [random.binomial(400, 0.9, 2) for _ in range(300)]
    found = sum(share_difference((int(a), 400), (int(b), 400)).p < 0.05 for a, b in pairs)
    # then Fisher's test, which is careful, is below its level
    assert found <= 15
