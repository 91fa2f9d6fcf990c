"""Raw counters of many models by one query.

A range selector in an instant query returns the samples as they were scraped, with their own times: nothing is
extrapolated, nothing old is passed off as new.
"""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from viridian.api.model_key import ModelKey
from viridian.guards.series import PodCounters, RequestCounts
from viridian_shared.counts.metric_names import DURATIONS, FAILURES, FALLBACK, IDENTITY, REQUESTS, STAMP, STARTED
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import JUDGED, USERLESS, Via
from viridian_shared.pod import ports

from .batches import Batches
from .connection import MOST_SERIES, Connection, MetricsError, TooLarge
from .said import SAID, Failure, Fallback, Said

SCRAPES = 6
"""Scrapes that one query looks back over: enough to find a moment that all pods have reported."""
SERIES = ("__name__", *IDENTITY, "via", "outcome", "le")
"""The labels that make a series one of a kind, whoever scraped it."""

BUCKETS = f"{DURATIONS}_bucket"
NAMES = (REQUESTS, BUCKETS, STAMP, STARTED, FALLBACK, FAILURES)
"""The series that are asked for."""

_COUNTED = (*JUDGED, Via.MIRROR)
"""Requests that guards look at; of these, no user waits for mirrored ones."""

T = TypeVar("T")

LARGEST = 2.0**53
"""Above it a sample is no exact whole number any more, and no count of anything that happened."""


@dataclass(frozen=True)
class PodSamples:
    """The last samples of one pod; `answered` counts all users' requests, `scraped_at` is when it was last scraped.

    All of them are from whole scrapes. `fallback` is what stable can answer for it, None where the pod does not
    say; `failures` is what its requests failed with.
    """

    counters: tuple[PodCounters, ...]
    answered: int
    scraped_at: float
    fallback: Fallback | None = None
    failures: tuple[Failure, ...] = ()


