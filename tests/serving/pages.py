"""What a Prometheus would read of families of metrics."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


def samples(families: Callable[[], Iterable[Metric]], *labels: str) -> dict[tuple[str, ...], float]:
    """Values by name and by the values of those of these labels that there are."""

    class Page(Collector):
        def collect(self) -> Iterable[Metric]:
            return families()

    registry = CollectorRegistry()
    registry.register(Page())
    return {
        (sample.name, *(sample.labels[label] for label in labels if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }
