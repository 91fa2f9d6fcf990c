"""The operator's metrics. What happens is counted by its hooks, and what is true at a scrape is asked for then.

Nothing here can fail for a reason that lies in a model, so that no hook holds up what it is called from.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.kube.errors import Conflict, KubeError, NotLeading, Refused, Unavailable
from viridian.metrics.connection import MetricsError, QueryRefused, TooLarge, Unanswered
from viridian.rollout.reporting.notices import finished
from viridian_shared import __version__

from .credentials import ACCOUNT, CredentialsExpiry
from .drills import drill_series
from .figures import MOST_COLORS, LeaderFigures, shown

_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_REVERT = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_WRITES = {Conflict: "conflict", Refused: "refused", Unavailable: "unavailable", NotLeading: "not-leading"}
_QUERIES = {TooLarge: "too-large", QueryRefused: "refused", Unanswered: "unanswered"}


class OperatorMetrics:
    """All metrics of one process, in their own registry."""

    def __init__(self, figures: Callable[[], LeaderFigures | None], account: Path = ACCOUNT) -> None:
        """Begin at zero; `figures` is asked at each scrape, and answers None where another operator leads.

        `account` is the folder with the files of the operator's ServiceAccount.
        """
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("viridian_operator", "The operator's version", registry=registry).info({"version": __version__})
        registry.register(_Figures(figures))
        registry.register(CredentialsExpiry(account))
        self._ended = Counter(
            "viridian_operator_rollouts_ended",
            "Rollouts that entered a history",
            ["result", "reason"],
            registry=registry,
        )
        self._revert = Histogram(
            "viridian_operator_revert_seconds",
            "From the scrape that completed the evidence until all traffic was on stable",
            registry=registry,
            buckets=_REVERT,
        )
        self._reconcile = _durations(registry, "reconcile", "Passes over one model", "result")
        self._tick = _durations(registry, "tick", "Ticks, which evaluate the guards of all moving models", "result")
        self._query = _durations(registry, "prometheus_query", "Queries to Prometheus", "purpose", "result")
        self._writes = Counter(
            "viridian_operator_api_writes",
            "Writes to the Kubernetes API, after their repetitions",
            ["verb", "result"],
            registry=registry,
        )
        self._restarts = Counter(
            "viridian_operator_watch_restarts", "Watches that ended with an error", ["kind"], registry=registry
        )
        self._notifications = Counter(
            "viridian_operator_notifications", "Notifications, by what became of them", ["result"], registry=registry
        )
        for result in ("sent", "retried", "failed", "dropped", "denied"):
            self._notifications.labels(result)

    def turned(self, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> None:
        """A status was written: count a rollout that ended, and how fast a bad candidate was rolled back."""
        if (entry := finished(before, after)) is not None:
            ending = before.ending or after.ending
            self._ended.labels(entry.result, ending.reason if ending is not None else entry.result).inc()
        ending = after.ending
        if before.ending is None and ending is not None and ending.evidence_at and ending.reverted_at:
            self._revert.observe(max(0.0, (ending.reverted_at - ending.evidence_at).total_seconds()))

    def reconciled(self, seconds: float, result: str) -> None:
        """A pass over a model ended: `ok`, `api-error` or `error`."""
        self._reconcile.labels(result).observe(seconds)

    def ticked(self, seconds: float, went_well: bool) -> None:
        """A tick ended."""
        self._tick.labels("ok" if went_well else "error").observe(seconds)

    def asked(self, purpose: str) -> Callable[[float, MetricsError | None], None]:
        """Return the hook for queries of one purpose, such as `guards`."""

        def count(seconds: float, error: MetricsError | None) -> None:
            result = "ok" if error is None else _QUERIES.get(type(error), "partial")
            self._query.labels(purpose, result).observe(seconds)

        return count

    def wrote(self, method: str, error: KubeError | None) -> None:
        """A write to the Kubernetes API was carried out, or not."""
        result = "ok" if error is None else _WRITES.get(type(error), "other")
        self._writes.labels(_VERBS.get(method, method.lower()), result).inc()

    def restarted(self, plural: str) -> None:
        """A watch ended with an error."""
        self._restarts.labels(plural).inc()

    def notified(self, result: str) -> None:
        """Something became of a notification."""
        self._notifications.labels(result).inc()


class _Figures(Collector):
    """The gauges, read when Prometheus asks."""

    def __init__(self, figures: Callable[[], LeaderFigures | None]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        yield _gauge("leader", "Whether this operator leads", float(figures is not None))
        if figures is None:
            return
        phases = _family("models", "Models by phase", "phase")
        for phase in Phase:
            phases.add_metric([phase], figures.phases.get(phase, 0))
        yield phases
        yield _gauge("queue_depth", "Models that wait for a pass", figures.queue_depth)
        yield _gauge("queue_oldest_seconds", "How long the oldest of them has waited", figures.queue_oldest)
        yield _gauge("tick_age_seconds", "Time since a tick last ended", figures.tick_age)
        yield _gauge("notifications_waiting", "Notifications that wait to be delivered", figures.notifications_waiting)
        yield from _evidence(figures)
        yield _failed_fetches(figures)
        yield from drill_series(figures.drills)
        yield from _costs(figures)


def _evidence(figures: LeaderFigures) -> Iterator[Metric]:
    labels = ("model_namespace", "model", "revision", "guard", "kind")
    evidence = _family("evidence", "Evidence against a candidate", *labels)
    threshold = _family("evidence_threshold", "Evidence at which a candidate is rolled back", *labels)
    models, omitted = shown(figures.judged)
    for key, revision, judgements in models:
        for judgement in judgements:
            values = [*key, revision, judgement.guard, judgement.kind]
            evidence.add_metric(values, judgement.e_value)
            threshold.add_metric(values, judgement.threshold)
    yield evidence
    yield threshold
    yield _gauge("evidence_omitted_models", "Moving models without series of evidence", omitted)


def _failed_fetches(figures: LeaderFigures) -> Metric:
    family = _family(
        "fetch_failing_pods", "Pods whose model could not be fetched", "model_namespace", "model", "reason"
    )
    for key, failures in figures.failed_fetches.items():
        for reason, number in failures.items():
            family.add_metric([*key, reason], number)
    return family


def _costs(figures: LeaderFigures) -> Iterator[Metric]:
    """What pods reserve and cost; an installation without prices has none of it."""
    if not figures.costs:
        return
    labels = ("model_namespace", "model", "revision", "version", "color")
    cpu = _family("requested_cpu_cores", "CPU that the pods of a color request", *labels)
    memory = _family("requested_memory_bytes", "Memory that the pods of a color request", *labels)
    gpus = _family("requested_gpus", "GPUs that the pods of a color request", *labels)
    cost = _family("cost_per_hour", "What the pods of a color cost", *labels, "currency")
    for each in figures.costs[:MOST_COLORS]:
        values = [*each.key, each.revision, each.version, each.color]
        cpu.add_metric(values, each.cpu)
        memory.add_metric(values, each.memory)
        if each.gpus:
            gpus.add_metric(values, each.gpus)
        cost.add_metric([*values, figures.currency], each.per_hour)
    yield from (cpu, memory, gpus, cost)
    omitted = max(0, len(figures.costs) - MOST_COLORS)
    yield _gauge("cost_omitted_colors", "Colors with pods whose cost is not shown", omitted)


def _durations(registry: CollectorRegistry, what: str, help_text: str, *labels: str) -> Histogram:
    return Histogram(f"viridian_operator_{what}_seconds", help_text, labels, registry=registry, buckets=_SHORT)


def _family(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"viridian_operator_{name}", help_text, labels=labels)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"viridian_operator_{name}", help_text, value=value)
