"""Shares and means with intervals, differences with the chance of them, and calibration."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

LEVEL: Final = 0.95
"""Of the intervals."""
BINS: Final = 10


@dataclass(frozen=True)
class Estimate:
    """A share or a mean of so many, with its interval."""

    count: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """How much larger a second estimate is than a first one, with its interval.

    `p` is the probability that chance alone makes a difference as large or larger.
    """

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Bin:
    """Predictions of similar confidence: from `low` on, how many, their mean confidence, and their accuracy."""

    low: float
    count: int
    confidence: float
    accuracy: float


def share(found: int, count: int, level: float = LEVEL) -> Estimate:
    """Return `found` of `count` with the interval of Wilson (1927), by scipy; `count` is above 0."""
    interval = stats.binomtest(found, count).proportion_ci(level, method="wilson")
    return Estimate(count, found / count, float(interval.low), float(interval.high))


def share_difference(first: tuple[int, int], second: tuple[int, int], level: float = LEVEL) -> Difference:
    """Return by how much the second share is larger, each given as so many of so many.

    The interval is Newcombe's from those of Wilson (1998, "Interval estimation for the difference between independent
    proportions", method 10); the probability is that of Fisher's exact test, two-sided.
    """
    a, b = share(*first, level), share(*second, level)
    difference = b.value - a.value
    low = difference - math.hypot(b.value - b.low, a.high - a.value)
    high = difference + math.hypot(b.high - b.value, a.value - a.low)
    table = [[found, count - found] for found, count in (first, second)]
    return Difference(difference, low, high, float(stats.fisher_exact(table).pvalue))


def mean(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the mean with Student's interval; of a single value nothing is known beyond it."""
    found = np.asarray(values, dtype=float)
    middle = float(found.mean())
    if len(found) < 2:
        return Estimate(len(found), middle, -math.inf, math.inf)
    half = float(stats.t.ppf((1 + level) / 2, len(found) - 1) * found.std(ddof=1) / math.sqrt(len(found)))
    return Estimate(len(found), middle, middle - half, middle + half)


def mean_difference(first: Sequence[float], second: Sequence[float], level: float = LEVEL) -> Difference | None:
    """Return by how much the second mean is larger, by the test of Welch (1947); None with fewer than two values each.

    Values that are all the same on both sides have no spread to judge by: None as well.
    """
    if min(len(first), len(second)) < 2 or len({*first}) == 1 == len({*second}):
        return None
    # Its statistic is of the first less the second.
    tested = stats.ttest_ind(second, first, equal_var=False)
    interval = tested.confidence_interval(level)
    difference = float(np.mean(second) - np.mean(first))
    return Difference(difference, float(interval.low), float(interval.high), float(tested.pvalue))


def calibration(predicted: Iterable[tuple[float, bool]]) -> tuple[float, tuple[Bin, ...]]:
    """Return the expected calibration error and its bins, which are equal parts of the confidences from 0 to 1.

    It is the mean over predictions of |accuracy - confidence| of their bins (Naeini, Cooper and Hauskrecht 2015,
    "Obtaining Well Calibrated Probabilities Using Bayesian Binning").

    Args:
        predicted: At least one: confidence, and whether it was right.
    """
    found: dict[int, list[tuple[float, bool]]] = {}
    for confidence, correct in predicted:
        found.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, correct))
    bins = tuple(
        Bin(
            number / BINS,
            len(each),
            sum(confidence for confidence, _ in each) / len(each),
            sum(correct for _, correct in each) / len(each),
        )
        for number, each in sorted(found.items())
    )
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.accuracy - each.confidence) for each in bins) / total, bins
