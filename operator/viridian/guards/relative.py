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
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from viridian.guards.counts import Block
from viridian.guards.design import tempered
from viridian.guards.elementwise import clip, floor, largest, log, log_factorial, root

if TYPE_CHECKING:
    from viridian.guards.elementwise import Number

ALTERNATIVES: Final = (3.0, 12.0, 150.0)
"""Odds ratios that are bet on, as multiples of psi0: some times worse, much worse, failing altogether."""

_NEGLIGIBLE: Final = 1e-20


def log_likelihood_ratios(
    block: Block, psi0: float, design_effect: float = 1.0, effect_within: float = 1.0
) -> tuple[float, ...]:
    """Returns log f(x; psi_j) - log f(x; psi0) for each alternative.

    It is exactly 0 where a block can say nothing: no failures, nothing but failures, or requests on one side only.

    Args:
        block: Requests and failures of both sides.
        psi0: The largest odds ratio that is acceptable, more than 0.
        design_effect: At least 1. Failures that come in clusters (one slow node under a single pod) are fewer events
            than they seem; the ratio is raised to 1/design_effect, which Jensen's inequality keeps valid. It must be
            fixed before the block is seen.
        effect_within: What the candidate's pods show of it in this block; it lowers the ratio alone (see
            `design.tempered`).

    Raises:
        ValueError: If psi0 or the design effect is out of range.
    """
    if psi0 <= 0 or design_effect < 1:
        raise ValueError(f"psi0 must be > 0 and the design effect >= 1, not {psi0:g} and {design_effect:g}")
    n_c, n_s = block.candidate.total, block.stable.total
    events = block.candidate.events + block.stable.events
    if min(events, n_c) == max(0, events - n_s):
        return (0.0,) * len(ALTERNATIVES)
    ratios = log_ratios(block.candidate.events, n_c, n_s, events, psi0)
    return tuple(tempered(ratio, design_effect, effect_within) for ratio in ratios)


def log_ratios(x: Number, n_c: Number, n_s: Number, events: Number, psi0: float) -> Iterator[Number]:
    """Yields log f(x; psi_j) - log f(x; psi0) for each alternative, of numbers or of arrays of them."""
    base = log_normaliser(n_c, n_s, events, math.log(psi0))
    for times in ALTERNATIVES:
        bet = math.log(times)
        yield x * bet + base - log_normaliser(n_c, n_s, events, math.log(psi0) + bet)


def log_normaliser(n_c: Number, n_s: Number, events: Number, log_psi: float) -> Number:
    """Returns log Z(psi), the logarithm of the sum of C(n_c, i) * C(n_s, events - i) * psi^i over all possible i.

    The terms rise to one mode and fall from there, each from its neighbour by a simple factor, so they are summed from
    the mode outwards until they no longer matter (after Liao & Rosen, *Fast and stable algorithms for computing and
    sampling from the noncentral hypergeometric distribution*, The American Statistician 55, 2001). That takes some ten
    standard deviations of terms rather than all of them. A factor is exactly 0 beyond the first and the last possible
    i, and with it all further terms.

    Args:
        n_c: Requests on the candidate.
        n_s: Requests on stable.
        events: Failures on both, at most n_c + n_s.
        log_psi: The logarithm of the odds ratio.
    """
    psi = math.exp(log_psi)
    mode = _mode(n_c, n_s, events, psi)
    spare = n_s - events

    i, term = mode + 1, psi * (n_c - mode) * (events - mode) / ((mode + 1) * (spare + mode + 1))
    total = 1.0 + term
    while largest(term) >= _NEGLIGIBLE:
        i = i + 1
        term = term * (psi * (n_c - i + 1) * (events - i + 1) / (i * (spare + i)))
        total = total + term

    i, term = mode, mode * (spare + mode) / (psi * (n_c - mode + 1) * (events - mode + 1))
    total = total + term
    while largest(term) >= _NEGLIGIBLE:
        i = i - 1
        term = term * (i * (spare + i) / (psi * (n_c - i + 1) * (events - i + 1)))
        total = total + term
    return _log_choose(n_c, mode) + _log_choose(n_s, events - mode) + mode * log_psi + log(total)


def _mode(n_c: Number, n_s: Number, events: Number, psi: float) -> Number:
    """The i with the largest term: the last at which psi * (n_c - i + 1) * (events - i + 1) >= i * (n_s - events + i).

    That is a quadratic inequality, (psi - 1) * i^2 - b * i + c >= 0, whose root is taken in the form that loses no
    digits and holds at psi = 1 as well.
    """
    b = psi * (n_c + events + 2) + n_s - events
    c = psi * (n_c + 1) * (events + 1)
    mode = floor(2 * c / (b + root(b * b - 4 * (psi - 1) * c)))
    zero = 0 * n_c
    return clip(mode, clip(events - n_s, zero, events), clip(events, zero, n_c))


def _log_choose(n: Number, k: Number) -> Number:
    return log_factorial(n) - log_factorial(k) - log_factorial(n - k)
