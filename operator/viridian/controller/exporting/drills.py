"""Metrics of drills. Their names have no `operator`: they are about models."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from viridian.api.model_key import ModelKey
from viridian.rollout.drills.figures import DrillFigures

_MODEL = ("model_namespace", "model")


def drill_series(drills: Iterable[tuple[ModelKey, DrillFigures]]) -> Iterator[Metric]:
    """Yield the gauges of all models that have to do with drills.

    Args:
        drills: by namespace and name.
    """
    seconds = _family("seconds", "From the last drill's first bad answer until all traffic was on stable", "kind")
    result = _family("result", "How the last drill ended, as a label", "kind", "result")
    ended = _family("last_timestamp_seconds", "When the last drill ended")
    passed = _family("last_success_timestamp_seconds", "When a drill last passed")
    objective = _family("objective_seconds", "Longest time to safe that passes, of models with spec.drill")
    since = _family("scheduled_timestamp_seconds", "Since when drills are scheduled, of models with spec.drill")
    twin = _family("twin", "Models that are twins of a drill, which alerts leave out")
    for key, figures in drills:
        if figures.is_twin:
            twin.add_metric(key, 1)
            continue
        if figures.seconds is not None:
            seconds.add_metric([*key, figures.kind], figures.seconds)
        if figures.result:
            result.add_metric([*key, figures.kind, figures.result], 1)
            ended.add_metric(key, figures.ended_at)
        if figures.passed_at is not None:
            passed.add_metric(key, figures.passed_at)
        if figures.objective is not None:
            objective.add_metric(key, figures.objective)
        if figures.since is not None:
            since.add_metric(key, figures.since)
    yield from (seconds, result, ended, passed, objective, since, twin)


def _family(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"viridian_drill_{name}", help_text, labels=(*_MODEL, *labels))
