"""schema.yaml: what it makes of a model, and what is said of one that does not fit."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.serving import models
from tests.serving.api.test_malformed import MODEL
from tests.serving.pod import Pod
from tests.waiting import DEADLINE

from viridian_serving.codec.answers import AnswerWriter
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.oip import TensorValues
from viridian_serving.codec.tensors import DataType, ModelSchema, SchemaError, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.schema_file import AnswerEntry, FeatureEntry, OutputsEntry, parse, read_schema_file
from viridian_serving.http1.problems import Problem

LABEL, PROBABILITIES = Tensor("label", DataType.INT64, (1,)), Tensor("probabilities", DataType.FP32, (3,))
IRIS = ModelSchema((Tensor("X", DataType.FP32, (4,)),), (LABEL, PROBABILITIES), 128)
FOUR = "features: [{name: a}, {name: b}, {name: c}, {name: d}]\n"
REGRESSION = ModelSchema((Tensor("x", DataType.FP32, (1,)),), (Tensor("y", DataType.FP32, (1,)),), 8)


def contract_of(text: str, model: ModelSchema = IRIS, *, preprocessed: bool = False) -> Contract:
    return bind(parse(text.encode()), model, preprocessed=preprocessed)


# -- features become inputs


def test_named_features_are_the_columns_of_the_only_input() -> None:
    # given
    reader = InstanceReader(contract_of(FOUR).requests, 10)
    # when, in any order
    instances = reader.read(b'{"d": 4, "b": 2, "a": 1, "c": 3.5}')
    # then
    assert instances.encoded[0].shapes == ((4,),)
    assert instances.encoded[0].tensors == (struct.pack("<4f", 1, 2, 3.5, 4),)


def test_columns_of_an_input_of_any_width() -> None:
    model = ModelSchema((Tensor("X", DataType.FP32, (-1,)),), (LABEL,), 8)
    encoded = InstanceReader(contract_of(FOUR, model).requests, 10).read(b'{"a":1,"b":2,"c":3,"d":4}').encoded[0]
    assert (encoded.shapes, encoded.tensors) == (((4,),), (struct.pack("<4f", 1, 2, 3, 4),))


def test_features_go_to_the_inputs_that_they_name_and_the_rest_to_the_one_that_is_left() -> None:
    # given
    contract = bind(parse(models.CUSTOMERS.encode()), MODEL)
    # when
    encoded = InstanceReader(contract.requests, 10).read(json.dumps(models.CUSTOMER).encode()).encoded[0]
    # then
    by_name = dict(zip((tensor.name for tensor in MODEL.inputs), encoded.tensors, strict=True))
    income, balance, visits = struct.unpack("<3f", by_name["X"])
    assert (income, visits) == (30000, 3)
    assert balance != balance  # NaN: it is not known
    assert by_name["age"] == struct.pack("<q", 44)
    assert by_name["tier"] == struct.pack("<f", 2)
    assert by_name["ids"] == struct.pack("<3i", 7, 8, 9)
    assert encoded.shapes[-1] == (3,)


def test_columns_of_strings_and_of_booleans_in_numbers() -> None:
    # given
    model = ModelSchema((Tensor("S", DataType.BYTES, (2,)), Tensor("B", DataType.FP32, (2,))), (LABEL,), 8)
    text = """
    features:
      - {name: s, tensor: S}
      - {name: t, tensor: S}
      - {name: p, tensor: B, type: boolean}
      - {name: q, tensor: B, type: boolean}
    """
    # when
    encoded = InstanceReader(contract_of(text, model).requests, 10).read(b'{"s":"x","t":"yy","p":true,"q":false}')
    # then
    assert encoded.encoded[0].tensors == (
        struct.pack("<I1sI2s", 1, b"x", 2, b"yy"),
        struct.pack("<2f", 1, 0),
    )


def test_a_file_without_features_leaves_the_model_s_own() -> None:
    requests = contract_of("outputs: {classes: [a, b, c]}").requests
    assert [(feature.name, feature.dims) for feature in requests.features] == [("X", (4,))]


def test_a_fingerprint_tells_apart_what_takes_other_requests() -> None:
    # given
    plain = contract_of(FOUR).fingerprint
    # then what a retrained model has otherwise does not matter
    assert contract_of(FOUR.replace("a}", "a, min: 0, max: 9}")).fingerprint == plain
    assert contract_of(FOUR.replace("a}", "a, description: An a.}") + "answer: {round: 2}").fingerprint == plain
    # and what its clients send does
    assert contract_of(FOUR.replace("a}", "A}")).fingerprint != plain
    assert contract_of(FOUR.replace("a}", "a, type: integer}")).fingerprint != plain
    assert Contract.derived(IRIS).fingerprint not in (plain, contract_of("description: x").fingerprint)
    assert Contract.derived(IRIS).fingerprint == IRIS.input_fingerprint


# -- outputs become answers


def answered(text: str, label: int = 2, row: tuple[float, ...] = (0.125, 0.25, 0.625)) -> Any:
    outputs = [TensorValues("label", DataType.INT64, (1, 1), (label,))]
    outputs.append(TensorValues("probabilities", DataType.FP32, (1, 3), row))
    (answer,) = AnswerWriter(contract_of(text).answers).predictions(outputs, 1, batched=True)
    return answer


NAMED = "outputs: {prediction: label, probabilities: probabilities, classes: [a, b, c]}\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (NAMED, {"prediction": "c", "confidence": 0.625, "probabilities": {"a": 0.125, "b": 0.25, "c": 0.625}}),
        ("outputs: {classes: [7, 8, 9]}", {"prediction": "9", "probabilities": {"7": 0.125, "8": 0.25, "9": 0.625}}),
        (NAMED + "answer: {top_k: 2}", {"prediction": "c", "probabilities": {"c": 0.625, "b": 0.25}}),
        (NAMED + "answer: {round: 1}", {"confidence": 0.6, "probabilities": {"a": 0.1, "b": 0.2, "c": 0.6}}),
        (NAMED + "answer: {withhold: [probabilities]}", {"prediction": "c", "confidence": 0.625}),
        (NAMED + "answer: {withhold: [confidence, probabilities]}", {"prediction": "c"}),
        ("outputs: {probabilities: probabilities}", {"prediction": 2, "outputs": {"label": 2}}),
        (
            "outputs: {probabilities: probabilities}\nanswer: {withhold: [label, confidence, probabilities]}",
            {"prediction": 2},
        ),
        ("outputs: {prediction: label}", {"prediction": 2, "outputs": {"probabilities": [0.125, 0.25, 0.625]}}),
        ("outputs: {prediction: label, classes: [x, y, z]}", {"prediction": "z"}),
    ],
)
def test_answers(text: str, answer: dict[str, Any]) -> None:
    given = answered(text)
    assert {name: given[name] for name in answer} == answer
    if "withhold" in text:
        assert given == answer


def test_a_class_without_a_name_is_a_bad_answer() -> None:
    for label in (3, -1):
        with pytest.raises(ValueError, match=r"names 3 classes from 0 on"):
            answered(NAMED, label)


def test_confidence_may_be_an_output() -> None:
    # given
    score = Tensor("score", DataType.FP32, (1,))
    model = ModelSchema(IRIS.inputs, (LABEL, score), 8)
    writer = AnswerWriter(contract_of("outputs: {prediction: label, confidence: score}", model).answers)
    outputs = [
        TensorValues("label", DataType.INT64, (1, 1), (5,)),
        TensorValues("score", DataType.FP32, (1, 1), (0.5,)),
    ]
    # then
    assert writer.predictions(outputs, 1, batched=True) == [{"prediction": 5, "confidence": 0.5}]


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        (FOUR, True),
        (NAMED, True),
        (FOUR + "raw: false", False),
        (NAMED + "answer: {top_k: 1}", False),
        (NAMED + "answer: {round: 3}", False),
        (NAMED + "answer: {withhold: [confidence]}", False),
        (NAMED + "answer: {max_age: 60}", True),
        (FOUR.replace("{name: a}", "{name: a, min: 0}"), False),
        (FOUR.replace("{name: a}", "{name: a, type: integer, categories: [1, 2]}"), False),
        (FOUR.replace("{name: a}", "{name: a, max: 10}") + "raw: true", True),
    ],
)
def test_the_inference_protocol_is_closed_where_it_would_go_round_a_rule(text: str, raw: bool) -> None:
    assert contract_of(text).raw is raw


# -- what does not fit

FAULTS = [
    ("", "must hold a mapping"),
    ("- a", "must hold a mapping"),
    ("features: [", "is not YAML that can be used: line 1, column 12"),
    ("features: []", "features: tuple should have at least 1 item"),
    ("features:\n- {name: a}\nfeatures:\n- {name: b}", "key 'features' is there twice"),
    ("a: &x [1]\nb: *x", "aliases are not supported"),
    ("feature: []", "feature is no key of it; the keys are description, features, outputs, answer, raw"),
    ("features: [{nme: a}]", "features[0].nme is no key of it; the keys are name, type, tensor"),
    ("features: [{name: a, mim: 0}]", "features[0].mim (of 'a') is no key of it"),
    ("features: [{type: number}]", "features[0].name is missing"),
    ("features: [{name: a, type: float}]", "features[0].type (of 'a'): input should be 'number', 'integer'"),
    ("features: [{name: a, min: .nan}]", "features[0].min (of 'a')"),
    ("features: [{name: a, categories: [yes, no]}]", "features[0].categories[0] (of 'a') is true, as YAML reads yes"),
    ("features: [{name: 5}]", "features[0].name: input should be a valid string, not 5"),
    ("features: [{name: a, nullable: maybe}]", "features[0].nullable (of 'a')"),
    ("outputs: {classes: [on, off]}", "outputs.classes[0] is true, as YAML reads"),
    ("answer: {round: 20}", "answer.round: input should be less than or equal to 15, not 20"),
    ("answer: {top_k: 0}", "answer.top_k: input should be greater than or equal to 1"),
    ("features: [{name: a}, {name: b}, {name: c}]", "3 of them are columns of the model's input 'X', of FP32[4]"),
    (FOUR.replace("d}", "a}"), "features: 'a' is there twice"),
    (FOUR.replace("d}", "d, tensor: Y}"), "features[3].tensor: 'Y' is no input of the model; its inputs are 'X'"),
    (FOUR.replace("d}", "d, type: string}"), "features[3] ('d').type: string is not what the model's FP32 takes"),
    (FOUR.replace("d}", "d, shape: [1]}"), "features[3] ('d').shape: [1] is not so: a column has none"),
    (FOUR.replace("d}", "d, min: 2, max: 1}"), "features[3] ('d').min: 2 is above max, 1"),
    (FOUR.replace("d}", "d, categories: [1, 2]}"), "categories: a number has none; make it an integer or a string"),
    (FOUR.replace("d}", "d, type: integer, categories: [1, x]}"), "categories: 'x' is no integer"),
    (FOUR.replace("d}", "d, type: integer, categories: [1, 1]}"), "categories: one is there twice"),
    (FOUR.replace("d}", "d, type: integer, categories: [1], min: 0}"), "min and max: categories have no range"),
    (FOUR.replace("d}", "d, type: boolean, min: 0}"), "min and max: a boolean has none"),
    (FOUR.replace("d}", "d, max_length: 5}"), "max_length: only a string without categories has a length"),
    (FOUR.replace("d}", "d, max: 1, example: 2}"), "features[3] ('d').example: must be 1 or less, and is 2"),
    (FOUR.replace("d}", "d, example: x}"), "features[3] ('d').example: must be a number, not a string"),
    ("features: [{name: X, shape: [3]}]", "features[0] ('X').shape: [3] is not so: the model's input has [4]"),
    ("features: [{name: X, example: [1, 2]}]", "features[0] ('X').example: must hold 4 elements and holds 2"),
    ("features: [{name: X, min: 0, example: [1, 2, -3, 4]}]", "features[0] ('X').example/2: must be 0 or more"),
    ("outputs: {prediction: y}", "outputs.prediction: 'y' is no output of the model; its outputs are 'label'"),
    ("outputs: {probabilities: label}", "outputs.probabilities: 'label' is INT64[1], and not one row of numbers"),
    ("outputs: {confidence: probabilities}", "outputs.confidence: 'probabilities' is FP32[3], and not one number"),
    ("outputs: {classes: [a, b]}", "outputs.classes: 2 names for 3 probabilities"),
    ("outputs: {classes: [a, b, a]}", "outputs.classes: two have the same name"),
    ("outputs: {prediction: probabilities, classes: [a]}", "outputs.classes: there are no probabilities"),
    ("answer: {top_k: 2}", "answer.top_k: the classes have no names"),
    ("outputs: {classes: [a, b, c]}\nanswer: {top_k: 4}", "answer.top_k: 4 of 3 classes"),
    ("answer: {withhold: [prediction]}", "answer.withhold: 'prediction' is not answered"),
    ("answer: {withhold: [z]}", 'answer.withhold: \'z\' is not answered; write one of "confidence", "probabilities"'),
    ("outputs: {classes: [a, b, c]}\nanswer: {top_k: 1}\nraw: true", "raw: true opens the model's own"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[text.replace("\n", " ")[:60] or "empty" for text, _ in FAULTS])
def test_a_file_that_cannot_be_used_is_refused_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(SchemaError) as refused:
        contract_of(text)
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_fault_is_named_at_once() -> None:
    text = FOUR.replace("c}", "c, type: string}").replace("d}", "d, min: 2, max: 1}") + "answer: {withhold: [z]}"
    with pytest.raises(SchemaError, match=r"\('c'\)\.type.*\('d'\)\.min.*answer\.withhold"):
        contract_of(text)


@pytest.mark.parametrize(
    ("datatype", "bound", "good", "bad"),
    [
        (DataType.UINT64, "max: 18446744073709551615", 2**64 - 1, -1),
        (DataType.INT64, "max: 1.0e+30", 2**63 - 1, 2**63),
        (DataType.INT64, "min: -1.0e+30", -(2**63), -(2**63) - 1),
        (DataType.FP64, "type: integer, max: 10000000000000000000000", 10**21, 10**22 + 10**7),
    ],
)
def test_a_range_may_be_wider_than_any_whole_number_of_the_fast_reader(
    datatype: DataType, bound: str, good: int, bad: int
) -> None:
    # given
    model = ModelSchema((Tensor("n", datatype, (1,)),), REGRESSION.outputs, 8)
    reader = InstanceReader(contract_of(f"features: [{{name: n, {bound}}}]", model).requests, 10)
    # then
    assert reader.read(b'{"n": %d}' % good).encoded[0].rows == 1
    with pytest.raises(Problem):
        reader.read(b'{"n": %d}' % bad)


def test_a_bound_of_hundreds_of_digits_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"features\[0\]\.max|features.*max"):
        contract_of(f"features: [{{name: x, max: 1{'0' * 400}}}]", REGRESSION)


def test_null_needs_a_model_that_takes_nan() -> None:
    with pytest.raises(SchemaError, match=r"features\[3\] \('age'\)\.nullable: the model takes INT64"):
        bind(parse(models.CUSTOMERS.replace("name: age,", "name: age, nullable: true,").encode()), MODEL)


def test_an_input_that_nothing_goes_to_is_named() -> None:
    with pytest.raises(SchemaError, match=r"nothing goes to the model's input 'ids', of INT32\[-1\]"):
        bind(parse(models.CUSTOMERS.replace("  - {name: ids}\n", "").encode()), MODEL)


def test_a_regression_has_no_classes() -> None:
    with pytest.raises(SchemaError, match=r"outputs\.classes: there are no probabilities"):
        contract_of("outputs: {classes: [a]}", REGRESSION)


def test_a_preprocessed_feature_needs_its_type() -> None:
    with pytest.raises(SchemaError, match=r"features\[0\] \('city'\): type is missing"):
        contract_of("features: [{name: city}]", preprocessed=True)
    with pytest.raises(SchemaError, match=r"features is missing, which preprocess\.py is given"):
        contract_of("description: x", preprocessed=True)


def test_no_file_is_no_fault_and_a_large_one_is(tmp_path: Path) -> None:
    assert read_schema_file(tmp_path) is None
    (tmp_path / "schema.yaml").write_text("description: " + "x" * (2 << 20))
    with pytest.raises(SchemaError, match="more than the limit of 1048576"):
        read_schema_file(tmp_path)
    (tmp_path / "schema.yaml").unlink()
    (tmp_path / "schema.yaml").mkdir()
    with pytest.raises(SchemaError, match="cannot be read"):
        read_schema_file(tmp_path)


def test_the_test_model_is_what_its_schema_says() -> None:
    features = yaml.safe_load(models.CUSTOMERS)["features"]
    assert {feature["name"] for feature in features} == set(models.CUSTOMER)


# -- a pod


@pytest.mark.serving
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("features: [{name: incme, tensor: Z}]", "features[0].tensor: 'Z' is no input of the model"),
        ("feature: []", "feature is no key of it"),
    ],
)
def test_a_pod_whose_schema_is_not_so_ends_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    # given
    pod = Pod.create(tmp_path)
    models.customers(pod.model_directory, text)
    try:
        # when
        pod.start_triton()
        code = pod.start_api().wait(DEADLINE)
        # then
        assert code == 1
        assert pod.termination_log.startswith("Model m v1 cannot be served: its schema.yaml cannot be used: ")
        assert sentence in pod.termination_log
        assert "Traceback" not in pod.log()
    finally:
        pod.stop()


# -- the documentation

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "schema.md"


def blocks(language: str) -> list[str]:
    return [part.split("```")[0] for part in DOCS.read_text().split(f"```{language}\n")[1:]]


def test_the_documented_example_does_what_is_written_there() -> None:
    # given
    contract = contract_of(blocks("yaml")[0])
    flower = {"sepal_length": "long", "sepal_width": 11, "petal_length": None, "colour": "blue"}
    # when
    with pytest.raises(Problem) as refused:
        InstanceReader(contract.requests, 10).read(json.dumps(flower).encode())
    # then
    documented = [
        json.loads(line.rstrip(",]}") + "}") for line in blocks("console")[0].splitlines() if '"pointer"' in line
    ]
    assert [{"pointer": each.pointer, "detail": each.detail} for each in refused.value.errors] == documented
    answer = AnswerWriter(contract.answers).predictions(
        [
            TensorValues("label", DataType.INT64, (1, 1), (0,)),
            TensorValues("probabilities", DataType.FP32, (1, 3), (0.98157, 0.01843, 0.000000014)),
        ],
        1,
        batched=True,
    )
    assert json.dumps(answer[0], separators=(",", ":"))[1:-1] in DOCS.read_text()


def test_every_key_is_documented() -> None:
    text = DOCS.read_text()
    for model in (FeatureEntry, OutputsEntry, AnswerEntry):
        for key in model.model_fields:
            assert f"`{key}`" in text, key
