"""The counters that guard a rollout, published as they stood at the last multiple of the scrape interval.

Pods are scraped at different moments. If each published what it has *now*, an incident shared by both colors would
show on the color scraped first, and a healthy candidate would be rolled back for it. So a pod publishes its counts as
they stood at the last wall-clock multiple of the interval, with that stamp, and counts of equal stamps are compared.

Nothing here knows a clock: the time comes in as an argument.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import Via

NANOSECONDS: Final = 1_000_000_000


class FallbackReason(StrEnum):
    """Why the stable revision was asked to answer instead of this pod."""

    ERROR = "error"
    """The model failed, or its answer could not be used."""
    UNREACHABLE = "unreachable"
    """Triton is not there."""
    SLOW = "slow"
    """The model took too long for this request, and answered others meanwhile."""
    HUNG = "hung"
    """The model took too long, and answered nobody meanwhile."""


def outcome_of(status: int) -> Outcome:
    """Return the outcome of an answered request from its HTTP status."""
    if status >= 500:
        return Outcome.ERROR
    # 304 was answered without the model, and so says as little about it as what never reached it.
    return Outcome.REJECTED if status >= 400 or status == 304 else Outcome.OK


@dataclass(slots=True)
class Counts:
    """Counts since the process started."""

    requests: dict[tuple[Via, Outcome], int]
    durations: dict[Via, list[int]]
    """Requests by latency bucket, not cumulative; the last one is above the last bound."""
    seconds: dict[Via, float]
    rescues: dict[FallbackReason, int]
    """Requests that stable answered, by why it was asked."""
    rescues_failed: dict[FallbackReason, int]
    """Requests that stable should have answered and did not."""

    @classmethod
    def zero(cls, bounds: Sequence[float]) -> "Counts":
        """Make counts in which every combination of labels exists: a series that appears late hides its first event."""
        return cls(
            requests={(via, outcome): 0 for via in Via for outcome in Outcome},
            durations={via: [0] * (len(bounds) + 1) for via in Via},
            seconds=dict.fromkeys(Via, 0.0),
            rescues=dict.fromkeys(FallbackReason, 0),
            rescues_failed=dict.fromkeys(FallbackReason, 0),
        )

    def copy(self) -> "Counts":
        """Copy deeply."""
        return Counts(
            dict(self.requests),
            {via: list(buckets) for via, buckets in self.durations.items()},
            dict(self.seconds),
            dict(self.rescues),
            dict(self.rescues_failed),
        )


class FrozenCounters:
    """Live counts and the frozen ones that are published.

    No timer is involved: whoever comes first after a multiple of the interval, a request or a scrape, freezes what was
    counted before it. The frozen counts are therefore exact however late the event loop runs.
    """

    def __init__(self, bounds: Sequence[float], interval: float, now_ns: int) -> None:
        """Start at zero.

        Args:
            bounds: Upper bounds of the latency buckets, in seconds, increasing.
            interval: The scrape interval in seconds.
            now_ns: Wall-clock time in nanoseconds since the epoch.
        """
        self.bounds: Final = tuple(bounds)
        self._interval_ns = round(interval * NANOSECONDS)
        self._live = Counts.zero(bounds)
        self._frozen = self._live.copy()
        self._stamp_ns = now_ns - now_ns % self._interval_ns
        self.started: Final = now_ns / NANOSECONDS
        """When counting began, in seconds since the epoch."""

    def record(self, via: Via, outcome: Outcome, seconds: float, now_ns: int) -> None:
        """Count one finished request.

        A rejected request and one answered from the cache are left out of the latencies: they are answered before they
        reach the model, and would make a slow model look faster the more its clients get wrong, or ask again. An error
        is above every bound: the answer that the client wanted never came, and a model that fails at once must not pass
        for fast. That holds whoever answered the client in the end, so that the colors stay comparable though only one
        of them can be rescued.

        Args:
            via: How it came.
            outcome: How it ended.
            seconds: How long it took.
            now_ns: Wall-clock time in nanoseconds since the epoch.
        """
        self._advance(now_ns)
        live = self._live
        live.requests[via, outcome] += 1
        if outcome in {Outcome.OK, Outcome.ERROR}:
            bucket = len(self.bounds) if outcome is Outcome.ERROR else bisect_left(self.bounds, seconds)
            live.durations[via][bucket] += 1
            live.seconds[via] += seconds

    def count_fallback(self, reason: FallbackReason, *, answered: bool, now_ns: int) -> None:
        """Count one request that needed stable's answer.

        Args:
            reason: Why.
            answered: Whether stable gave one.
            now_ns: Wall-clock time in nanoseconds since the epoch.
        """
        self._advance(now_ns)
        counts = self._live.rescues if answered else self._live.rescues_failed
        counts[reason] += 1

    def published(self, now_ns: int) -> tuple[float, Counts]:
        """Return the stamp in seconds since the epoch, and the counts as they stood then."""
        self._advance(now_ns)
        return self._stamp_ns / NANOSECONDS, self._frozen

    def _advance(self, now_ns: int) -> None:
        # Compared for being different, not greater: a clock that was set back must not stop the stamp until it has
        # caught up. The counts themselves never go back.
        elapsed = now_ns - self._stamp_ns
        if elapsed >= self._interval_ns or elapsed < 0:
            self._stamp_ns = now_ns - now_ns % self._interval_ns
            self._frozen = self._live.copy()
