"""Drawn numbers are distributed as they should be."""

import random
from statistics import fmean, pvariance

import pytest

from viridian.cli.forecast.chance import poisson


@pytest.mark.parametrize("mean", [0.0, 0.3, 7.0, 12.5, 40.0, 900.0])
def test_mean_and_variance_are_those_of_poisson(mean: float) -> None:
    # given
    rng, draws = random.Random(1), 4000
    # when
    found = [poisson(rng, mean) for _ in range(draws)]
    # then both are within four standard errors
    assert fmean(found) == pytest.approx(mean, abs=4 * (mean / draws) ** 0.5)
    spread = ((mean + 2 * mean**2) / draws) ** 0.5
    assert pvariance(found) == pytest.approx(mean, abs=4 * spread)


def test_a_seed_repeats_itself() -> None:
    one, other = random.Random(3), random.Random(3)
    assert [poisson(one, 50.0) for _ in range(9)] == [poisson(other, 50.0) for _ in range(9)]
