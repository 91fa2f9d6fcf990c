"""Features and predictions: what was served, what it is compared with, and how far both are apart.

That is the baseline of the model, or what another version has served.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from viridian_shared.drift import (
    ABOVE,
    BELOW,
    MISSING,
    OTHER,
    critical_g,
    drifts,
    enough_values,
    g_statistic,
    jensen_shannon,
    psi,
    range_of,
)
from viridian_shared.words import whole_percent

_NOTABLE: Final = 0.01
"""Changes of a bin's share below it are not worth a word."""
_MOST_CATEGORIES: Final = 2
_OUTSIDE: Final = {
    BELOW: "below the training range",
    ABOVE: "above the training range",
    OTHER: "in categories that are rare or new",
    MISSING: "missing",
}


@dataclass(frozen=True)
class Bin:
    """One bin of a variable: shares, which add up to 1 over all bins."""

    name: str
    served: float
    baseline: float


@dataclass(frozen=True)
class Variable:
    """One feature, or one output, of one revision."""

    revision: str
    kind: str
    name: str
    bins: tuple[Bin, ...]
    """In their order: numbers from below to above, categories by name, and what is neither."""
    values: float
    """How many were served."""
    rows: float
    """How many the baseline was made of."""

    @classmethod
    def of(
        cls,
        revision: str,
        kind: str,
        name: str,
        counts: Mapping[str, float],
        baseline: Mapping[str, float],
        rows: float,
    ) -> "Variable":
        """Return the variable of which this was counted.

        Args:
            revision: That served it.
            kind: See `viridian_shared.drift.Kind`.
            name: Of the feature or the output.
            counts: What was served, by bin; some of it.
            baseline: What it is compared with, by bin; some of it. Its bins count.
            rows: As how many values the baseline counts.
        """
        values, whole = sum(counts.get(each, 0.0) for each in baseline), sum(baseline.values())
        bins = [Bin(each, counts.get(each, 0.0) / values, count / whole) for each, count in baseline.items()]
        return cls(revision, kind, name, in_order(bins), values, rows)

    @property
    def psi(self) -> float:
        """The population stability index."""
        return psi(self._served, self._baseline)

    @property
    def g(self) -> float:
        """The statistic by which chance is told from a change."""
        return g_statistic(self._served, self._baseline, self.values, self.rows)

    @property
    def is_certain(self) -> bool:
        """Whether chance hardly ever does this."""
        return self.g > critical_g(len(self.bins))

    @property
    def drifts(self) -> bool:
        """Whether the change matters, and is no chance."""
        return drifts(self._served, self._baseline, self.values, self.rows)

    @property
    def needed(self) -> float:
        """How many times as many values of both tell a change that matters from chance; 1 where these do."""
        if self.is_certain:
            return 1.0
        return max(1.0, enough_values(len(self.bins)) * (1 / self.values + 1 / self.rows))

    @property
    def _served(self) -> list[float]:
        return [each.served for each in self.bins]

    @property
    def _baseline(self) -> list[float]:
        return [each.baseline for each in self.bins]

    def moved(self) -> str:
        """Return what moved where, as ``median 41 -> 57; 12 % above the training range``."""
        return "; ".join((*self._medians(), *self._outside(), *self._categories()))

    def data(self, baseline: str = "baseline") -> dict[str, Any]:
        """Return it for programs.

        Args:
            baseline: What it is compared with, as a name in the data.
        """
        return {
            "revision": self.revision,
            "kind": self.kind,
            "variable": self.name,
            "drifts": self.drifts,
            "psi": round(self.psi, 4),
            "g": round(self.g, 1),
            "criticalG": round(critical_g(len(self.bins)), 1),
            "jensenShannon": round(jensen_shannon(self._served, self._baseline), 4),
            "values": round(self.values),
            f"{baseline}Rows": round(self.rows),
            "moved": self.moved(),
            "bins": [
                {"bin": each.name, "served": round(each.served, 4), baseline: round(each.baseline, 4)}
                for each in self.bins
            ],
        }

    def _medians(self) -> Iterator[str]:
        ranges = [(found, each) for each in self.bins if (found := range_of(each.name)) is not None]
        if not ranges:
            return
        ends = {BELOW: (ranges[0][0][0],) * 2, ABOVE: (ranges[-1][0][1],) * 2}
        placed = [(ends.get(each.name) or range_of(each.name), each) for each in self.bins]
        known = [(place, each) for place, each in placed if place is not None]
        before = _median([(*place, each.baseline) for place, each in known])
        after = _median([(*place, each.served) for place, each in known])
        if before is not None and after is not None and f"{before:.3g}" != f"{after:.3g}":
            yield f"median {before:.3g} -> {after:.3g}"

    def _outside(self) -> Iterator[str]:
        for each in self.bins:
            where = _outside(each.name)
            if where and abs(each.served - each.baseline) >= _NOTABLE:
                instead = f" instead of {whole_percent(each.baseline)}" if each.baseline >= _NOTABLE / 2 else ""
                yield f"{whole_percent(each.served)} {where}{instead}"

    def _categories(self) -> Iterator[str]:
        named = [each for each in self.bins if each.name not in _OUTSIDE and range_of(each.name) is None]
        changed = sorted(named, key=lambda each: -abs(each.served - each.baseline))[:_MOST_CATEGORIES]
        for each in changed:
            if abs(each.served - each.baseline) >= _NOTABLE:
                yield f"`{each.name}` {whole_percent(each.baseline)} -> {whole_percent(each.served)}"


def in_order(bins: list[Bin]) -> tuple[Bin, ...]:
    """Return bins in their order; see Variable."""
    last = list(_OUTSIDE)

    def place(each: Bin) -> tuple[int, float, str]:
        found = range_of(each.name)
        if found is not None:
            return (1, found[0], "")
        if each.name in last:
            return (0 if each.name == BELOW else 2 + last.index(each.name), 0.0, "")
        return (1, 0.0, each.name)

    return tuple(sorted(bins, key=place))


def _outside(name: str) -> str:
    """Return where the values of a bin are that has no two bounds; empty for others."""
    low, high = range_of(name) or (0, 0)
    if math.isinf(low):
        return f"below {high:g}"
    return f"at {low:g} or above" if math.isinf(high) else _OUTSIDE.get(name, "")


def _median(parts: list[tuple[float, float, float]]) -> float | None:
    """Return the median of shares between bounds, each spread evenly; None where nothing says it."""
    half = sum(share for *_, share in parts) / 2
    for low, high, share in parts:
        if share and half <= share:
            return low + (high - low) * half / share if math.isfinite(high - low) else None
        half -= share
    return None
