"""A share with its uncertainty, for reports that are looked at all the time.

A confidence sequence: the interval holds the true share at all times at once with probability 1 - alpha. It is what the
beta-binomial mixture martingale does not reject (Robbins, *Statistical methods related to the law of the iterated
logarithm*, 1970; Howard, Ramdas, McAuliffe & Sekhon, arXiv 1810.08240, section 3):

    M(p) = integral of q^x (1 - q)^(n - x) dq / (p^x (1 - p)^(n - x)) < 1 / alpha
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from viridian.guards.counts import Counts

REPORT_ALPHA: Final = 0.05
"""The level of what is reported. It blames nobody."""

_STEPS: Final = 30
"""Halvings by which an end is found; it then lies outside of the true one by less than a billionth of the share."""


def interval(counts: Counts, alpha: float = REPORT_ALPHA) -> tuple[float, float]:
    """Return the lower and the upper end of the confidence sequence for a share, 0 to 1; (0, 1) without any counts."""
    return lower_end(counts, alpha), upper_end(counts, alpha)


def lower_end(counts: Counts, alpha: float = REPORT_ALPHA) -> float:
    """Return the lower end alone."""
    n, x = counts.total, counts.events
    if not x:
        return 0.0
    log_mixture = math.lgamma(x + 1) + math.lgamma(n - x + 1) - math.lgamma(n + 2)
    limit = -math.log(alpha)

    def rejected(p: float) -> bool:
        no = (n - x) * math.log1p(-p) if n > x else 0.0
        return log_mixture - x * math.log(p) - no >= limit

    return _edge(0.0, x / n, rejected)


def upper_end(counts: Counts, alpha: float = REPORT_ALPHA) -> float:
    """Return the upper end alone: the mirror image."""
    return 1 - lower_end(Counts(counts.total, counts.total - counts.events), alpha)


def _edge(outside: float, inside: float, rejected: Callable[[float], bool]) -> float:
    for _ in range(_STEPS):
        middle = (outside + inside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return outside


def factor_apart(one: Counts, other: Counts) -> float:
    """Return how many times larger a share surely is than another; 1 or less where that is not known."""
    return lower_end(one) / upper_end(other)
