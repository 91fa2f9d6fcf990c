"""What is counted of instances and predictions."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.contexts import context_of
from tests.serving.contract.test_schema_file import contract_of
from tests.serving.pages import samples

from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.feature_metadata import (
    MAX_FEATURES,
    Feature,
    FeatureMetadata,
    confidence_of,
    feature_metadata,
    label_of,
)
from viridian_serving.http1.messages import Request, Response
from viridian_serving.inference.model import NOT_FINITE
from viridian_serving.inference.request_context import Failure, RequestContext
from viridian_serving.metrics.histograms import DECADES, Histogram, evenly
from viridian_serving.metrics.response_counts import ResponseCounts, Route
from viridian_serving.telemetry.model_metrics import MAX_LABELS, ModelMetrics
from viridian_shared.counts.via import Via

AGE = Tensor("age", DataType.INT64, ())
PIXELS = Tensor("X", DataType.FP32, (2, 2))
SCHEMA = ModelSchema((AGE, PIXELS), (Tensor("y", DataType.FP32, (1,)),), 8)
FEATURES = (Feature("age", 0, 0, low=0, high=100), Feature("X[3]", 1, 3))


def instance(age: int, *pixels: float) -> Encoded:
    return Encoded(((), (2, 2)), 1, (struct.pack("<q", age), struct.pack("<4f", *pixels)))


def seen_of(via: Via, **known: Any) -> RequestContext:
    return context_of(Request(b"POST", b"/predict", {}, b"", 0.0), "id", via, 0, **{"answered_by": "model", **known})


def context(via: Via = Via.SPLIT, *, instances: list[Encoded] | None = None, **prediction: Any) -> RequestContext:
    return seen_of(via, instances=instances or [instance(1, 0, 0, 0, 0)], predictions=[prediction])


class Watch:
    def __init__(self, **known: Any) -> None:
        self.observations = ModelMetrics(Contract.derived(SCHEMA), FeatureMetadata(FEATURES, **known))

    def page(self) -> dict[tuple[str, ...], float]:
        return samples(lambda: self.observations.families(("model",), ("m",)), "via", "feature", "class", "side", "le")

    def nonzero(self, name: str) -> dict[tuple[str, ...], float]:
        return {key[1:]: value for key, value in self.page().items() if key[0] == name and value}


# -- histograms


@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from(DECADES)))
def test_many_at_once_are_counted_as_one_by_one(values: list[float]) -> None:
    # given
    one, many = Histogram(DECADES), Histogram(DECADES)
    # when
    for value in values:
        one.observe(value)
    many.observe_all(values)
    # then
    assert one.counts == many.counts
    assert one.total == pytest.approx(many.total)


def test_a_range_is_divided_evenly_and_ends_where_it_ends() -> None:
    bounds = evenly(0.1, 0.7)
    assert (len(bounds), bounds[0], bounds[-1]) == (11, 0.1, 0.7)


# -- features


def test_features_are_told_from_each_other() -> None:
    # given two requests, one of them of two instances that are one piece
    watch = Watch()
    joined = Encoded(((), (2, 2)), 2, (struct.pack("<2q", 7, 150), struct.pack("<8f", *range(8))))
    # when
    watch.observations.observe([context(instances=[joined]), context(instances=[instance(-1, 0, 0, 0, 2000)])])
    # then
    assert watch.nonzero("viridian_feature_value_sum") == {("age",): 156}
    buckets = watch.nonzero("viridian_feature_value_bucket")
    assert [buckets["age", le] for le in ("0.0", "10.0", "100.0", "+Inf")] == [1, 2, 2, 3]
    assert [buckets["X[3]", le] for le in ("10.0", "1000.0", "10000.0", "+Inf")] == [2, 2, 3, 3]
    assert watch.nonzero("viridian_feature_out_of_range_total") == {("age", "below"): 1, ("age", "above"): 1}


def test_a_range_gives_its_own_buckets_and_everything_else_decades() -> None:
    buckets = [key[1:] for key in Watch().page() if key[0] == "viridian_feature_value_bucket"]
    assert [le for feature, le in buckets if feature == "age"] == [*(f"{10.0 * i}" for i in range(11)), "+Inf"]
    assert len([le for feature, le in buckets if feature == "X[3]"]) == len(DECADES) + 1


def test_every_series_is_there_at_zero() -> None:
    page = Watch(labels=("cat",)).page()
    assert not any(page.values())
    assert ("viridian_feature_out_of_range_total", "age", "above") in page
    assert ("viridian_predictions_total", "split", "cat") in page
    assert ("viridian_predictions_total", "pin", "other") in page


def test_without_more_knowledge_the_first_numbers_are_features() -> None:
    # given inputs of which only some have a fixed number of numbers
    inputs = (
        Tensor("text", DataType.BYTES, (1,)),
        Tensor("any", DataType.FP32, (-1,)),
        Tensor("age", DataType.INT64, (1,)),
        Tensor("X", DataType.FP32, (64,)),
    )
    # when
    features = feature_metadata(Contract.derived(ModelSchema(inputs, (), 8))).features
    # then
    assert len(features) == MAX_FEATURES
    assert [(f.name, f.tensor, f.element) for f in features[:3]] == [("age", 2, 0), ("X[0]", 3, 0), ("X[1]", 3, 1)]


def test_a_schema_file_names_the_features_their_ranges_and_the_labels() -> None:
    # given
    text = """
