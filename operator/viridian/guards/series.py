"""From the cumulative counters of pods to what happened between two moments.

Counters are read raw, per pod UID, and subtracted here: `increase()` extrapolates to the edges of its window and makes
fractions of requests. Every pod publishes its counters as they stood at the last wall-clock multiple of the scrape
interval, with that moment as a stamp; only a stamp that every live pod has reported is used. Otherwise a short incident
that hits both revisions shows on the one that happened to be scraped first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from viridian.guards.counts import Counts

_TELLING = 3
"""Samples of a pod that say how far its stamps are apart: of two, the one between may have been missed."""


@dataclass(frozen=True)
class RequestCounts:
    """Cumulative numbers of requests, or differences of such.

    Attributes:
        requests: Completed requests with outcome `ok` or `error`. Rejected ones (4xx) are the client's and in neither
            number.
        errors: Those of them with outcome `error`.
        hits: Requests that were answered from the cache, which is no answer of the model: in no other number, they only
            show that requests arrive.
        buckets: For each latency bound in seconds the number of requests that took at most so long; `math.inf` holds
            the number of all timed requests. May hold only the bounds that guards use; empty if no guard looks at
            latency.
    """

    requests: int = 0
    errors: int = 0
    buckets: Mapping[float, int] = field(default_factory=dict)
    hits: int = 0
    rejected: int = 0

    @property
    def answered(self) -> int:
        """Requests that came and were answered, by the model or from the cache."""
        return self.requests + self.hits

    def __add__(self, other: RequestCounts) -> RequestCounts:
        return RequestCounts(
            self.requests + other.requests,
            self.errors + other.errors,
            {le: self.buckets.get(le, 0) + other.buckets.get(le, 0) for le in {*self.buckets, *other.buckets}},
            self.hits + other.hits,
            self.rejected + other.rejected,
        )

    def __sub__(self, other: RequestCounts) -> RequestCounts:
        # Which bounds are read depends on the guards of all models in a query. One that was not read before says
        # nothing about the time since; only a tally that holds none at all stands for the beginning.
        known = self.buckets if not other.buckets else {le: n for le, n in self.buckets.items() if le in other.buckets}
        return RequestCounts(
            self.requests - other.requests,
            self.errors - other.errors,
            {le: count - other.buckets.get(le, 0) for le, count in known.items()},
            self.hits - other.hits,
            self.rejected - other.rejected,
        )

    @property
    def possible(self) -> bool:
        """Whether these can be counts of anything: none negative, no part larger than its whole."""
        by_bound = [self.buckets[le] for le in sorted(self.buckets)]
        ascending = all(a <= b for a, b in pairwise(by_bound))
        least = min((self.hits, self.rejected, *by_bound))
        return 0 <= self.errors <= self.requests and ascending and least >= 0

    def failed(self) -> Counts:
        """Requests, and those of them that failed."""
        return Counts(self.requests, self.errors)

    def refused(self) -> Counts:
        """Requests that arrived for the model, and those of them that were rejected."""
        return Counts(self.requests + self.rejected, self.rejected)

    def slow(self, bound: float) -> Counts:
        """Timed requests, and those of them that took longer than a bound of the grid.

        Raises:
            ValueError: If durations were counted, but not at this bound.
        """
        if not self.buckets:
            return Counts()
        if bound not in self.buckets or math.inf not in self.buckets:
            raise ValueError(f"the counters hold no bucket for {bound:g} s; they hold {sorted(self.buckets)}")
        total = self.buckets[math.inf]
        return Counts(total, total - self.buckets[bound])


@dataclass(frozen=True)
class PodCounters:
    """The counters of one pod at one moment.

    Attributes:
        stamp: Seconds since the epoch for which the numbers stand: a multiple of the scrape interval.
        comparable: Requests that were assigned at random (`split`) and reached the model.
        other: Requests whose clients chose this revision: `pin`. Alone they decide nothing.
        direct: Requests past the route. They count for absolute guards where there is no route, and else for none.
        rest: How many other requests of users were answered: rejected ones, those answered from the cache, and those by
            ways that no guard looks at.
        started: When the process began, in seconds since the epoch, if that is known.
        mirrored: Copies of stable's requests, which no user waits for: they count for absolute guards.
    """

    stamp: float
    comparable: RequestCounts = RequestCounts()
    other: RequestCounts = RequestCounts()
    direct: RequestCounts = RequestCounts()
    rest: int = 0
    started: float | None = None
    mirrored: RequestCounts = RequestCounts()

    def __sub__(self, before: PodCounters) -> PodCounters:
        """What was counted since `before`.

        A counter that fell means that the container restarted: then all of them began at zero, also those that have
        grown past their old value since, and the delta is the new value.
        """
        change = replace(
            self,
            comparable=self.comparable - before.comparable,
            other=self.other - before.other,
            direct=self.direct - before.direct,
            mirrored=self.mirrored - before.mirrored,
            rest=self.rest - before.rest,
        )
        return change if change.possible else self

    @property
    def possible(self) -> bool:
        """Whether these can be counts of anything."""
        return (
            all(tally.possible for tally in (self.comparable, self.other, self.direct, self.mirrored))
            and self.rest >= 0
        )


Pods = Mapping[str, Mapping[str, PodCounters]]


@dataclass(frozen=True)
class Snapshot:
    """The counters of all pods at one moment.

    Attributes:
        stamp: Seconds since the epoch. Pods with an older stamp of their own are gone or silent; their last counts are
            kept so that nothing is lost and nothing is counted twice should they come back.
        pods: For each revision the counters by pod UID.
    """

    stamp: float
    pods: Pods = field(default_factory=dict)

    def live(self, revision: str) -> frozenset[str]:
        """UIDs of the pods of a revision that have reported for this very moment."""
        return frozenset(uid for uid, pod in self.pods.get(revision, {}).items() if pod.stamp == self.stamp)

    def after(self, earlier: Snapshot) -> Snapshot:
        """This snapshot, with pods that have vanished since an earlier one kept at their last counts."""
        revisions = {*earlier.pods, *self.pods}
        return Snapshot(
            self.stamp, {name: {**earlier.pods.get(name, {}), **self.pods.get(name, {})} for name in revisions}
        )


@dataclass(frozen=True)
class Traffic:
    """What one revision did between two moments.

    Attributes:
        comparable: Requests that may be compared between revisions.
        unpinned: Those, copies of stable's requests, and without a route all that came through the Service: what no
            client sent here by choice.
        pinned: Requests whose clients chose this revision, by a header.
        answered: All requests of users that were answered, whether any guard looks at them or not.
        pods: The comparable ones of each pod.
    """

    comparable: RequestCounts = RequestCounts()
    unpinned: RequestCounts = RequestCounts()
    pinned: RequestCounts = RequestCounts()
    answered: int = 0
    pods: tuple[RequestCounts, ...] = ()


def delta(before: Snapshot, after: Snapshot, revision: str, routed: bool = True) -> Traffic:
    """What a revision did between two snapshots.

    A pod that is new starts from zero; one that has vanished adds nothing further; a counter that fell adds its new
    value. A pod that is old but was not in the earlier snapshot (its samples were missing) adds nothing yet: what it
    counted long ago did not happen now.

    Args:
        before: The earlier snapshot.
        after: The later one.
        revision: The name of the revision.
        routed: Whether a route brings users' requests. Without one they come past it, and count.
    """
    traffic = Traffic()
    known = before.pods.get(revision, {})
    for uid, pod in after.pods.get(revision, {}).items():
        if uid not in known and pod.started is not None and pod.started <= before.stamp:
            continue
        change = pod - known.get(uid, PodCounters(before.stamp))
        unpinned = change.comparable + change.mirrored + (RequestCounts() if routed else change.direct)
        answered = change.comparable.requests + change.other.requests + change.direct.requests + change.rest
        traffic = Traffic(
            traffic.comparable + change.comparable,
            traffic.unpinned + unpinned,
            traffic.pinned + change.other,
            traffic.answered + answered,
            (*traffic.pods, change.comparable),
        )
    return traffic


def align(
    samples: Mapping[str, Mapping[str, Sequence[PodCounters]]],
    interval: float,
    at: float | None = None,
    now: float = -math.inf,
) -> Snapshot | None:
    """Finds the latest moment for which every live pod has reported.

    Args:
        samples: For each revision and pod UID the last few samples, in any order; repeated stamps do no harm.
        interval: Seconds between two stamps, as it is meant to be. Pods that were made when it was another, or a
            Prometheus that is slower, are seen to have a longer one; then that is the interval.
        at: Read the counters as they stood at this stamp, as after a restart, instead of at the latest one.
        now: The time, in seconds since the epoch: pods that are three intervals behind are silent, even if no other pod
            says more. (A stamp may be one interval older than the scrape that it came with.)

    Returns:
        The counters at that moment, or None while there is none: then wait for the next scrape. A pod silent for more
        than two intervals is not waited for; it stays with its last counts. A pod whose first sample is later than the
        moment had counted nothing yet and is left out.
    """
    interval = _pace([series for pods in samples.values() for series in pods.values()], interval)
    history = {
        (revision, uid): _on_grid(series, interval)
        for revision, pods in samples.items()
        for uid, series in pods.items()
        if series
    }
    if not history:
        return None
    newest = max(max(series) for series in history.values())
    oldest = max(newest - 2 * interval, now - 3 * interval)
    alive = [series for series in history.values() if max(series) >= oldest]
    if at is None:
        at = _common_stamp(alive) if alive else None
        if at is None:
            return None
    pods: dict[str, dict[str, PodCounters]] = {revision: {} for revision in samples}
    for (revision, uid), series in history.items():
        reported = [stamp for stamp in series if stamp <= at]
        if reported:
            pods[revision][uid] = series[max(reported)]
    return Snapshot(at, pods)


def _pace(pods: Iterable[Sequence[PodCounters]], interval: float) -> float:
    """Seconds between two stamps as they come: those of the slowest pod of which three samples say how slow it is."""
    gaps = [interval]
    for series in pods:
        stamps = sorted({sample.stamp for sample in series})
        if len(series) >= _TELLING and len(stamps) > 1:
            gaps.append(min(later - earlier for earlier, later in pairwise(stamps)))
    return max(gaps)


def _on_grid(series: Iterable[PodCounters], interval: float) -> dict[float, PodCounters]:
    """The samples by the multiples of the interval at which they stood, or after which they stood first."""
    grid: dict[float, PodCounters] = {}
    for sample in sorted(series, key=lambda sample: sample.stamp, reverse=True):
        stamp = sample.stamp - sample.stamp % interval
        grid[stamp] = sample if sample.stamp == stamp else replace(sample, stamp=stamp)
    return grid


def _common_stamp(alive: Iterable[Mapping[float, PodCounters]]) -> float | None:
    """The latest stamp that each pod has reported, or that lies before its first."""
    alive = list(alive)
    latest = min(max(series) for series in alive)
    stamps = sorted({stamp for series in alive for stamp in series if stamp <= latest}, reverse=True)
    return next((t for t in stamps if all(t in series or t < min(series) for series in alive)), None)
