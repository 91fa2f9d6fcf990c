"""What models are asked and what they answer, in numbers that stay few whatever comes."""

import math
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from viridian_serving.contract.baseline_file import Baseline
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.feature_metadata import Feature, FeatureMetadata, confidence_of, label_of
from viridian_serving.inference.model import NOT_FINITE as NOT_FINITE_CAUSE
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.metrics.histograms import DECADES, SHARES, Histogram, evenly
from viridian_serving.telemetry.drift_counts import DriftCounts
from viridian_shared.counts.metric_names import ANSWERED, CONFIDENCE, NOT_FINITE, PREDICTIONS, VALUES
from viridian_shared.counts.via import USERLESS, Via

MAX_LABELS: Final = 20
"""Labels that are told apart; each is a series for every way in which requests come."""
_LONGEST_LABEL: Final = 64
_OTHER: Final = "other"


@dataclass(slots=True, eq=False)
class _TrackedFeature:
    """One feature and its numbers."""

    feature: Feature
    values: Histogram
    below: int = 0
    above: int = 0

    def observe(self, values: Sequence[float]) -> None:
        if self.feature.nullable:
            values = [value for value in values if not math.isnan(value)]
        self.values.observe_all(values)
        if (low := self.feature.low) is not None:
            self.below += sum(value < low for value in values)
        if (high := self.feature.high) is not None:
            self.above += sum(value > high for value in values)


class ModelMetrics:
    """Counts since the model was loaded."""

    def __init__(self, contract: Contract, metadata: FeatureMetadata, baseline: Baseline | None = None) -> None:
        """Start at zero.

        Args:
            contract: What the API takes and gives.
            metadata: What is known about it.
            baseline: The one that lies beside the model, where there is one.
        """
        self._drift = DriftCounts(contract, baseline) if baseline is not None else None
        self._inputs = [(slot.tensor.datatype.value, slot.width) for slot in contract.slots]
        self._features = [_TrackedFeature(feature, Histogram(_bounds(feature))) for feature in metadata.features]
        self._labels = {label: dict.fromkeys(Via, 0) for label in (*metadata.labels[:MAX_LABELS], _OTHER)}
        # By way, so that revisions are compared on the requests that were assigned at random.
        self._confidence = {via: Histogram(SHARES) for via in Via if via not in USERLESS}
        self._values = {via: Histogram(DECADES) for via in Via if via not in USERLESS}
        self._not_finite = dict.fromkeys(Via, 0)
        self._answered = {via: 0 for via in Via if via not in USERLESS}

    def observe(self, requests: Sequence[RequestContext]) -> None:
        """Record what was answered.

        Args:
            requests: Each with its instances and predictions. Of those of the inference protocol, whose tensors have no
                meaning here, only the instances are counted.
        """
        for context in requests:
            if context.failure is not None and context.failure.cause.endswith(NOT_FINITE_CAUSE):
                self._not_finite[context.via] += 1
            if context.via not in USERLESS:
                self._answered[context.via] += context.answered_instances
        of_users = [context for context in requests if context.predictions and context.via not in USERLESS]
        if not of_users:
            return
        self._observe_inputs(of_users)
        if self._drift is not None:
            self._drift.observe(of_users)
        for via in {context.via for context in of_users}:
            predictions = [each for context in of_users if context.via is via for each in context.predictions]
            confidences = [confidence_of(each) for each in predictions]
            self._confidence[via].observe_all([each for each in confidences if each is not None])
            numbers = [each.get("prediction") for each in predictions]
            self._values[via].observe_all([number for number in numbers if isinstance(number, float)])
        labels = Counter(
            (label_of(prediction), context.via) for context in of_users for prediction in context.predictions
        )
        for (label, via), number in labels.items():
            if label is not None:
                self._ways(label)[via] += number

    def families(self, names: Sequence[str], identity: Sequence[str]) -> Iterator[Metric]:
        """Render them.

        Args:
            names: The labels that every series has.
            identity: Their values.
        """
        labels = CounterMetricFamily(
            PREDICTIONS.removesuffix("_total"), "Predicted labels", labels=(*names, "via", "class")
        )
        for label, ways in self._labels.items():
            for via, number in ways.items():
                labels.add_metric((*identity, via.value, label), number)
        yield labels
        by_way = (*names, "via")
        answered = CounterMetricFamily(
            ANSWERED.removesuffix("_total"), "Predictions that users got, of whatever kind", labels=by_way
        )
        for via, number in self._answered.items():
            answered.add_metric((*identity, via.value), number)
        yield answered
        for name, text, histograms in (
            (CONFIDENCE, "Confidence of predictions", self._confidence),
            (VALUES, "Predicted numbers", self._values),
        ):
            yield rendered(name, text, by_way, {(*identity, via.value): each for via, each in histograms.items()})
        not_finite = CounterMetricFamily(
            NOT_FINITE.removesuffix("_total"), "Requests whose prediction held NaN or an infinite number", labels=by_way
        )
        for via, number in self._not_finite.items():
            not_finite.add_metric((*identity, via.value), number)
        yield not_finite
        watched = {(*identity, each.feature.name): each for each in self._features}
        yield rendered(
            "viridian_feature_value",
            "Values of numeric features",
            (*names, "feature"),
            {values: each.values for values, each in watched.items()},
        )
        outside = CounterMetricFamily(
            "viridian_feature_out_of_range",
            "Values of numeric features outside their expected range",
            labels=(*names, "feature", "side"),
        )
        for values, each in watched.items():
            if each.feature.low is not None:
                outside.add_metric((*values, "below"), each.below)
            if each.feature.high is not None:
                outside.add_metric((*values, "above"), each.above)
        yield outside
        if self._drift is not None:
            yield from self._drift.families(names, identity)

    def _observe_inputs(self, requests: Sequence[RequestContext]) -> None:
        columns: dict[int, Any] = {}
        for watched in self._features:
            position = watched.feature.tensor
            code, elements = self._inputs[position]
            if position not in columns:
                # All instances of all requests at once: to unpack each would cost more than what is counted.
                raw = b"".join(part.tensors[position] for context in requests for part in context.instances)
                columns[position] = _elements(code, raw)
            watched.observe(list(columns[position][watched.feature.element :: elements]))

    def _ways(self, label: str) -> dict[Via, int]:
        label = label[:_LONGEST_LABEL]
        if label not in self._labels and len(self._labels) > MAX_LABELS:
            label = _OTHER
        return self._labels.setdefault(label, dict.fromkeys(Via, 0))


def _elements(code: str, raw: bytes) -> Any:  # noqa: ANN401  what can be sliced
    """Read elements without making an object of each: an image has 150 thousand, of which a few are looked at."""
    if code == "e":  # which a view does not know
        return struct.unpack(f"<{len(raw) // 2}e", raw)
    return memoryview(raw).cast(code)  # type: ignore[call-overload]


def rendered(name: str, text: str, names: Sequence[str], histograms: dict[Any, Histogram]) -> Metric:
    """Render histograms of one name.

    Args:
        name: The metric's.
        text: Its help.
        names: Its labels.
        histograms: By their labels' values.
    """
    family = HistogramMetricFamily(name, text, labels=names)
    for values, histogram in histograms.items():
        family.add_metric(values, histogram.cumulative(), histogram.total)
    return family


def _bounds(feature: Feature) -> tuple[float, ...]:
    if feature.low is None or feature.high is None or not feature.low < feature.high:
        return DECADES
    return evenly(feature.low, feature.high)
