"""Real Triton, real API: what the pod tells about its predictions."""

import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.pod import Pod, post_many, running_pod

pytestmark = pytest.mark.component

KEYS = {"FEEDBACK_KEY": "a key of this model and of no other\n"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("digits"), models.digits, **KEYS) as pod:
        yield pod


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """Another revision of the same model, which predicts numbers."""
    with running_pod(tmp_path_factory.mktemp("lookup"), models.lookup, REVISION="m-2", **KEYS) as pod:
        yield pod


def feedback(pod: Pod, family: str = "viridian_feedback") -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[name] for name in ("revision", "via", "result") if name in sample.labels)): (
            sample.value
        )
        for sample in pod.samples(family)
        if sample.value
    }


# -- feedback


def test_any_pod_of_the_model_counts_what_another_one_predicted(digits: Pod, lookup: Pod) -> None:
    # given a label from one revision, and numbers from the other
    answer = digits.predict([0.0] * 64, Viridian_Via="split").json
    (first, second) = lookup.predict([{"i": 3}, {"i": 4}], Viridian_Via="pin").json["predictions"]
    # when the truth is told to the pods that did not predict it
    told = lookup.feedback({"token": answer["feedback_token"], "actual": answer["prediction"]})
    numbers = digits.feedback(
        [{"token": first["feedback_token"], "actual": 31}, {"token": second["feedback_token"], "actual": 38.5}]
    )
    # then each is counted for the revision that predicted
    assert (told.status, told.json) == (200, {"counted": 1, "repeated": 0})
    assert (numbers.status, numbers.json) == (200, {"counted": 2, "repeated": 0})
    assert feedback(lookup) == {("viridian_feedback_total", "m-1", "split", "correct"): 1}
    assert feedback(digits, "viridian_feedback_absolute_error") == {
        ("viridian_feedback_absolute_error_sum", "m-2", "pin"): 2.5,
        ("viridian_feedback_absolute_error_count", "m-2", "pin"): 2,
    }


def test_a_pod_s_own_series_of_feedback_are_there_at_zero(lookup: Pod) -> None:
    own = [sample for sample in lookup.samples("viridian_feedback") if sample.labels["revision"] == "m-2"]
    assert len(own) == 6 * 2
    assert {sample.value for sample in own} == {0}


def test_a_token_that_was_altered_is_a_problem_document(digits: Pod) -> None:
    # given
    token = digits.predict([0.0] * 64).json["feedback_token"]
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    # when
    answer = digits.feedback({"token": altered, "actual": 0})
    # then
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json["errors"]] == ["/token"]


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405)])
def test_feedback_is_posted(digits: Pod, method: str, status: int) -> None:
    assert digits.request(method, "/feedback").status == status


def test_feedback_is_no_inference(digits: Pod) -> None:
    before = digits.counts()
    assert digits.feedback({}).status == 400
    assert digits.counts() == before


def test_without_a_key_there_are_no_tokens(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as pod:
        assert "feedback_token" not in pod.predict({"i": 3}).json
        answer = pod.feedback({"token": "v1.x", "actual": 1})
        assert (answer.status, answer.json["type"]) == (404, "urn:viridian:problem:no-feedback-key")
        assert "m-feedback" in answer.json["detail"]


# -- metrics


def nonzero(pod: Pod, family: str) -> dict[tuple[str, ...], float]:
    """Values that are not zero, by name and by the labels that are not the pod's own."""
    labels = ("via", "class", "feature", "le", "route", "code")
    return {
        (sample.name, *(sample.labels[name] for name in labels if name in sample.labels)): sample.value
        for sample in pod.samples(family)
        if sample.value
    }


async def test_what_is_asked_and_answered_is_counted(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.digits) as pod:
        # given a pod that has answered nothing but its trial
        for family in ("predictions", "prediction_confidence", "feature_value"):
            assert nonzero(pod, f"viridian_{family}") == {}
        # when
        answers = await post_many(pod, [{"X": [float(i)] * 64} for i in range(40)], Viridian_Via="split")
        pod.predict({"X": "?"})
        # then
        labels = Counter(answer.json["prediction"] for answer in answers)
        assert nonzero(pod, "viridian_predictions") == {
            ("viridian_predictions_total", "split", str(label)): number for label, number in labels.items()
        }
        confidences = [answer.json["confidence"] for answer in answers]
        assert nonzero(pod, "viridian_prediction_confidence")["viridian_prediction_confidence_sum",] == pytest.approx(
            sum(confidences)
        )
        features = nonzero(pod, "viridian_feature_value")
        assert features["viridian_feature_value_bucket", "X[31]", "+Inf"] == 40
        assert features["viridian_feature_value_bucket", "X[0]", "1.0"] == 2
        assert ("viridian_feature_value_bucket", "X[32]", "+Inf") not in features
        # and so is how: every call's size and wait, the trial's included
        assert nonzero(pod, "viridian_call_size")["viridian_call_size_sum",] == 41
        assert nonzero(pod, "viridian_queue_seconds")["viridian_queue_seconds_count",] == 41
        assert nonzero(pod, "viridian_responses")["viridian_responses_total", "predict", "200"] == 40
        assert nonzero(pod, "viridian_responses")["viridian_responses_total", "predict", "400"] == 1


def test_what_is_no_request_is_counted_as_well(digits: Pod) -> None:
    with socket.create_connection(("127.0.0.1", digits.ports["HTTP_PORT"])) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        assert b"400" in connection.recv(1000)
    assert nonzero(digits, "viridian_responses")["viridian_responses_total", "none", "400"] == 1
