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

_STEPS: Final = 60


def interval(counts: Counts, alpha: float = REPORT_ALPHA) -> tuple[float, float]:
    """Return the lower and the upper end of the confidence sequence for a share, 0 to 1; (0, 1) without any counts."""
    n, x = counts.total, counts.events
    if not n:
        return 0.0, 1.0
    log_mixture = math.lgamma(x + 1) + math.lgamma(n - x + 1) - math.lgamma(n + 2)
    limit = -math.log(alpha)

    def rejected(p: float) -> bool:
        yes = x * math.log(p) if x else 0.0
        no = (n - x) * math.log1p(-p) if n > x else 0.0
        return log_mixture - yes - no >= limit

    low = 0.0 if not x else _edge(0.0, x / n, rejected)
    high = 1.0 if x == n else 1 - _edge(0.0, 1 - x / n, lambda p: rejected(1 - p))
    return low, high


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
    low, (_, high) = interval(one)[0], interval(other)
    return low / high
