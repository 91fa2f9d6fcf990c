"""Is a share of requests too large, or surely small enough? Sequential tests against a fixed maximum.

Both tests are likelihood ratios of the binomial distribution, mixed over a few alternatives:

- *above*: null hypothesis p <= p0. The alternatives lie above p0 only; a mixture that is not cut off there also rejects
  for being better (Lindon & Malek, arXiv 2011.03567, have the untruncated one). The ratio rises with the number of
  events, so its mean is largest at p = p0, where it is 1.
- *below*: the mirror image, null hypothesis p >= p0. Once it rejects, a confidence sequence for p lies below p0: there
  have been enough requests to say that the maximum is kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from viridian.guards.counts import Counts
from viridian.guards.design import tempered

if TYPE_CHECKING:
    from viridian.guards.elementwise import Number

ABOVE: Final = (1.6, 6.0, 80.0)
"""Odds that are bet on, as multiples of the odds at the maximum, by the test for being above it."""

BELOW: Final = (1 / 2, 1 / 10, 1 / 100)
"""The same by the test for being below it."""


def log_likelihood_ratios(
    counts: Counts, maximum: float, odds_ratios: tuple[float, ...], effects: tuple[float, float] = (1.0, 1.0)
) -> tuple[float, ...]:
    """Returns the logarithm of the likelihood ratio of p_j against p0 for each alternative.

    Args:
        counts: Requests and events.
        maximum: p0, the share of events that is still acceptable, between 0 and 1, both excluded.
        odds_ratios: The odds of each p_j divided by those of p0: `ABOVE` or `BELOW`.
        effects: The design effects of earlier blocks and of the candidate's pods in this one (see `design.tempered`).

    Raises:
        ValueError: If the maximum is out of range.
    """
    if not 0 < maximum < 1:
        raise ValueError(f"a maximum share must be more than 0 % and less than 100 %, not {maximum:.1%}")
    return tuple(
        tempered(log_likelihood_ratio(counts.events, counts.total, maximum, ratio), *effects) for ratio in odds_ratios
    )


def log_likelihood_ratio(events: Number, total: Number, maximum: float, odds_ratio: float) -> Number:
    """Returns the same for one alternative, of numbers or of arrays of them."""
    # With odds o1 = r * o0: (1 - p1) / (1 - p0) = 1 / (1 + p0 * (r - 1)), and p1 / p0 is r times that.
    return events * math.log(odds_ratio) - total * math.log1p(maximum * (odds_ratio - 1))
