"""A share with its uncertainty, for reports that are looked at all the time.

A confidence sequence: the interval holds the true share at all times at once with probability 1 - alpha. It is what the
beta-binomial mixture martingale does not reject (Robbins, *Statistical methods related to the law of the iterated
logarithm*, 1970; Howard, Ramdas, McAuliffe & Sekhon, arXiv 1810.08240, section 3):

    M(p) = integral of q^x (1 - q)^(n - x) dq / (p^x (1 - p)^(n - x)) < 1 / alpha
"""

from __future__ import annotations

import math
from typing import Final

from viridian.guards.counts import Counts

REPORT_ALPHA: Final = 0.05
"""The level of what is reported. It blames nobody."""

_STEPS: Final = 60
"""Of Newton's method at most; ten are the rule."""
_CLOSE: Final = 1e-10
"""A step, as a part of the share, after which an end is found."""


def interval(counts: Counts, alpha: float = REPORT_ALPHA) -> tuple[float, float]:
    """Return the lower and the upper end of the confidence sequence for a share, 0 to 1; (0, 1) without any counts."""
    return lower_end(counts, alpha), upper_end(counts, alpha)


def lower_end(counts: Counts, alpha: float = REPORT_ALPHA) -> float:
    """Return the lower end alone."""
    n, x = counts.total, counts.events
    if not x:
        return 0.0
    # log(alpha * M) as a function of log p is convex, and falls from above 0 at the first value here to below 0 at the
    # share itself. So Newton's method comes from outside, and never passes the end.
    constant = math.lgamma(x + 1) + math.lgamma(n - x + 1) - math.lgamma(n + 2) + math.log(alpha)
    log_p = constant / x
    for _ in range(_STEPS):
        p = math.exp(log_p)
        step = (constant - x * log_p - (n - x) * math.log1p(-p)) / (x - (n - x) * p / (1 - p))
        log_p += step
        if step < _CLOSE:
            break
    return math.exp(log_p)


def upper_end(counts: Counts, alpha: float = REPORT_ALPHA) -> float:
    """Return the upper end alone: the mirror image."""
    return 1 - lower_end(Counts(counts.total, counts.total - counts.events), alpha)


def factor_apart(one: Counts, other: Counts) -> float:
    """Return how many times larger a share surely is than another; 1 or less where that is not known."""
    return lower_end(one) / upper_end(other)
