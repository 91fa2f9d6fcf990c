"""What is counted on the bins of a baseline."""

import json
from typing import Any

import pytest
from tests.serving.contract.test_schema_file import contract_of
from tests.serving.pages import samples
from tests.serving.telemetry.test_model_metrics import seen_of

from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.baseline_file import Baseline, Distribution
from viridian_serving.contract.contract import Contract
from viridian_serving.telemetry.drift_counts import MAX_FEATURES, DriftCounts
from viridian_shared.counts.via import Via

AGE = Distribution({"below": 0, "18..30": 2, "30..64": 6, "above": 0, "missing": 2}, (18, 30, 64))
CITY = Distribution({"Bern": 3, "Rome": 1, "other": 0, "missing": 0})
SCORE = Distribution({"below": 0, "0..0.3": 5, "0.3..1": 5, "above": 0, "missing": 0}, (0, 0.3, 1))
MODEL = ModelSchema(
    (Tensor("X", DataType.FP32, (2,)), Tensor("city", DataType.BYTES, (1,))),
    (Tensor("label", DataType.INT64, (1,)), Tensor("probabilities", DataType.FP32, (2,))),
    8,
)
SCHEMA = """
features:
- {name: age, tensor: X, nullable: true}
- {name: member, tensor: X, type: boolean}
- {name: city, tensor: city}
outputs: {prediction: label, probabilities: probabilities, classes: [stays, leaves]}
"""


class Watch:
    def __init__(self, *, schema: str = SCHEMA, predictions: dict[str, Distribution] | None = None, **features: Any):
        contract = contract_of(schema, MODEL)
        self.reader = InstanceReader(contract.requests, 100)
        self.counts = DriftCounts(contract, Baseline(features, predictions or {}))

    def send(self, *instances: dict[str, Any], **prediction: Any) -> None:
        given = [{"age": 20, "member": True, "city": "Bern"} | each for each in instances]
        encoded = self.reader.read(json.dumps(given).encode()).encoded
        self.counts.observe([seen_of(Via.SPLIT, instances=encoded, predictions=[prediction] * len(given))])

    def page(self, metric: str) -> dict[tuple[str, ...], float]:
        found = samples(lambda: self.counts.families(("model",), ("m",)), "variable", "bin")
        return {key[1:]: value for key, value in found.items() if key[0] == metric}

    def counted(self, variable: str) -> dict[str, float]:
        page = self.page("viridian_drift_observed_total")
        return {name: value for (of, name), value in page.items() if of == variable and value}


def test_numbers_fall_between_the_bounds_below_above_or_are_missing() -> None:
    # given
    watch = Watch(age=AGE)
    # when
    watch.send(*({"age": age} for age in (17.9, 18, 29.9, 30, 64, 64.1, None, None)))
    # then
    assert watch.counted("age") == {"below": 1, "18..30": 2, "30..64": 2, "above": 1, "missing": 2}


def test_a_number_that_is_a_bound_is_counted_above_it_in_32_bits_too() -> None:
    # given 0.7, which is less in 32 bits than in 64
    watch = Watch(
        age=Distribution({"below": 0, "0.1..0.7": 1, "0.7..0.9": 1, "above": 0, "missing": 0}, (0.1, 0.7, 0.9))
    )
    # when
    watch.send({"age": 0.1}, {"age": 0.7}, {"age": 0.9})
    # then
    assert watch.counted("age") == {"0.1..0.7": 1, "0.7..0.9": 2}


def test_bounds_that_are_one_number_in_32_bits_have_one_bin() -> None:
    # given
    close = (0.1, 0.1 + 1e-12, 0.9)
    baseline = {"below": 0, "a..b": 4, "b..c": 6, "above": 0, "missing": 0}
    watch = Watch(age=Distribution(baseline, close))
    # when
    watch.send({"age": 0.1}, {"age": 0.5})
    # then
    assert watch.counted("age") == {"b..c": 2}
    assert watch.page("viridian_drift_baseline_values")["age", "b..c"] == 10


def test_categories_are_counted_by_name_and_new_ones_together() -> None:
    # given
    watch = Watch(city=CITY, member=Distribution({"false": 1, "true": 1, "other": 0, "missing": 0}))
    # when
    watch.send({"city": "Rome"}, {"city": "Oslo"}, {"city": ""}, {"city": "Genève", "member": False})
    # then
    assert watch.counted("city") == {"Rome": 1, "other": 2, "missing": 1}
    assert watch.counted("member") == {"false": 1, "true": 3}


def test_of_texts_the_lengths_are_counted_in_characters() -> None:
    # given
    watch = Watch(city=Distribution({"below": 0, "2..6": 1, "above": 0, "missing": 0}, (2, 6), lengths=True))
    # when
    watch.send({"city": "Genève"}, {"city": "Villefranche"}, {"city": ""})
    # then
    assert watch.counted("city") == {"2..6": 1, "above": 1, "missing": 1}


def test_predicted_labels_and_probabilities_are_counted() -> None:
    # given
    labels = Distribution({"leaves": 5, "stays": 5, "other": 0, "missing": 0})
    watch = Watch(predictions={"label": labels, "probabilities[1]": SCORE})
    # when an answer of the converted model is the bound but for a rounding error
    watch.send({}, {}, prediction="leaves", probabilities={"stays": 0.7, "leaves": 0.29999998})
    # then
    assert watch.counted("label") == {"leaves": 2}
    assert watch.counted("probabilities[1]") == {"0.3..1": 2}


@pytest.mark.parametrize("answer", [1, 0.5])
def test_numbers_of_an_output_are_counted_one_by_one(answer: float) -> None:
    # given an output of two numbers that is the prediction
    model = ModelSchema(MODEL.inputs, (Tensor("y", DataType.FP32, (2,)),), 8)
    counts = DriftCounts(Contract.derived(model), Baseline({}, {"y[1]": SCORE}))
    # when
    counts.observe([seen_of(Via.SPLIT, predictions=[{"prediction": [0.1, answer]}])])
    # then
    page = samples(lambda: counts.families(("model",), ("m",)), "variable", "bin")
    assert page["viridian_drift_observed_total", "y[1]", "0.3..1"] == 1


def test_what_the_model_does_not_take_or_a_person_must_not_see_is_not_counted() -> None:
    # given
    schema = SCHEMA.replace("nullable: true", "nullable: true, sensitive: true")
    watch = Watch(schema=schema, age=AGE, height=AGE, city=AGE, predictions={"score": SCORE, "label[a]": SCORE})
    # when
    watch.send({})
    # then
    assert watch.page("viridian_drift_observed_total") == {}


def test_the_baseline_is_on_the_page_from_the_beginning() -> None:
    watch = Watch(age=AGE)
    assert watch.page("viridian_drift_baseline_values") == {("age", name): count for name, count in AGE.counts.items()}
    assert set(watch.page("viridian_drift_observed_total").values()) == {0}


def test_there_are_no_more_series_than_stated() -> None:
    # given a model with very many features
    wide = ModelSchema((Tensor("X", DataType.FP32, (100,)),), MODEL.outputs, 8)
    counts = DriftCounts(contract_of("raw: true", wide), Baseline({f"X[{i}]": AGE for i in range(100)}, {}))
    # when
    page = samples(lambda: counts.families(("model",), ("m",)), "variable", "bin")
    # then
    assert len([key for key in page if key[0] == "viridian_drift_observed_total"]) == MAX_FEATURES * len(AGE.counts)
