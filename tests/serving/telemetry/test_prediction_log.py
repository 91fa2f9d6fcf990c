"""Records of predictions: what they hold, and what they never do."""

import json
import struct
from typing import Any

import pytest
from tests.serving.contexts import context_of
from tests.serving.settings.test_config import GIVEN

from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.feature_metadata import Feature, FeatureMetadata
from viridian_serving.http1.messages import Request, Response
from viridian_serving.inference.batcher import Demand
from viridian_serving.settings.config import load
from viridian_serving.telemetry.prediction_log import PredictionLog
from viridian_serving.telemetry.redaction import Redactor, Rules
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import Via
from viridian_shared.prediction_log import RedactAction

KEY = "a key of sixteen characters or more"
AGE, NAME = Tensor("age", DataType.INT64, (1,)), Tensor("name", DataType.BYTES, (1,))
PEOPLE = ModelSchema((AGE, NAME), (Tensor("y", DataType.INT64, (1,)),), 8)
VECTOR = ModelSchema((Tensor("X", DataType.FP32, (3,)),), (Tensor("y", DataType.INT64, (1,)),), 8)


DROP, MASK, HASH = RedactAction
UNKNOWN = FeatureMetadata()


def redactor(
    rules: Rules, schema: ModelSchema = PEOPLE, metadata: FeatureMetadata = UNKNOWN, key: str = KEY
) -> Redactor:
    return Redactor(rules, key, schema, metadata)


def records(
    body: object,
    *,
    schema: ModelSchema = PEOPLE,
    path: bytes = b"/predict",
    rows: int = 1,
    sample: float = 1.0,
    **context: Any,
) -> list[Any]:
    request = Request(b"POST", path, {}, json.dumps(body).encode(), 0.0)
    given = {
        "via": Via.SPLIT,
        "request_id": "r1",
        "deadline": 0.0,
        "time_ns": 1_800_000_000_123_456_000,
        "many": isinstance(body, list),
        "instances": [Encoded((), rows, ())] if rows else (),
        "predictions": [{"prediction": 1, "confidence": 0.75}] * rows,
        "outcome": Outcome.OK,
        "answered_by": "model",
        "seconds": 0.0123456789,
    }
    log = PredictionLog(load(GIVEN), sample, {}, KEY, schema, FeatureMetadata())
    return [json.loads(record.line) for record in log.records(context_of(request, **{**given, **context}))]


# -- records of copies to which a candidate answered differently


def disagreement(answer: object, path: bytes = b"/predict", rules: Rules | None = None) -> list[Any]:
    body = [{"age": 1, "name": "Ada"}, {"age": 2, "name": "Bob"}]
    request = Request(b"POST", path, {}, json.dumps(body).encode(), 0.0)
    context = context_of(request, "r1", Via.SPLIT, 0.0, many=True, instances=[Encoded((), 2, ())])
    context.predictions, context.outcome = [{"prediction": 3}, {"prediction": 4}], Outcome.OK
    log = PredictionLog(load(GIVEN), 0.0, rules or {}, KEY, PEOPLE, FeatureMetadata())  # nothing is sampled
    return [json.loads(record.line) for record in log.disagreement(context, "iris-2", answer)]


def test_a_disagreement_is_logged_with_both_answers_though_it_was_not_sampled() -> None:
    other = [{"prediction": 3, "feedback_token": "x"}, {"prediction": 9, "request_id": "r1"}]
    found = disagreement(other, rules={"name": DROP})
    assert [(each["outputs"], each["shadow"]) for each in found] == [
        ({"prediction": 3}, {"candidate": "iris-2", "outputs": {"prediction": 3}}),
        ({"prediction": 4}, {"candidate": "iris-2", "outputs": {"prediction": 9}}),
    ]
    assert [each["inputs"] for each in found] == [{"age": 1}, {"age": 2}]


def test_the_other_answer_is_redacted_as_well() -> None:
    (first, _) = disagreement([{"prediction": 3}, {"prediction": 9}], rules={"prediction": MASK})
    assert first["shadow"]["outputs"] == first["outputs"] == {"prediction": "***"}


@pytest.mark.parametrize("answer", [None, [], ["no object", 3], "text"])
def test_of_a_candidate_that_refused_or_answered_in_another_form_there_is_no_answer(answer: object) -> None:
    assert [each["shadow"]["outputs"] for each in disagreement(answer)] == [None, None]


def test_tensors_of_the_other_answer_are_logged_by_their_names() -> None:
    (record,) = disagreement({"y": [[7]]}, path=b"/v2/models/iris/infer")
    assert record["shadow"] == {"candidate": "iris-2", "outputs": {"y": [[7]]}}


# -- records


def test_a_record_says_everything_about_a_prediction() -> None:
    (record,) = records({"age": 7, "name": "Ada"})
    assert record == {
        "time": "2027-01-15T08:00:00.123456+00:00",
        "request_id": "r1",
        "trace_id": None,
        "namespace": GIVEN["VIRIDIAN_NAMESPACE"],
        "model": GIVEN["VIRIDIAN_MODEL"],
        "version": GIVEN["VIRIDIAN_MODEL_VERSION"],
        "revision": GIVEN["VIRIDIAN_REVISION"],
        "color": GIVEN["VIRIDIAN_COLOR"],
        "pod_uid": GIVEN["VIRIDIAN_POD_UID"],
        "client": None,
        "via": "split",
        "outcome": "ok",
        "answered_by": "model",
        "seconds": 0.012346,
        "instance": 0,
        "inputs": {"age": 7, "name": "Ada"},
        "outputs": {"prediction": 1, "confidence": 0.75},
        "confidence": 0.75,
    }


def test_every_instance_of_a_list_has_a_record() -> None:
    found = records(
        [{"age": 1, "name": "a"}, {"age": 2, "name": "b"}], rows=2, predictions=[{"prediction": 3}, {"prediction": 4}]
    )
    assert [(r["instance"], r["inputs"]["age"], r["outputs"]["prediction"]) for r in found] == [(0, 1, 3), (1, 2, 4)]


def test_a_bare_value_gets_the_name_of_the_input() -> None:
    (record,) = records([1, 2, 3], schema=VECTOR, many=False)
    assert record["inputs"] == {"X": [1, 2, 3]}


def test_a_failure_keeps_its_inputs_and_has_no_outputs() -> None:
    (record,) = records({"age": 1, "name": "a"}, predictions=(), outcome=Outcome.ERROR, answered_by="stable")
    assert (record["inputs"]["age"], record["outputs"], record["confidence"]) == (1, None, None)
    assert (record["outcome"], record["answered_by"]) == ("error", "stable")


def test_a_body_that_is_not_valid_is_not_shown() -> None:
    (record,) = records({"nmae": "Ada"}, rows=0, outcome=Outcome.REJECTED, answered_by="pod")
    assert (record["inputs"], record["outputs"], record["outcome"]) == (None, None, "rejected")


TENSORS = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}]}
SCORED = Response(200, b'{"outputs": [{"name": "y", "datatype": "INT64", "shape": [2], "data": [8, 9]}]}')


def tensor_records(passed: Response | None = SCORED, **more: Any) -> list[Any]:
    sent = Demand()
    sent.sent = 1.0
    given = {"demand": sent, "rows": 0, "passed": passed, "predictions": (), **more}
    return records(TENSORS, schema=VECTOR, path=b"/v2/models/m/infer", **given)


def test_a_request_of_the_inference_protocol_is_one_record() -> None:
    (record,) = tensor_records()
    assert (record["instance"], record["confidence"], record["request_id"]) == (None, None, "r1")
    assert (record["inputs"], record["outputs"]) == ({"X": [[1, 2, 3], [4, 5, 6]]}, {"y": [8, 9]})


@pytest.mark.parametrize(
    ("context", "inputs"),
    [
        ({"outcome": Outcome.ERROR, "passed": None}, {"X": [[1, 2, 3], [4, 5, 6]]}),
        ({"outcome": Outcome.ERROR, "passed": Response(500, b"{}")}, {"X": [[1, 2, 3], [4, 5, 6]]}),
        ({"outcome": Outcome.REJECTED, "passed": Response(400, b"{}")}, None),
        # It never came to Triton, so nobody knows whether it is valid.
        ({"outcome": Outcome.REJECTED, "passed": None, "demand": Demand()}, None),
        ({"outcome": Outcome.ERROR, "passed": None, "demand": Demand()}, None),
    ],
)
def test_tensors_that_were_not_answered_have_no_outputs_and_none_that_are_not_valid_is_shown(
    context: dict[str, Any], inputs: object
) -> None:
    (record,) = tensor_records(**context)
    assert (record["inputs"], record["outputs"], record["outcome"]) == (inputs, None, context["outcome"])


def test_a_share_is_logged_and_by_the_request_s_id() -> None:
    # given
    ids = [f"request {i}" for i in range(2000)]
    body = {"age": 1, "name": "a"}
    # when
    logged = [i for i in ids if records(body, request_id=i, sample=0.25)]
    # then
    assert 400 < len(logged) < 600
    assert [i for i in ids if records(body, request_id=i, sample=0.25)] == logged
    assert records(body, sample=0.0) == []


def test_instances_of_one_piece_are_records_of_their_own() -> None:
    joined = Encoded(((1,), (1,)), 2, (struct.pack("<2q", 1, 2), b""))
    found = records([{"age": 1, "name": "a"}, {"age": 2, "name": "b"}], instances=[joined], rows=2)
    assert [record["inputs"]["age"] for record in found] == [1, 2]


