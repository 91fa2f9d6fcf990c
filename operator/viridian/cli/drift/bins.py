"""Bins that two versions have in common: their baselines were made of different rows, so their bins may differ.

Bins are joined, and no value is guessed: what is compared is what would have been counted on these bins.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Final

from viridian_shared.drift import ABOVE, BELOW, MISSING, OTHER, range_name, range_of

Counts = Mapping[str, float]
"""Values by the name of their bin."""
KEEP_BINS: Final = "Make the next baseline.json with --bins, which `viridian import` and `viridian baseline` take"
"""The way out where baselines have no bins in common."""
_Range = tuple[float, float]


def on_shared_bins(one: Counts, other: Counts) -> tuple[Counts, Counts] | None:
    """Return both on the finest bins that can be made of either; None where no bound or category is shared."""
    if one.keys() == other.keys():
        return one, other
    ranges = [sorted(found for name in counts if (found := range_of(name))) for counts in (one, other)]
    place = _category(one, other) if not any(ranges) else _number(*ranges)
    return None if place is None else (_joined(one, place), _joined(other, place))


def _joined(counts: Counts, place: Callable[[str], str]) -> Counts:
    found: dict[str, float] = {}
    for name, value in counts.items():
        wide = place(name)
        found[wide] = found.get(wide, 0.0) + value
    return found


def _category(one: Counts, other: Counts) -> Callable[[str], str] | None:
    """Return where a category belongs: what one of both has no bin for is among its others."""
    shared = one.keys() & other.keys()
    return (lambda name: name if name in shared else OTHER) if shared - {OTHER, MISSING} else None


def _number(one: list[_Range], other: list[_Range]) -> Callable[[str], str] | None:
    """Return where a range belongs: between the bounds that both have. The highest counts to what is below it."""
    lows = [{low for low, _ in ranges} for ranges in (one, other)]
    bounds = sorted(lows[0] & lows[1])
    if not bounds:
        return None
    starts_alike, ends_alike = min(lows[0]) == min(lows[1]), one[-1][1] == other[-1][1]
    ends = [-math.inf, *bounds, one[-1][1] if ends_alike else math.inf]

    def place(name: str) -> str:
        if name == MISSING or (name == ABOVE and ends_alike) or (name == BELOW and starts_alike):
            return name
        low, _ = range_of(name) or ((-math.inf,) * 2 if name == BELOW else (math.inf,) * 2)
        position = bisect_right(bounds, low)
        return range_name(ends[position], ends[position + 1])

    return place