@dataclass
class _Scrape:
    """The series of one pod in one scrape, while they are being gathered."""

    series: int = 0
    stamp: float | None = None
    started: float | None = None
    answered: int = 0
    outcomes: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    buckets: dict[str, dict[float, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def counters(self) -> PodCounters | None:
        """The counters, unless the scrape lacks its stamp."""
        if self.stamp is None:
            return None
        comparable, other, direct, mirrored = (
            _request_counts(self.outcomes[via], self.buckets[via]) for via in _COUNTED
        )
        rest = self.answered - comparable.requests - other.requests - direct.requests
        return PodCounters(self.stamp, comparable, other, direct, rest, self.started, mirrored)


class Twice(Exception):
    """Two series of one pod speak of the same time."""


@dataclass
class _Pod:
    """What an answer holds of one pod, while it is being gathered."""

    spans: dict[tuple[str, ...], list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    scrapes: dict[float, _Scrape] = field(default_factory=lambda: defaultdict(_Scrape))
    said: Said = field(default_factory=Said)

    def add(self, labels: Mapping[str, str], values: Sequence[tuple[float, str]]) -> None:
        """Add one series. The same one may go on under other labels of its target, such as another address.

        Raises:
            Twice: it is there already, at the same time.
        """
        if labels["__name__"] in SAID:
            return self.said.add(labels, values)
        if len(values) == 0:
            return
        begin, end = float(values[0][0]), float(values[-1][0])
        spans = self.spans[tuple(labels.get(name, "") for name in SERIES)]
        if any(begin <= until and since <= end for since, until in spans):
            raise Twice
        spans.append((begin, end))
        for time, value in values:
            _add(self.scrapes[float(time)], labels, float(value))

    def samples(self) -> PodSamples | None:
        """What its whole scrapes hold, if there are any.

        A pod has the same series from its start, but servers that are written to from afar show those of a scrape one
        after the other, and one that is not there yet would pass for a counter that fell. A page that really lost a
        series is whole again when that one's last sample has left the window.
        """
        whole = {time: scrape for time, scrape in sorted(self.scrapes.items()) if scrape.series == len(self.spans)}
        counters = tuple(c for scrape in whole.values() if (c := scrape.counters()) is not None)
        if not counters:
            return None
        last = max(whole)
        return PodSamples(counters, whole[last].answered, last, self.said.fallback(), self.said.failures(last))


Samples = Mapping[str, Mapping[str, PodSamples]]
"""For each revision and pod UID the last samples."""


class Prometheus:
    """A Prometheus server that scrapes the serving pods."""

    def __init__(self, connection: Connection, interval: timedelta) -> None:
        """Ask through `connection`; `interval` is the time between two scrapes."""
        self._interval = interval.total_seconds()
        self._connection = connection
        self._batches = Batches[ModelKey, Samples]()

    async def read(
        self, keys: Collection[ModelKey], bounds: Sequence[float], at: float | None = None, back: float = 0.0
    ) -> dict[ModelKey, Samples | MetricsError]:
        """Read the last samples of the given models.

        One whose counters cannot be trusted, or which Prometheus refuses to read, gets its error instead.

        Args:
            keys: the models; asked for in batches.
            bounds: latency bounds that some guard needs, in seconds.
            at: read as of this moment (seconds since the epoch) rather than now.
            back: seconds to look back further than a few scrapes.

        Raises:
            MetricsError: Prometheus does not answer at all.
        """
        time = {} if at is None else {"time": f"{at:.3f}"}

        async def ask(batch: Sequence[ModelKey]) -> dict[ModelKey, Samples | MetricsError]:
            query = build_query(batch, bounds, SCRAPES * self._interval + back)
            try:
                return await self._connection.ask(query, time, partial(gather, keys=frozenset(batch)))
            except TooLarge as error:
                large = {key: _too_large(key, error) for key in await self._largest(batch, bounds, time)}
                rest = [key for key in batch if key not in large]
                if not large:
                    raise  # only together
                return {**large, **(await ask(rest) if rest else {})}

        if at is None:
            return await self._batches.read(sorted(set(keys)), ask)
        # What is refused of another time, and of some models only, says nothing about the next reading. Those that are
        # refused as of now are not looked for again in the past.
        known = {key: error for key, error in self._batches.refused.items() if key in keys}
        return {**known, **await Batches[ModelKey, Samples]().read(sorted({*keys} - {*known}), ask)}

    async def _largest(
        self, batch: Sequence[ModelKey], bounds: Sequence[float], time: Mapping[str, str]
    ) -> Sequence[ModelKey]:
        """The models of a batch that are too large by themselves. Counting is cheap, and halving would take long."""
        if len(batch) == 1:
            return batch
        counts = f"count by (model_namespace, model) ({{{_selector(batch, bounds)}}}) > {MOST_SERIES}"
        return await self._connection.ask(counts, time, partial(_named, keys=frozenset(batch)))


def trusted(found: T | MetricsError) -> T:
    """What was found of a model.

    Raises:
        MetricsError: it is an error instead.
    """
    if isinstance(found, MetricsError):
        raise found
    return found


def _too_large(key: ModelKey, error: TooLarge) -> TooLarge:
    """The same in the words of one model."""
    return TooLarge(
        f"the pods of {'/'.join(key)} have more series than a model may have: {error}. Check what their port"
        f" {ports.METRICS} says; a pod of Viridian's own serving image has about fifty that are asked for"
    )


def build_query(keys: Sequence[ModelKey], bounds: Sequence[float], window: float) -> str:
    """The one query for a batch: raw samples of all that is asked for, with the latency buckets that are needed.

    Args:
        keys: the models.
        bounds: the latency bounds, in seconds.
        window: seconds to look back over.
    """
    return f"{{{_selector(keys, bounds)}}}[{math.ceil(window)}s]"


def _selector(keys: Sequence[ModelKey], bounds: Sequence[float]) -> str:
    names = "|".join(NAMES)
    namespaces = "|".join(sorted({namespace for namespace, _ in keys}))
    models = "|".join(sorted({name for _, name in keys}))
    # An empty alternative keeps the series that have no such label.
    les = "|".join(["", r"\+Inf", *sorted({re.escape(text) for bound in bounds for text in _spellings(bound)})])
    return f"__name__=~`{names}`,model_namespace=~`{namespaces}`,model=~`{models}`,le=~`{les}`"


def _named(result: Iterable[dict[str, Any]], keys: frozenset[ModelKey]) -> list[ModelKey]:
    """The models that the labels of an answer name, of those that were asked for."""
    labels = (one.get("metric") or {} for one in result)
    named = ((each.get("model_namespace", ""), each.get("model", "")) for each in labels)
    return [key for key in named if key in keys]


def gather(series: Iterable[dict[str, Any]], keys: frozenset[ModelKey]) -> dict[ModelKey, Samples | MetricsError]:
    """Put the series of an answer together, by model, revision and pod.

    A model with a series that came twice, as it does when two jobs scrape the same pod, or that holds no numbers, gets
    its own error: it must not blind the guards of the others.
    """
    by_model: dict[ModelKey, list[dict[str, Any]]] = defaultdict(list)
    try:
        for one in series:
            key = (one["metric"].get("model_namespace", ""), one["metric"].get("model", ""))
            if key in keys:
                by_model[key].append(one)
    except (KeyError, TypeError, AttributeError) as error:
        raise MetricsError("Prometheus answered with something other than series: check prometheus.url") from error
    found: dict[ModelKey, Samples | MetricsError] = {}
    for key, own in by_model.items():
        try:
            samples = _gather_model(key, own)
        except MetricsError as error:
            found[key] = error
        else:
            if samples:
                found[key] = samples
    return found


def _gather_model(key: ModelKey, series: Iterable[dict[str, Any]]) -> Samples:
    pods: dict[tuple[str, str], _Pod] = defaultdict(_Pod)
    for one in series:
        labels = one["metric"]
        try:
            pods[labels.get("revision", ""), labels.get("pod_uid", "")].add(labels, one["values"])
        except Twice as error:
            raise MetricsError(
                f"Prometheus has the counters of pod {labels.get('pod_uid')} of {'/'.join(key)} twice:"
                " scrape it by one job, not two"
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise MetricsError(
                f"Prometheus has counters of pod {labels.get('pod_uid')} of {'/'.join(key)} that are none"
                f" ({labels.get('__name__')}: {error}): look at what the pod's port {ports.METRICS} says"
            ) from error
    found: dict[str, dict[str, PodSamples]] = defaultdict(dict)
    for (revision, uid), pod in pods.items():
        if (samples := pod.samples()) is not None:
            found[revision][uid] = samples
    return dict(found)


def _add(scrape: _Scrape, labels: Mapping[str, str], value: float) -> None:
    if not 0 <= value <= LARGEST:
        raise ValueError(f"{value:g} is no count")
    name, via = labels["__name__"], labels.get("via", "")
    scrape.series += 1
    if name == STAMP:
        scrape.stamp = value
    elif name == STARTED:
        scrape.started = value
    elif name == REQUESTS:
        scrape.answered += 0 if via in USERLESS else int(value)
        if via in _COUNTED:
            scrape.outcomes[via][labels.get("outcome", "")] += int(value)
    elif via in _COUNTED:
        scrape.buckets[via][float(labels["le"])] += int(value)


def _request_counts(outcomes: Mapping[str, int], buckets: Mapping[float, int]) -> RequestCounts:
    errors = outcomes.get(Outcome.ERROR, 0)
    return RequestCounts(
        outcomes.get(Outcome.OK, 0) + errors,
        errors,
        dict(buckets),
        hits=outcomes.get(Outcome.CACHED, 0),
        rejected=outcomes.get(Outcome.REJECTED, 0),
    )


def _spellings(bound: float) -> set[str]:
    """Exporters write a whole number with or without its fraction."""
    return {f"{bound:g}", repr(float(bound))}
