"""Tensors on the wire, and answers made of them."""

import json
import struct
from typing import Any

import pytest

from viridian_serving.codec.answers import AnswerSchema, AnswerWriter, NotFiniteError
from viridian_serving.codec.oip import Encoded, RequestEncoder, ResponseDecoder, TensorValues
from viridian_serving.codec.tensors import Batch, DataType, ModelSchema, Tensor

X = (Tensor("X", DataType.FP32, (2,)),)
CLASSIFIER = ModelSchema(X, (Tensor("label", DataType.INT64, (1,)), Tensor("probabilities", DataType.FP32, (3,))), 8)


def schema_of(*outputs: Tensor, max_batch: int = 8) -> ModelSchema:
    return ModelSchema(X, outputs, max_batch)


def writer(schema: ModelSchema) -> AnswerWriter:
    return AnswerWriter(AnswerSchema.recognised(schema.outputs))


HEAD = b"POST /v2/models/m/infer HTTP/1.1\r\n"


def sent(request: bytes) -> tuple[int, bytes]:
    """The length of the JSON header in a request's body, and that body, whose own length the request must say."""
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(HEAD)
    names = dict(line.split(b": ") for line in head.lower().split(b"\r\n")[1:])
    assert int(names[b"content-length"]) == len(body)
    return int(names[b"inference-header-content-length"]), body


def test_joined_instances_become_one_batch() -> None:
    # given
    schema = ModelSchema((*X, Tensor("name", DataType.BYTES, (1,))), (), 8)
    one = Encoded(((2,), (1,)), 1, (b"A" * 8, b"s1"))
    two = Encoded(((2,), (1,)), 2, (b"B" * 16, b"s2s3"))
    # when
    length, raw = sent(RequestEncoder(schema, HEAD).encode([one, two]))
    # then
    header = json.loads(raw[:length])
    assert [(i["name"], i["shape"], i["parameters"]["binary_data_size"]) for i in header["inputs"]] == [
        ("X", [3, 2], 24),
        ("name", [3, 1], 6),
    ]
    assert raw[length:] == b"A" * 8 + b"B" * 16 + b"s1s2s3"


def test_without_a_batch_dimension_shapes_stay_as_they_are() -> None:
    length, raw = sent(RequestEncoder(ModelSchema(X, (), 0), HEAD).encode([Encoded(((2,),), 1, (b"A" * 8,))]))
    assert json.loads(raw[:length])["inputs"][0]["shape"] == [2]


def test_what_stands_before_the_tensors_is_that_of_the_rows_and_shapes_that_are_sent() -> None:
    # given a model whose tensors have fixed sizes, so that this is made once for each number of rows and each shape
    encoder = RequestEncoder(ModelSchema((Tensor("X", DataType.FP32, (-1,)),), (), 8), HEAD)
    for width in (1, 2):
        for rows in (1, 2, 1):
            # when instances are sent, also as one part and in several
            part = Encoded(((width,),), 1, (bytes(4 * width),))
            length, raw = sent(encoder.encode([part] * rows))
            # then
            (tensor,) = json.loads(raw[:length])["inputs"]
            assert tensor["shape"] == [rows, width]
            assert tensor["parameters"]["binary_data_size"] == len(raw) - length == 4 * width * rows


def test_answers_of_both_kinds_are_decoded() -> None:
    # given
    texts = b"".join(struct.pack("<I", len(text)) + text for text in (b"a", "ü".encode()))
    header = json.dumps(
        {
            "outputs": [
                {"name": "f", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}},
                {"name": "s", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(texts)}},
                {"name": "j", "datatype": "INT64", "shape": [1], "data": [7]},
            ]
        }
    ).encode()
    # when
    outputs = ResponseDecoder().decode(header + struct.pack("<2f", 0.5, -1) + texts, len(header))
    # then
    assert [(o.name, o.shape, list(o.values)) for o in outputs] == [
        ("f", (2,), [0.5, -1.0]),
        ("s", (2,), ["a", "ü"]),
        ("j", (1,), [7]),
    ]


def test_every_answer_has_its_own_values_though_the_headers_are_equal() -> None:
    # given
    described = {"name": "f", "datatype": "FP32", "shape": [2, 1], "parameters": {"binary_data_size": 8}}
    header = json.dumps({"outputs": [described]}).encode()
    decoder = ResponseDecoder()
    # when
    answers = [decoder.decode(header + struct.pack("<2f", number, -number), len(header)) for number in (1, 2, 3)]
    # then
    assert [outputs[0].values for outputs in answers] == [(1, -1), (2, -2), (3, -3)]
    # and one that ends too early is none, though its header is known
    with pytest.raises(ValueError, match="does not follow"):
        decoder.decode(header + bytes(7), len(header))


