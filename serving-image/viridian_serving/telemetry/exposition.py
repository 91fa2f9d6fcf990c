"""The page that Prometheus scrapes."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from viridian_serving.contract.compatibility import Coverage
from viridian_serving.metrics.guard_counters import Counts, FallbackReason, FrozenCounters
from viridian_shared.counts.metric_names import DURATIONS, FALLBACK, IDENTITY, REQUESTS, STAMP, STARTED

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _GuardCollector(Collector):
    """Renders the frozen counters."""

    def __init__(self, counters: FrozenCounters, identity: Sequence[str], now_ns: Callable[[], int]) -> None:
        self._counters = counters
        self._identity = tuple(identity)
        self._now_ns = now_ns

    def collect(self) -> Iterator[Metric]:
        stamp, counts = self._counters.published(self._now_ns())
        yield self._requests(counts)
        yield self._durations(counts)
        yield self._rescues("viridian_rescues", "Requests answered by the stable revision instead", counts.rescues)
        yield self._rescues(
            "viridian_rescues_failed",
            "Requests that the stable revision should have answered and did not",
            counts.rescues_failed,
        )
        yield self._moment(STAMP, "at which the request counters of this page stood as shown", stamp)
        yield self._moment(STARTED, "at which they stood at zero", self._counters.started)

    def _moment(self, name: str, text: str, moment: float) -> Metric:
        family = GaugeMetricFamily(name, f"Wall-clock time {text}", labels=IDENTITY)
        family.add_metric(self._identity, moment)
        return family

    def _requests(self, counts: Counts) -> Metric:
        family = CounterMetricFamily(REQUESTS, "Finished inference requests", labels=(*IDENTITY, "via", "outcome"))
        for (via, outcome), number in counts.requests.items():
            family.add_metric((*self._identity, via.value, outcome.value), number)
        return family

    def _rescues(self, name: str, text: str, counts: Mapping[FallbackReason, int]) -> Metric:
        family = CounterMetricFamily(name, text, labels=(*IDENTITY, "reason"))
        for reason, number in counts.items():
            family.add_metric((*self._identity, reason.value), number)
        return family

    def _durations(self, counts: Counts) -> Metric:
        family = HistogramMetricFamily(
            DURATIONS,
            "Time from the whole request read to its answer, rejected requests left out",
            labels=(*IDENTITY, "via"),
        )
        names = [*map(repr, self._counters.bounds), "+Inf"]
        for via, buckets in counts.durations.items():
            cumulative = list(zip(names, accumulate(buckets), strict=True))
            family.add_metric((*self._identity, via.value), cumulative, counts.seconds[via])
        return family


class FallbackGauge(Collector):
    """Tells whether stable can answer instead of this pod, and why not; always by exactly one series."""

    def __init__(self, identity: Sequence[str], covered: Callable[[], Coverage]) -> None:
        """Take the labels of this pod, and the function that tells it."""
        self._identity = tuple(identity)
        self._covered = covered

    def collect(self) -> Iterator[Metric]:
        """Render it."""
        covered = self._covered()
        family = GaugeMetricFamily(
            FALLBACK,
            "Whether the stable revision can answer what this pod's model fails",
            labels=(*IDENTITY, "covers", "reason"),
        )
        family.add_metric((*self._identity, covered.covers.value, covered.reason), float(covered.predict))
        yield family


class LiveGauges(Collector):
    """Numbers of this very moment, for people and dashboards; guards never read them."""

    def __init__(self, read: Callable[[], dict[str, tuple[str, float]]]) -> None:
        """Take the function that gives, by metric name, the help text and the value."""
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Render each of them."""
        for name, (text, value) in self._read().items():
            yield (
                CounterMetricFamily(name, text, value=value)
                if name.endswith("_total")
                else GaugeMetricFamily(name, text, value=value)
            )


def build_registry(
    counters: FrozenCounters,
    identity: Sequence[str],
    others: Iterable[Collector],
    now_ns: Callable[[], int] = time.time_ns,
) -> CollectorRegistry:
    """Put everything on one page.

    Args:
        counters: The guard counters.
        identity: Values of model_namespace, model, revision and pod_uid.
        others: What no guard reads.
        now_ns: Wall-clock time in nanoseconds since the epoch.

    Returns:
        The registry to render.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_GuardCollector(counters, identity, now_ns))
    for other in others:
        registry.register(other)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """Render the page in Prometheus' text format."""
    return generate_latest(registry)
