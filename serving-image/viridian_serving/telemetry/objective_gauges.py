"""The model's objectives as metrics, so that one set of alert rules fits every model."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from viridian_serving.settings.dynamic import ObjectiveSettings
from viridian_shared.counts.metric_names import IDENTITY
from viridian_shared.objectives import AVAILABILITY, COST_PER_1000, SLOW, slow_share


class ObjectiveGauges(Collector):
    """Renders the objectives; a bound of the latency as the label of the histogram's bucket, which rules join by."""

    def __init__(
        self, identity: Sequence[str], bounds: Sequence[float], objectives: Callable[[], ObjectiveSettings]
    ) -> None:
        """Take what stays, and the function that gives the objectives as they are now.

        Args:
            identity: Values of model_namespace, model, revision and pod_uid.
            bounds: Of the latency histogram, in seconds, increasing.
            objectives: The model's.
        """
        self._identity = tuple(identity)
        self._bounds = tuple(bounds)
        self._objectives = objectives

    def collect(self) -> Iterator[Metric]:
        """Render them."""
        objectives = self._objectives()
        available = GaugeMetricFamily(AVAILABILITY, "Share of requests that must be answered", labels=IDENTITY)
        available.add_metric(self._identity, objectives.availability)
        yield available
        slow = GaugeMetricFamily(SLOW, "Share of requests that may take longer than le", labels=(*IDENTITY, "le"))
        # Two percentiles may share a bucket: then the stricter one counts.
        shares: dict[float, float] = {}
        for percentile, seconds in objectives.latency.items():
            bound = self._bounds[min(bisect_left(self._bounds, seconds), len(self._bounds) - 1)]
            shares[bound] = min(slow_share(percentile), shares.get(bound, 1.0))
        for bound, share in shares.items():
            slow.add_metric((*self._identity, repr(bound)), share)
        yield slow
        if objectives.cost_per_1000 is not None:
            cost = GaugeMetricFamily(COST_PER_1000, "What 1,000 predictions may cost", labels=IDENTITY)
            cost.add_metric(self._identity, objectives.cost_per_1000)
            yield cost