def test_bytes_that_are_no_whole_elements_are_told_apart() -> None:
    described = {"name": "f", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 9}}
    header = json.dumps({"outputs": [described]}).encode()
    with pytest.raises(ValueError, match=r"does not follow.*9 bytes"):
        ResponseDecoder().decode(header + bytes(9), len(header))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"outputs":[{"name":"x"}]}', b'{"outputs":[1]}', b"\xff"])
def test_what_does_not_follow_the_protocol_is_told_apart(body: bytes) -> None:
    with pytest.raises(ValueError, match="does not follow"):
        ResponseDecoder().decode(body, None)


def test_a_classifier_answers_prediction_confidence_and_probabilities() -> None:
    # when
    predictions = writer(CLASSIFIER).predictions(
        [
            TensorValues("label", DataType.INT64, (2, 1), (1, 2)),
            TensorValues("probabilities", DataType.FP32, (2, 3), (0.25, 0.5, 0.25, 0, 0.25, 0.75)),
        ],
        2,
        batched=True,
    )
    # then
    assert predictions == [
        {"prediction": 1, "confidence": 0.5, "probabilities": [0.25, 0.5, 0.25]},
        {"prediction": 2, "confidence": 0.75, "probabilities": [0, 0.25, 0.75]},
    ]


@pytest.mark.parametrize(
    ("schema", "outputs", "batched", "predictions"),
    [
        (
            schema_of(Tensor("y", DataType.FP32, (1,))),
            [TensorValues("y", DataType.FP32, (2, 1), (1.5, 2.5))],
            True,
            [{"prediction": 1.5}, {"prediction": 2.5}],
        ),
        (
            schema_of(Tensor("y", DataType.FP32, (2, 2))),
            [TensorValues("y", DataType.FP32, (1, 2, 2), (1, 2, 3, 4))],
            True,
            [{"prediction": [[1, 2], [3, 4]]}],
        ),
        (
            schema_of(Tensor("a", DataType.FP32, (1,)), Tensor("b", DataType.BYTES, (1,))),
            [TensorValues("b", DataType.BYTES, (1, 1), ("x",)), TensorValues("a", DataType.FP32, (1, 1), (1.0,))],
            True,
            [{"prediction": {"a": 1.0, "b": "x"}}],
        ),
        (
            schema_of(Tensor("y", DataType.INT64, (4,)), max_batch=0),
            [TensorValues("y", DataType.INT64, (4,), (1, 2, 3, 4))],
            False,
            [{"prediction": [1, 2, 3, 4]}],
        ),
    ],
    ids=["regression", "matrix", "several outputs by name", "without a batch dimension"],
)
def test_other_models_answer_what_they_have(
    schema: ModelSchema, outputs: list[TensorValues], batched: bool, predictions: list[dict[str, Any]]
) -> None:
    assert writer(schema).predictions(outputs, len(predictions), batched=batched) == predictions


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_a_failure(bad: float) -> None:
    with pytest.raises(NotFiniteError):
        writer(schema_of(Tensor("y", DataType.FP64, (1,)))).predictions(
            [TensorValues("y", DataType.FP64, (2, 1), (1.0, bad))], 2, batched=True
        )


