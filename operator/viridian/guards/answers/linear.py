"""Two shares against a linear bound: is the candidate's share of a class above `factor` times stable's, plus `slack`?

For a block of n_a and n_b independent answers with shares a and b, a convex null hypothesis H0 = {b <= slack + factor
a}, an alternative (a*, b*) outside of it, and (a0, b0) the point of H0 with the least relative entropy to the
alternative,

    L = product over both sides of p(answers; a*, b*) / p(answers; a0, b0)

is an e-variable: its mean is at most 1 wherever H0 holds (Turner & Grunwald, *Exact anytime-valid confidence intervals
for contingency tables and beyond*, arXiv 2203.09785). The reason is short: log E[L] is a concave function of (a, b)
that is 0 at (a0, b0), where its slope is minus that of the relative entropy; in a convex H0 that slope never leads
upwards.

The shares need to be constant within a block only. The alternative has to be known before the block: it is what both
sides answered before (a prequential plug-in, as in Grunwald, de Heide & Koolen, *Safe testing*, arXiv 1906.07801).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from viridian.guards.counts import Block, Counts

_STEPS: Final = 80
_PRIOR: Final = 1.0
"""Imagined answers by which shares seen so far are drawn towards each other: few answers are no forecast."""


@dataclass(frozen=True)
class Bound:
    """The null hypothesis: the candidate's share is at most `slack` + `factor` times stable's.

    The factor is at least 1, and the slack from 0 to below 1.
    """

    factor: float = 1.0
    slack: float = 0.0

    def holds(self, stable: float, candidate: float) -> bool:
        """Whether two shares keep it."""
        return candidate <= self.slack + self.factor * stable


def log_e_value(block: Block, past: Block, bound: Bound) -> float:
    """Return the logarithm of a block's e-value; 0 where the past gives no reason to bet.

    Args:
        block: Answers of both sides, and those of the class, or set of classes, in question.
        past: The same of all earlier blocks.
        bound: The null hypothesis.
    """
    if not (block.candidate.total and block.stable.total and past.candidate.total and past.stable.total):
        return 0.0
    both = past.candidate + past.stable
    stable, candidate = _forecast(past.stable, both.rate), _forecast(past.candidate, both.rate)
    if bound.holds(stable, candidate):
        return 0.0
    null_stable, null_candidate = project(stable, candidate, block.stable.total, block.candidate.total, bound)
    return _log_ratio(block.stable, stable, null_stable) + _log_ratio(block.candidate, candidate, null_candidate)


def project(stable: float, candidate: float, n_stable: int, n_candidate: int, bound: Bound) -> tuple[float, float]:
    """Return the point of the null hypothesis that is nearest to an alternative outside of it.

    The distance is the relative entropy of a block of so many answers; it is convex, so a ternary search finds it.

    Args:
        stable: Stable's share under the alternative, strictly between 0 and 1.
        candidate: The candidate's.
        n_stable: Stable's answers in the block.
        n_candidate: The candidate's.
        bound: The null hypothesis, on whose edge the point lies.
    """
    # On the edge of the null hypothesis both shares are between 0 and 1; neither end of the range is looked at.
    low, high = 0.0, (1 - bound.slack) / bound.factor

    def distance(share: float) -> float:
        return n_stable * _entropy(stable, share) + n_candidate * _entropy(
            candidate, bound.slack + bound.factor * share
        )

    for _ in range(_STEPS):
        third = (high - low) / 3
        if distance(low + third) <= distance(high - third):
            high -= third
        else:
            low += third
    share = (low + high) / 2
    return share, bound.slack + bound.factor * share


def _forecast(counts: Counts, both: float) -> float:
    share = (counts.events + _PRIOR * both) / (counts.total + _PRIOR)
    return min(1 - 1e-3, max(1e-3, share))


def _entropy(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def _log_ratio(counts: Counts, share: float, null: float) -> float:
    good = counts.total - counts.events
    return counts.events * math.log(share / null) + good * math.log((1 - share) / (1 - null))
