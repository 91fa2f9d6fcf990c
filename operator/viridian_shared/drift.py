"""Drift: how far what is served is from a baseline, and how far chance alone goes.

Pods count values on the baseline's bins; recording rules, the command line and the benchmark compare them by what is
here. The formulas are written once more in PromQL (`viridian.monitoring.drift`), and a test holds both together.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from statistics import NormalDist
from typing import Final


class Kind(StrEnum):
    """What a variable is: the label `kind`."""

    FEATURE = "feature"
    PREDICTION = "prediction"


BELOW: Final = "below"
"""The bin of numbers below the smallest of the baseline."""
ABOVE: Final = "above"
MISSING: Final = "missing"
OTHER: Final = "other"
"""The bin of categories that are rare in the baseline, or not in it."""
_BETWEEN: Final = ".."

FLOOR: Final = 0.001
"""Shares below it count as so large: a bin that is empty on one side would be an infinite distance."""
PRACTICAL: Final = 0.1
"""PSI below which a change is of no interest, however certain. By the usual reading, 0.1 to 0.25 is moderate."""
_FALSE_ALARMS: Final = 0.1
"""Alarms by chance alone that a model may have in a quarter, when nothing changes."""
_DAYS: Final = 91
_VARIABLES: Final = 40
"""The most that a pod counts."""
_LOOKS: Final = 24
"""Windows of a day that are as good as independent, per day: they overlap, and are looked at all the time."""
QUANTILE: Final = round(-NormalDist().inv_cdf(_FALSE_ALARMS / (_DAYS * _VARIABLES * _LOOKS)), 2)
"""Of the standard normal distribution, exceeded by chance in one of so many looks (Bonferroni)."""


def range_name(low: float, high: float) -> str:
    """Return the name of a bin of numbers, from one bound on to below the other."""
    return f"{_written(low)}{_BETWEEN}{_written(high)}"


def range_of(name: str) -> tuple[float, float] | None:
    """Return the bounds in a bin's name; None where it is no bin of numbers."""
    low, between, high = name.partition(_BETWEEN)
    try:
        return (float(low), float(high)) if between else None
    except ValueError:
        return None


def psi(served: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the population stability index: the sum of (a - e) ln(a / e) over the bins.

    It is Jeffreys' divergence, the Kullback-Leibler divergence in both directions added up (Jeffreys 1946; Kullback and
    Leibler 1951); the name is of credit scoring (Lewis 1992; Siddiqi 2006).

    Args:
        served: Shares of the bins, a.
        baseline: Shares of the same bins, e.
    """
    return math.fsum((a - e) * math.log(a / e) for a, e in _floored(served, baseline))


def jensen_shannon(served: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the Jensen-Shannon divergence in bits, from 0 to 1 (Lin 1991): each against the middle of both.

    Args:
        served: Shares of the bins.
        baseline: Shares of the same bins.
    """
    parts = ((a, e, (a + e) / 2) for a, e in _floored(served, baseline))
    return math.fsum(a * math.log2(a / m) + e * math.log2(e / m) for a, e, m in parts) / 2


def g_statistic(served: Sequence[float], baseline: Sequence[float], values: float, rows: float) -> float:
    """Return the likelihood-ratio statistic G of the hypothesis that both are samples of one distribution.

    It is 2 n KL(a, p) + 2 m KL(e, p), p the shares of both samples together (Sokal and Rohlf 1995, "Biometry"): the
    divergence of Jensen and Shannon again, weighted by size. Under the hypothesis it is approximately chi-squared, with
    one degree of freedom less than bins. So is PSI / (1/n + 1/m) (Yurdakul 2018), but of few values an empty bin makes
    that as large as the floor lets it.

    Args:
        served: Shares of the bins, a.
        baseline: Shares of the same bins, e.
        values: Size of the first sample, n.
        rows: Size of the second, m.
    """
    parts = ((a, e, (values * a + rows * e) / (values + rows)) for a, e in zip(served, baseline, strict=True))
    return 2 * math.fsum(values * _relative(a, p) + rows * _relative(e, p) for a, e, p in parts)


def critical_g(bins: int) -> float:
    """Return the G that chance alone goes beyond in so few cases as QUANTILE says.

    Args:
        bins: Two or more.
    """
    return chi_squared(bins - 1, QUANTILE)


def chi_squared(freedom: int, quantile: float) -> float:
    """Return a quantile of the chi-squared distribution (Wilson and Hilferty 1931).

    Args:
        freedom: Degrees of it.
        quantile: The same one of the standard normal distribution.
    """
    part = 2 / (9 * freedom)
    cube: float = (1 - part + quantile * math.sqrt(part)) ** 3
    return freedom * cube


def drifts(served: Sequence[float], baseline: Sequence[float], values: float, rows: float) -> bool:
    """Whether a difference is large enough to matter, and larger than chance explains; see g_statistic()."""
    significant = g_statistic(served, baseline, values, rows) > critical_g(len(baseline))
    return significant and psi(served, baseline) >= PRACTICAL


def enough_values(bins: int) -> float:
    """Return the values n for which a PSI of PRACTICAL is as large as what chance may do: PSI n is about chi-squared.

    Of two samples, 1 / n is the sum of both (Yurdakul 2018).

    Args:
        bins: Two or more.
    """
    return critical_g(bins) / PRACTICAL


def _relative(share: float, whole: float) -> float:
    return share * math.log(share / whole) if share else 0.0


def _floored(served: Sequence[float], baseline: Sequence[float]) -> list[tuple[float, float]]:
    return [(max(a, FLOOR), max(e, FLOOR)) for a, e in zip(served, baseline, strict=True)]


def _written(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 10**15 else repr(float(number))
