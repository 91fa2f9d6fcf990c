"""How a candidate answered copies of stable's requests, as stable's pods count it. A report, and no verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from viridian.guards.answers.counters import AnswerSnapshot
from viridian_shared.counts.mirrored import Mirrored

_TAIL: Final = 0.95


@dataclass(frozen=True)
class ShadowReport:
    """What stable's pods say of one candidate.

    Attributes:
        agreed: Copies that it answered as stable did.
        disagreed: Copies that it answered differently, or refused.
        failed: Copies that it gave no answer to.
        dropped: Copies that were not sent, because too many were under way.
        p95: Seconds that 95 % of its compared answers took at most; None where nobody knows.
        stable_p95: The same of stable's answers to the same requests.
    """

    agreed: int = 0
    disagreed: int = 0
    failed: int = 0
    dropped: int = 0
    p95: float | None = None
    stable_p95: float | None = None

    @property
    def compared(self) -> int:
        """Copies to which both gave an answer."""
        return self.agreed + self.disagreed


def shadow_report(snapshot: AnswerSnapshot, candidate: str) -> ShadowReport | None:
    """Return what pods have counted of one candidate; None where they have counted nothing.

    Args:
        snapshot: A reading of their counters.
        candidate: Its revision.
    """
    total = snapshot.total
    found = total.compared(candidate)
    if not found:
        return None
    return ShadowReport(
        agreed=found.get(Mirrored.AGREED, 0),
        disagreed=found.get(Mirrored.DISAGREED, 0),
        failed=found.get(Mirrored.FAILED, 0),
        dropped=found.get(Mirrored.DROPPED, 0),
        p95=tail(total.shadow_times(candidate, "candidate")),
        stable_p95=tail(total.shadow_times(candidate, "stable")),
    )


def tail(buckets: Mapping[float, float]) -> float | None:
    """Return the 95th percentile of a histogram, in seconds, interpolated as Prometheus does; None without requests.

    Args:
        buckets: For each upper bound in seconds the number of requests that took at most so long; `math.inf` holds all.
    """
    total = buckets.get(math.inf)
    if not total:
        return None
    rank, lower, before = _TAIL * total, 0.0, 0.0
    for bound in sorted(buckets):
        if buckets[bound] >= rank:
            if math.isinf(bound):
                break
            return lower + (bound - lower) * (rank - before) / (buckets[bound] - before)
        lower, before = bound, buckets[bound]
    return lower