features: [{name: age, min: 0, max: 120}, {name: income, nullable: true}, {name: iban, sensitive: true}, {name: d}]
outputs: {classes: ["no", maybe, "yes"]}
"""
    # when
    metadata = feature_metadata(contract_of(text))
    # then
    assert metadata.features == (
        Feature("age", 0, 0, 0, 120),
        Feature("income", 0, 1, nullable=True),
        Feature("d", 0, 3),
    )
    assert metadata.labels == ("no", "maybe", "yes")
    assert metadata.sensitive == {"iban"}


def test_numbers_that_are_not_known_are_not_observed() -> None:
    # given features that are the columns of an input of any width
    inputs = (Tensor("X", DataType.FP32, (-1,)),)
    model = ModelSchema(inputs, (Tensor("label", DataType.INT64, (1,)),), 8)
    contract = contract_of("features: [{name: a, nullable: true}, {name: b}]", model)
    observations = ModelMetrics(contract, feature_metadata(contract))
    rows = struct.pack("<4f", math.nan, 5, 0.5, 50)
    # when
    observations.observe([context(instances=[Encoded(((2,),), 2, (rows,))], prediction=1)])
    # then
    page = samples(lambda: observations.families(("model",), ("m",)), "feature", "le")
    counts = {key[1:]: value for key, value in page.items() if key[0] == "viridian_feature_value_bucket"}
    assert (counts["a", "1.0"], counts["a", "+Inf"]) == (1, 1)
    assert (counts["b", "1.0"], counts["b", "10.0"], counts["b", "+Inf"]) == (0, 1, 2)


def test_what_preprocessing_does_not_know_is_not_observed() -> None:
    # given the inputs that a preprocess.py makes
    model = ModelSchema((Tensor("X", DataType.FP32, (1,)),), (Tensor("label", DataType.INT64, (1,)),), 8)
    contract = contract_of("features: [{name: a, type: number}]", model, preprocessed=True)
    observations = ModelMetrics(contract, feature_metadata(contract))
    # when
    rows = struct.pack("<4f", 1, math.nan, -3, 2)
    observations.observe([context(instances=[Encoded(((1,),), 4, (rows,))], prediction=1)])
    # then
    page = samples(lambda: observations.families(("model",), ("m",)), "feature", "le")
    buckets = [page["viridian_feature_value_bucket", "X", le] for le in ("-10000.0", "-1.0", "1.0", "+Inf")]
    assert buckets == [0, 1, 2, 3]


# -- predictions


def test_labels_are_counted_by_way() -> None:
    watch = Watch()
    watch.observations.observe([context(prediction=3), context(prediction=3), context(Via.PIN, prediction="cat")])
    assert watch.nonzero("viridian_predictions_total") == {("split", "3"): 2, ("pin", "cat"): 1}


def test_the_number_of_labels_is_bounded() -> None:
    watch = Watch()
    watch.observations.observe([context(prediction=f"label {i}" + "x" * 100) for i in range(MAX_LABELS + 7)])
    counted = watch.nonzero("viridian_predictions_total")
    assert counted["split", "other"] == 7
    assert len(counted) == MAX_LABELS + 1
    assert all(len(label) <= 64 for _, label in counted)


def test_numbers_and_confidences_have_histograms() -> None:
    watch = Watch()
    watch.observations.observe(
        [context(prediction=2.5), context(prediction=-3.0), context(prediction=1, confidence=0.75)]
    )
    values = watch.nonzero("viridian_prediction_value_bucket")
    assert [values.get(("split", le), 0) for le in ("-10.0", "-1.0", "1.0", "10.0", "+Inf")] == [0, 1, 1, 2, 2]
    assert watch.nonzero("viridian_prediction_confidence_sum") == {("split",): 0.75}
    assert watch.nonzero("viridian_predictions_total") == {("split", "1"): 1}


def test_numbers_are_counted_by_way_and_answers_that_are_none_as_well() -> None:
    watch, cause = Watch(), f"output 'y' {NOT_FINITE}"
    failed = [
        seen_of(Via.SPLIT, failure=Failure("model-failed", 500, cause)),
        seen_of(Via.PIN, failure=Failure("model-failed", 500, "another")),
    ]
    watch.observations.observe([context(Via.PIN, prediction=2.5), context(prediction=2.5), *failed])
    values = watch.nonzero("viridian_prediction_value_bucket")
    assert (values["pin", "+Inf"], values["split", "+Inf"]) == (1, 1)
    assert watch.nonzero("viridian_predictions_not_finite_total") == {("split",): 1}


@pytest.mark.parametrize(
    ("seen", "answered"),
    [
        ({"predictions": [{}, {}, {}]}, 3),
        ({"predictions": [{}], "answered_by": "cache"}, 1),
        ({"passed": Response(200, b""), "passed_instances": 4}, 4),
        # and none of what the client did not get, or got from another pod, which counts it
        ({"predictions": [{}], "answered_by": "stable"}, 0),
        ({"predictions": [{}], "answered_by": None}, 0),
        ({"passed": Response(200, b""), "passed_instances": 4, "answered_by": "stable"}, 0),
        ({"passed": Response(500, b""), "passed_instances": 4, "answered_by": "pod"}, 0),
        ({"passed": Response(400, b""), "passed_instances": 4, "answered_by": "pod"}, 0),
    ],
)
def test_each_instance_that_a_user_got_a_prediction_of_counts_once(seen: dict[str, Any], answered: int) -> None:
    watch = Watch()
    # when it is told of a user's request, and of a check, which is nobody's
    watch.observations.observe([seen_of(Via.PIN, **seen), seen_of(Via.CHECK, **seen)])
    # then
    counted = watch.nonzero("viridian_answered_predictions_total")
    assert counted == ({("pin",): answered} if answered else {})


@pytest.mark.parametrize(
    "request_", [context(Via.CHECK, prediction=1), context(Via.MIRROR, prediction=1), seen_of(Via.SPLIT)]
)
def test_what_no_user_asked_and_what_failed_is_left_out(request_: RequestContext) -> None:
    watch = Watch()
    watch.observations.observe([request_])
    assert not any(watch.page().values())


@pytest.mark.parametrize(
    ("prediction", "confidence", "label"),
    [
        ({"prediction": 1, "confidence": 0.5}, 0.5, "1"),
        ({"prediction": True}, None, "true"),
        ({"prediction": 1.5}, None, None),
        ({"prediction": [1, 2]}, None, None),
        ({"prediction": {"label": 1, "probabilities": [0.25, 0.75]}}, 0.75, None),
        ({"prediction": {"probabilities": []}}, None, None),
        ({"prediction": {"probabilities": "high"}}, None, None),
    ],
)
def test_what_a_prediction_says(prediction: dict[str, Any], confidence: float | None, label: str | None) -> None:
    assert (confidence_of(prediction), label_of(prediction)) == (confidence, label)


# -- answers


def test_answers_are_counted_by_route_and_code() -> None:
    # given
    counts = ResponseCounts({408: 2, 400: 1})
    for route, status in ((Route.PREDICT, 200), (Route.PREDICT, 200), (Route.INFER, 418), (Route.FEEDBACK, 400)):
        counts.count(route, status)
    # when
    page = samples(lambda: counts.families(("model",), ("m",)), "route", "code")
    # then
    assert {key[1:]: value for key, value in page.items() if value} == {
        ("predict", "200"): 2,
        ("infer", "other"): 1,
        ("feedback", "400"): 1,
        ("none", "408"): 2,
        ("none", "400"): 1,
    }
    assert page["viridian_responses_total", "predict", "504"] == 0
