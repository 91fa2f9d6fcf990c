"""Real Triton, real API: what is told about predictions afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.api.test_two_pods import two_pods
from tests.serving.pod import Pod, running_pod

pytestmark = pytest.mark.serving

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


def test_the_token_of_a_rescued_answer_is_stable_s(tmp_path: Path) -> None:
    with two_pods(tmp_path, both=KEYS) as pair:
        pair.wait_until_known()
        # given an answer that stable gave in the candidate's stead
        answer = pair.candidate.predict({"i": 9}, Viridian_Via="split").json
        # when the candidate is told the truth
        assert pair.candidate.feedback({"token": answer["feedback_token"], "actual": 91}).json["counted"] == 1
        # then it counts it for stable, apart from what stable was asked by the route
        assert feedback(pair.candidate, "viridian_feedback_absolute_error") == {
            ("viridian_feedback_absolute_error_sum", "m-1", "fallback"): 1,
            ("viridian_feedback_absolute_error_count", "m-1", "fallback"): 1,
        }


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