def test_finite_numbers_with_an_infinite_sum_are_answered() -> None:
    (row,) = writer(schema_of(Tensor("y", DataType.FP64, (2,)))).predictions(
        [TensorValues("y", DataType.FP64, (1, 2), (1.7e308, 1.7e308))], 1, batched=True
    )
    assert row["prediction"] == [1.7e308, 1.7e308]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([], "did not answer its output 'y'"),
        ([TensorValues("y", DataType.FP32, (1, 1), (1.0,))], "has 1 rows for 2 instances"),
    ],
)
def test_an_answer_that_does_not_fit_the_request_is_told_apart(outputs: list[TensorValues], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        writer(schema_of(Tensor("y", DataType.FP32, (1,)))).predictions(outputs, 2, batched=True)


def test_a_model_exported_for_one_instance_takes_instances_as_others_do() -> None:
    # given
    config = {
        "max_batch_size": 0,
        "input": [{"name": "X", "data_type": "TYPE_FP32", "dims": ["1", "4"]}],
        "output": [{"name": "y", "data_type": "TYPE_STRING", "dims": ["1"]}],
    }
    # when
    schema = ModelSchema.from_triton(config)
    # then
    assert (schema.inputs, schema.outputs) == ((Tensor("X", DataType.FP32, (4,)),), (Tensor("y", DataType.BYTES, ()),))
    assert (schema.max_batch, schema.batching.mode) == (1, Batch.SINGLE)


@pytest.mark.parametrize(
    ("max_batch", "parameters", "dims", "mode", "rows"),
    [
        (8, {}, (4,), Batch.JOINED, 8),
        (0, {}, (-1, 4), Batch.NONE, 0),
        (0, {"viridian_batch": "single", "viridian_batch_reason": "it is quantized"}, (4,), Batch.SINGLE, 1),
        (0, {"viridian_batch": "none", "viridian_batch_reason": "it is a series"}, (-1, 4), Batch.NONE, 0),
    ],
)
def test_the_api_learns_what_the_first_dimension_is(
    max_batch: int, parameters: dict[str, str], dims: tuple[int, ...], mode: Batch, rows: int
) -> None:
    # given what the triton container wrote
    shape = [4] if max_batch else [-1, 4]
    config = {
        "max_batch_size": max_batch,
        "input": [{"name": "X", "data_type": "TYPE_FP32", "dims": shape}],
        "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": shape}],
        "parameters": {name: {"string_value": value} for name, value in parameters.items()},
    }
    # when
    schema = ModelSchema.from_triton(config)
    # then
    assert (schema.inputs[0].dims, schema.outputs[0].dims, schema.max_batch) == (dims, dims, rows)
    assert schema.batching.mode is mode
    assert schema.batching.describe()["joined"] is (mode is Batch.JOINED)


@pytest.mark.parametrize(
    ("max_batch", "groups", "instances", "serial"),
    [
        pytest.param(8, [{"count": 1, "gpus": []}], 1, True, id="one instance"),
        pytest.param(8, [{"count": 1, "gpus": [0]}], 1, True, id="one instance on a GPU"),
        pytest.param(8, [{"count": 2, "gpus": []}], 2, False, id="two instances"),
        pytest.param(8, [{"count": 1, "gpus": [0, 1]}], 2, False, id="one instance on each of two GPUs"),
        pytest.param(8, [{"count": 1, "gpus": []}, {"count": 1, "gpus": [0]}], 2, False, id="two groups"),
        pytest.param(8, [], None, False, id="not said"),
        pytest.param(0, [{"count": 1, "gpus": []}], 1, False, id="not joined"),
    ],
)
def test_the_api_learns_whether_calls_run_one_after_the_other(
    max_batch: int, groups: list[dict[str, Any]], instances: int | None, serial: bool
) -> None:
    tensor = {"data_type": "TYPE_FP32", "dims": ["-1"]}
    config = {
        "max_batch_size": max_batch,
        "input": [{"name": "X", **tensor}],
        "output": [{"name": "y", **tensor}],
        "instance_group": groups,
    }
    schema = ModelSchema.from_triton(config)
    assert (schema.instances, schema.serial) == (instances, serial)


@pytest.mark.parametrize(
    ("parameters", "threads"),
    [
        pytest.param({"threads": {"string_value": "2"}}, 2, id="our backends"),
        pytest.param({"intra_op_thread_count": {"string_value": "4"}}, 4, id="ONNX Runtime's own"),
        pytest.param({"threads": {"string_value": "many"}}, None, id="another backend, in its own words"),
        pytest.param({}, None, id="not said"),
    ],
)
def test_the_api_learns_how_many_threads_a_call_has(parameters: dict[str, Any], threads: int | None) -> None:
    tensor = {"data_type": "TYPE_FP32", "dims": ["-1"]}
    config = {
        "max_batch_size": 8,
        "input": [{"name": "X", **tensor}],
        "output": [{"name": "y", **tensor}],
        "parameters": parameters,
    }
    assert ModelSchema.from_triton(config).threads == threads


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"input": [], "output": []},
        {"max_batch_size": 1, "input": [{"name": "X", "data_type": "TYPE_BF16", "dims": [1]}], "output": []},
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"lacks|no representation"):
        ModelSchema.from_triton(config)
