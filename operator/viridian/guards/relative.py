"""Is the candidate worse than stable? A sequential test on pairs of counts.

Given how many requests each side completed in a block and how many failed in all, the number x of failures on the
candidate follows Fisher's noncentral hypergeometric distribution, whose only parameter is the odds ratio psi:

    f(x; psi) = C(n_c, x) * C(n_s, e - x) * psi^x / Z(psi)

The null hypothesis is psi <= psi0. Conditioning on e removes the error rate that both share, whatever it does over time
(Lindon, Sanden & Shirikian, KDD 2022, arXiv 2205.14762; Turner, Ly & Grunwald, arXiv 2106.02693). For psi1 > psi0 the
ratio f(x; psi1) / f(x; psi0) rises with x and f has a monotone likelihood ratio, so its mean is largest at psi = psi0,
where it is 1: the test is valid for the whole one-sided null hypothesis.
"""

from __future__ import annotations

import math
from typing import Final

from viridian.guards.counts import Block

ALTERNATIVES: Final = (3.0, 12.0, 150.0)
"""Odds ratios that are bet on, as multiples of psi0: some times worse, much worse, failing altogether."""

_NEGLIGIBLE: Final = 1e-20


def log_likelihood_ratios(block: Block, psi0: float, design_effect: float = 1.0) -> tuple[float, ...]:
    """Returns log f(x; psi_j) - log f(x; psi0) for each alternative.

    It is exactly 0 where a block can say nothing: no failures, nothing but failures, or requests on one side only.

    Args:
        block: Requests and failures of both sides.
        psi0: The largest odds ratio that is acceptable, more than 0.
        design_effect: At least 1. Failures that come in clusters (one slow node under a single pod) are fewer events
            than they seem; the ratio is raised to 1/design_effect, which Jensen's inequality keeps valid. It must be
            fixed before the block is seen.

    Raises:
        ValueError: If psi0 or the design effect is out of range.
    """
    if psi0 <= 0 or design_effect < 1:
        raise ValueError(f"psi0 must be > 0 and the design effect >= 1, not {psi0:g} and {design_effect:g}")
    n_c, n_s = block.candidate.total, block.stable.total
    events = block.candidate.events + block.stable.events
    if min(events, n_c) == max(0, events - n_s):
        return (0.0,) * len(ALTERNATIVES)
    base = log_normaliser(n_c, n_s, events, math.log(psi0))
    return tuple(
        (
            block.candidate.events * math.log(times)
            + base
            - log_normaliser(n_c, n_s, events, math.log(psi0) + math.log(times))
        )
        / design_effect
        for times in ALTERNATIVES
    )


def log_normaliser(n_c: int, n_s: int, events: int, log_psi: float) -> float:
    """Returns log Z(psi), the logarithm of the sum of C(n_c, i) * C(n_s, events - i) * psi^i over all possible i.

    The terms rise to one mode and fall from there, each from its neighbour by a simple factor, so they are summed from
    the mode outwards until they no longer matter (after Liao & Rosen, *Fast and stable algorithms for computing and
    sampling from the noncentral hypergeometric distribution*, The American Statistician 55, 2001). That takes some ten
    standard deviations of terms rather than all of them.

    Args:
        n_c: Requests on the candidate.
        n_s: Requests on stable.
        events: Failures on both, at most n_c + n_s.
        log_psi: The logarithm of the odds ratio.
    """
    low, high = max(0, events - n_s), min(events, n_c)
    psi = math.exp(log_psi)

    def factor(i: int) -> float:
        """Term i divided by term i - 1."""
        return psi * (n_c - i + 1) * (events - i + 1) / (i * (n_s - events + i))

    below, above = low, high
    while below < above:
        middle = (below + above + 1) // 2
        below, above = (middle, above) if factor(middle) >= 1 else (below, middle - 1)
    mode = below

    total = term = 1.0
    for i in range(mode + 1, high + 1):
        term *= factor(i)
        total += term
        if term < _NEGLIGIBLE:
            break
    term = 1.0
    for i in range(mode, low, -1):
        term /= factor(i)
        total += term
        if term < _NEGLIGIBLE:
            break
    return _log_choose(n_c, mode) + _log_choose(n_s, events - mode) + mode * log_psi + math.log(total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