# -- redaction


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ({}, {"age": 7, "name": "Ada"}),
        ({"name": DROP}, {"age": 7}),
        ({"name": MASK}, {"age": 7, "name": "***"}),
        ({"age": MASK, "name": DROP}, {"age": "***"}),
        ({"other": DROP}, {"age": 7, "name": "Ada"}),
    ],
)
def test_members_are_left_out_or_hidden(rules: Rules, shown: dict[str, Any]) -> None:
    assert redactor(rules).instance({"age": 7, "name": "Ada"}) == shown


def test_a_hash_tells_values_apart_and_needs_the_key() -> None:
    # given
    hashes = [
        redactor({"name": HASH}, key=key).instance({"name": name})["name"]  # type: ignore[index]
        for key, name in ((KEY, "Ada"), (KEY, "Ada"), (KEY, "Bob"), (KEY + "2", "Ada"))
    ]
    # then
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert "Ada" not in hashes[0]


def test_without_a_key_what_would_be_hashed_is_hidden() -> None:
    assert redactor({"name": HASH}, key="").instance({"age": 7, "name": "Ada"}) == {"age": 7, "name": "***"}


@pytest.mark.parametrize(
    ("rules", "features", "sensitive", "item", "shown"),
    [
        # With any rule, a value without a name is hidden: which rule is its is not known.
        ({"id": DROP}, (), (), [1, 2, 3], "***"),
        ({"X": MASK}, (), (), [1, 2, 3], {"X": "***"}),
        ({"X": DROP}, (), (), [1, 2, 3], {}),
        ({}, (), (), [1, 2, 3], {"X": [1, 2, 3]}),
        # A feature is hidden where it is named, and where the whole input is sent.
        ({"id": DROP}, (Feature("id", 0, 0),), (), {"X": [1, 2, 3]}, {"X": "***"}),
        ({"id": DROP}, (Feature("id", 0, 0),), (), {"id": 1, "b": 2}, {"b": 2}),
        ({"id": DROP}, (Feature("id", 0, 0),), (), [1, 2, 3], {"X": "***"}),
        # What the model's own description calls sensitive is left out unless a rule says how to show it.
        ({}, (Feature("id", 0, 0),), ("id",), {"id": 1, "b": 2}, {"b": 2}),
        ({"id": MASK}, (Feature("id", 0, 0),), ("id",), {"id": 1, "b": 2}, {"id": "***", "b": 2}),
    ],
)
def test_no_rule_is_evaded(
    rules: Rules, features: tuple[Feature, ...], sensitive: tuple[str, ...], item: object, shown: object
) -> None:
    metadata = FeatureMetadata(features, sensitive=frozenset(sensitive))
    assert redactor(rules, VECTOR, metadata).instance(item) == shown


@pytest.mark.parametrize(
    ("rules", "features", "shown"),
    [
        ({}, (), {"X": [1], "y": 2}),
        ({"y": DROP}, (), {"X": [1]}),
        ({"X": MASK}, (), {"X": "***", "y": 2}),
        # A rule for what is no tensor may be one for a part of any.
        ({"id": DROP}, (), {"X": "***", "y": "***"}),
        ({"id": DROP}, (Feature("id", 0, 0),), {"X": "***", "y": "***"}),
    ],
)
def test_no_rule_is_evaded_by_tensors(rules: Rules, features: tuple[Feature, ...], shown: object) -> None:
    assert redactor(rules, VECTOR, FeatureMetadata(features)).tensors({"X": [1], "y": 2}) == shown


def test_outputs_are_redacted_as_well() -> None:
    shown = redactor({"text": DROP, "score": MASK}).prediction({"prediction": {"text": "Ada", "score": 1}, "score": 2})
    assert shown == {"prediction": {"score": "***"}, "score": "***"}


def test_a_rule_reaches_outputs_beside_the_prediction() -> None:
    shown = redactor({"embedding": DROP}).prediction({"prediction": 1, "outputs": {"embedding": [4.0], "size": 2}})
    assert shown == {"prediction": 1, "outputs": {"size": 2}}


def test_a_sensitive_column_with_the_name_of_an_output_is_hidden_in_its_input() -> None:
    metadata = FeatureMetadata(sensitive=frozenset({"y"}))
    assert redactor({}, VECTOR, metadata).tensors({"X": [[1.0, 2.0, 3.0]]}) == {"X": "***"}


@pytest.mark.parametrize("rule", ["X[2]", "X[40]"])
def test_a_rule_for_one_number_hides_the_list(rule: str) -> None:
    assert redactor({rule: DROP}, VECTOR).instance({"X": [1, 2, 3]}) == {"X": "***"}


def test_a_tensor_that_the_model_has_not_is_hidden() -> None:
    assert redactor({"name": DROP}).tensors({"Name": [["Ada"]], "age": [[3]]}) == {"Name": "***", "age": [[3]]}
