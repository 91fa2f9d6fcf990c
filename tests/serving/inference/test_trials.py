"""Inputs to try a model with, and the example that it is shown by."""

import json
from itertools import islice

import pytest

from viridian_serving.codec.tensors import DataType, ModelSchema, SchemaError, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.documents import documents
from viridian_serving.contract.json_schema import sample_of
from viridian_serving.contract.schema_file import parse
from viridian_serving.inference.assets import ModelAssets
from viridian_serving.inference.trials import Trial, Trials, with_example

Y = (Tensor("y", DataType.FP32, (1,)),)
IMAGE = ModelSchema((Tensor("x", DataType.FP32, (3, -1, -1)),), Y, 8)
ROW = ModelSchema((Tensor("x", DataType.FP32, (2,)),), Y, 8)
IDENTITY = {"model": "m", "version": "v1", "revision": "m-1"}


def test_what_is_made_up_grows() -> None:
    # when
    shapes = [trial.encoded.shapes[0] for trial in islice(Trials(Contract.derived(IMAGE)), 12)]
    # then each size is tried with zeros and with ones
    assert shapes[:4] == [(3, 1, 1), (3, 1, 1), (3, 2, 2), (3, 2, 2)]
    assert (3, 640, 640) in [trial.encoded.shapes[0] for trial in Trials(Contract.derived(IMAGE))]


def test_what_an_author_wrote_comes_first_and_made_up_ones_keep_to_the_rules() -> None:
    # given
    contract = bind(parse(b"features: [{name: a, min: 5, max: 7}, {name: b, categories: [1, 2], type: integer}]"), ROW)
    own = Trial(next(iter(Trials(contract))).encoded, "sample.json", {"a": 6, "b": 2})
    # when
    first, zeros, ones, *others = Trials(contract, [own])
    # then
    assert first is own
    assert (zeros.instance, ones.instance) == ({"a": 6.0, "b": 1}, {"a": 6.0, "b": 2})
    # and what no client may send is tried last
    assert all(trial.instance is None for trial in others)


def test_where_preprocess_py_makes_the_inputs_they_are_made_up_themselves() -> None:
    contract = bind(parse(b"features: [{name: city, type: string}]"), ROW, preprocessed=True)
    assert {trial.instance is None for trial in Trials(contract, preprocessed=True)} == {True}


def test_the_example_is_the_one_that_was_answered() -> None:
    # given
    contract = Contract.derived(IMAGE)
    trial = next(trial for trial in Trials(contract) if trial.encoded.shapes[0] == (3, 3, 3))
    # when
    shown = documents(with_example(contract, trial.instance), IDENTITY, max_instances=10, max_body=100)
    # then
    schema = json.loads(shown[b"/schema"].body)
    assert schema["example"] == trial.instance == {"x": [[[0.0] * 3] * 3] * 3}
    assert schema["batch"] == {"mode": "joined", "joined": True, "reason": ""}


def test_an_example_of_megabytes_is_shown_once() -> None:
    # given
    contract = Contract.derived(ModelSchema((Tensor("x", DataType.FP32, (3, 640, 640)),), Y, 8))
    # when
    shown = documents(contract, IDENTITY, max_instances=10, max_body=100)
    # then
    assert json.loads(shown[b"/schema"].body)["example"] == sample_of(contract.requests)
    for path in (b"/openapi.json", b"/docs"):
        assert len(shown[path].body) < 100_000


def test_a_model_repository_says_itself_what_its_first_dimension_is() -> None:
    with pytest.raises(SchemaError, match=r"max_batch_size in config\.pbtxt says it"):
        ModelAssets(None, parse(b"batch: joined"), None, "triton").contract(ROW)


def test_there_are_three_kinds_of_batch() -> None:
    with pytest.raises(SchemaError, match="batch: input should be 'joined', 'single' or 'none'"):
        parse(b"batch: some")
