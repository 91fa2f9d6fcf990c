"""Whether stable can answer what a candidate fails: interfaces held against each other."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian_serving.codec.features import Feature, RequestSchema
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.tensors import DataType, Kind, ModelSchema, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.compatibility import LONGEST_REASON, Interface, TensorForm, Value, coverage
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.schema_file import parse
from viridian_shared.counts.covers import Covers

X = Tensor("X", DataType.FP32, (2,))
Y = Tensor("y", DataType.FP32, (1,))
LABEL = Tensor("label", DataType.INT64, (1,))
SCORES = Tensor("probabilities", DataType.FP32, (3,))
MODEL = ModelSchema((X,), (Y,), 8)
TWO = "features: [{name: age, type: number}, {name: city, type: number}]"


def declared(text: str, model: ModelSchema = MODEL, *, preprocessed: bool = False) -> Interface:
    return Interface.of(bind(parse(text.encode()), model, preprocessed=preprocessed))


def derived(*inputs: Tensor, outputs: tuple[Tensor, ...] = (Y,), max_batch: int = 8) -> Interface:
    return Interface.of(Contract.derived(ModelSchema(inputs, outputs, max_batch)))


STABLE = declared(TWO)


def test_a_candidate_that_makes_other_tensors_of_the_same_features_is_answered_for() -> None:
    # given stable's schema, beside a preprocess.py and a model with other inputs
    model = ModelSchema((Tensor("W", DataType.FP64, (7,)),), (Y,), 0)
    candidate = declared(TWO, model, preprocessed=True)
    # then stable can answer all that such a candidate takes, though the earlier fingerprint tells them apart
    assert candidate.input_schema != STABLE.input_schema
    covered = coverage(candidate, STABLE)
    assert (covered.covers, covered.reason, covered.predict, covered.infer) == (Covers.ALL, "", True, False)


NUMBERS = "features: [{name: age, type: number}, {name: city, type: number}%s]"


@pytest.mark.parametrize(
    ("candidate", "covers", "reason"),
    [
        pytest.param("[{name: age, type: number}, {name: city, type: number}]", "all", "", id="the same"),
        pytest.param("[{name: city, type: number}, {name: age, type: number}]", "all", "", id="another order"),
        pytest.param("[{name: age, type: integer}, {name: city, type: number}]", "all", "", id="narrower"),
        pytest.param("[{name: age, type: number, min: 0}, {name: city, type: number}]", "all", "", id="a range"),
        pytest.param(
            "[{name: age, type: number}, {name: city, type: number}, {name: sex, type: string}]",
            "none",
            "feature 'sex' is new",
            id="one more",
        ),
        pytest.param(
            "[{name: age, type: number}]", "none", "feature 'city' is gone, and stable needs it", id="one less"
        ),
        pytest.param(
            "[{name: age, type: number}, {name: town, type: number}]",
            "none",
            "feature 'town' is new; feature 'city' is gone, and stable needs it",
            id="renamed",
        ),
        pytest.param(
            "[{name: age, type: number}, {name: city, type: string}]",
            "none",
            "feature 'city' is a string, and stable takes a number",
            id="another type",
        ),
        pytest.param(
            "[{name: age, type: number}, {name: city, type: number, shape: [3]}]",
            "none",
            "feature 'city' is a list of shape [3], and stable takes one value",
            id="another shape",
        ),
        pytest.param(
            "[{name: age, type: number, nullable: true}, {name: city, type: number}]",
            "some",
            "feature 'age' may be null, and not at stable",
            id="wider: null",
        ),
    ],
)
def test_what_stable_can_answer_is_a_matter_of_features(candidate: str, covers: str, reason: str) -> None:
    covered = coverage(declared(f"features: {candidate}", preprocessed=True), STABLE)
    assert (covered.covers.value, covered.reason) == (covers, reason)
    assert covered.predict is (covers != "none")


@pytest.mark.parametrize(
    ("given", "taken", "covers"),
    [
        ((), (1,), "all"),
        ((4,), (4,), "all"),
        ((4,), (-1,), "all"),
        ((-1,), (4,), "some"),
        ((-1, 2), (-1, 2), "all"),
        ((), (-1,), "some"),
        ((4,), (5,), "none"),
        ((4,), (4, 1), "none"),
        ((-1, 2), (3, 3), "none"),
    ],
)
def test_shapes_that_can_fit(given: tuple[int, ...], taken: tuple[int, ...], covers: str) -> None:
    def of(shape: tuple[int, ...]) -> Interface:
        return Interface("x", (Value("f", Kind.NUMBER, shape),), (Value("prediction", Kind.NUMBER),))

    assert coverage(of(given), of(taken)).covers.value == covers


def test_a_wider_type_is_answered_where_the_instance_fits() -> None:
    stable = declared("features: [{name: age, type: integer}, {name: city, type: number}]")
    covered = coverage(STABLE, stable)
    assert (covered.covers, covered.predict) == (Covers.SOME, True)
    assert covered.reason.startswith("feature 'age' is a number, and stable takes a whole number")


CLASSES = "outputs: {classes: [a, b, c]}"
CLASSIFIER = ModelSchema((X,), (LABEL, SCORES), 8)


@pytest.mark.parametrize(
    ("candidate", "stable", "reason"),
    [
        pytest.param(declared("{}", CLASSIFIER), declared("{}", CLASSIFIER), "", id="the same"),
        pytest.param(
            declared(f"{CLASSES}\nanswer: {{top_k: 1, round: 2}}", CLASSIFIER),
            declared(f"{CLASSES}\nanswer: {{withhold: [confidence, probabilities]}}", CLASSIFIER),
            "",
            id="another policy",
        ),
        pytest.param(
            declared(CLASSES, CLASSIFIER),
            declared("{}", CLASSIFIER),
            "its answer's 'prediction' is a string, and stable's is a whole number",
            id="classes got names",
        ),
        pytest.param(
            derived(X, outputs=(Y,)), derived(X, outputs=(LABEL,)), "", id="a whole number where a number is expected"
        ),
        pytest.param(
            derived(X, outputs=(Tensor("y", DataType.FP32, (5,)),)),
            derived(X, outputs=(Y,)),
            "its answer's 'prediction' is a list of shape [5], and stable's is one value",
            id="a list",
        ),
        pytest.param(
            derived(X, outputs=(Y, Tensor("z", DataType.FP32, (1,)))),
            derived(X, outputs=(Y, LABEL)),
            "its answer's 'prediction.z' is not in stable's",
            id="another output",
        ),
        pytest.param(
            derived(X, outputs=(Y, LABEL)),
            derived(X, outputs=(Y, LABEL, Tensor("z", DataType.FP32, (1,)))),
            "",
            id="stable answers more",
        ),
        pytest.param(
            derived(X, outputs=(Tensor("label", DataType.INT64, (-1,)), SCORES)), derived(X, outputs=(LABEL, SCORES)),
            "", id="a label of any length",
        ),
    ],
)  # fmt: skip
def test_stable_s_answer_must_be_one_that_the_candidate_s_clients_can_read(
    candidate: Interface, stable: Interface, reason: str
) -> None:
    covered = coverage(candidate, stable)
    if reason:
        assert (covered.covers, covered.reason) == (Covers.NONE, reason)
    else:
        assert covered.predict


@pytest.mark.parametrize(
    ("candidate", "stable", "infer", "gap"),
    [
        pytest.param(derived(X), derived(X), True, "", id="the same tensors"),
        pytest.param(derived(X), derived(X, outputs=(Y, LABEL)), True, None, id="one output more at stable"),
        pytest.param(
            derived(X, outputs=(Y, LABEL)), derived(X), False, None, id="one output more here"
        ),
        pytest.param(
            derived(X),
            derived(X, max_batch=0),
            False,
            "stable has other tensors in the inference protocol",
            id="batches",
        ),
        pytest.param(
            derived(X),
            declared("answer: {round: 1}"),
            False,
            "stable does not take the inference protocol",
            id="closed at stable",
        ),
        pytest.param(declared("answer: {round: 1}"), derived(X), False, "", id="closed here"),
    ],
)  # fmt: skip
def test_the_inference_protocol_needs_the_same_tensors(
    candidate: Interface, stable: Interface, infer: bool, gap: str | None
) -> None:
    covered = coverage(candidate, stable)
    assert covered.infer is infer
    if gap is not None:
        assert (covered.covers, covered.reason) == (Covers.SOME if gap else Covers.ALL, gap)


# -- stable says itself what it cannot answer

KINDS = st.sampled_from(list(Kind))
SHAPES = st.sampled_from([(), (2,), (-1,), (2, 2)])
"""Without (1,), which health does not tell from a bare value: there, stable says itself whether it takes one."""
VALUES: dict[Kind, list[Any]] = {
    Kind.NUMBER: [0.5, 3],
    Kind.INTEGER: [3],
    Kind.STRING: ["a"],
    Kind.BOOLEAN: [True],
}
TYPES = {
    Kind.NUMBER: DataType.FP64,
    Kind.INTEGER: DataType.INT64,
    Kind.STRING: DataType.BYTES,
    Kind.BOOLEAN: DataType.BOOL,
}


@st.composite
def requests(draw: st.DrawFn) -> RequestSchema:
    """Schemas of up to three features."""
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    features = []
    for name in names:
        kind = draw(KINDS)
        nullable = kind is Kind.NUMBER and draw(st.booleans())
        features.append(Feature(name, kind, TYPES[kind], draw(SHAPES), nullable=nullable))
    return RequestSchema(tuple(features), (), 8, declared=True)


def instances(schema: RequestSchema) -> list[dict[str, Any]]:
    """Some instances that a schema takes."""

    def shaped(value: Any, dims: tuple[int, ...]) -> Any:
        for size in reversed(dims):
            value = [value] * (2 if size == -1 else size)
        return value

    found = []
    for turn in range(2):
        item = {}
        for feature in schema.features:
            values = [*VALUES[feature.kind], *([None] if feature.nullable else [])]
            item[feature.name] = shaped(values[turn % len(values)], feature.dims)
        found.append(item)
    return found


@given(requests(), requests())
def test_stable_is_not_asked_only_where_it_would_refuse_everything(own: RequestSchema, other: RequestSchema) -> None:
    # given two schemas, and what the one takes
    contract = Contract.derived(MODEL)
    candidate, stable = (Interface.of(replace(contract, requests=each, raw=False)) for each in (own, other))
    covered = coverage(candidate, stable)
    takes = [
        not InstanceReader(replace(other, slots=()), 10).encode(item)[1]
        for item in instances(own)
        if not InstanceReader(own, 10).encode(item)[1]
    ]
    # then stable takes it all, or the difference is named
    if covered.covers is Covers.ALL:
        assert all(takes)
        assert covered.reason == ""
    if covered.covers is Covers.NONE:
        assert not any(takes)
    assert (covered.covers is Covers.ALL) is (covered.reason == "")


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=40, unique=True))
def test_a_reason_is_short_and_fit_for_a_label_however_features_are_called(names: list[str]) -> None:
    candidate = Interface("x", tuple(Value(name, Kind.NUMBER) for name in names), (Value("prediction", Kind.NUMBER),))
    reason = coverage(candidate, Interface("y", (), candidate.answers)).reason
    assert 0 < len(reason) <= LONGEST_REASON
    assert reason.isprintable()


def test_an_interface_is_what_health_says() -> None:
    sent = msgspec.json.encode(STABLE)
    assert msgspec.json.decode(sent, type=Interface) == STABLE
    assert json.loads(sent)["features"][0] == {"name": "age", "type": "number", "shape": [], "nullable": False}
    assert STABLE.outputs == (TensorForm.of(Y),)
