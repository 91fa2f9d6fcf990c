"""What requests failed with, by type, status and sentence."""

import pytest
from tests.serving.contexts import context_of

from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.schema_file import parse
from viridian_serving.http1.messages import Request, Response
from viridian_serving.inference.request_context import Failure, RequestContext
from viridian_serving.telemetry.failures import ABANDONED, FailureCounts, failure_of
from viridian_shared.counts.via import Via

MODEL = ModelSchema((Tensor("X", DataType.FP32, (1,)),), (Tensor("y", DataType.FP32, (1,)),), 8)
PLAIN = "features: [{name: age}]"


def counting(schema: str = PLAIN) -> FailureCounts:
    counts = FailureCounts()
    counts.begin(bind(parse(schema.encode()), MODEL))
    return counts


def failed(
    cause: str = "", kind: str = "model-failed", status: int | None = 500, via: Via = Via.SPLIT, body: bytes = b"{}"
) -> RequestContext:
    context = context_of(Request(b"POST", b"/predict", {}, body, 0.0), "id", via, 0)
    context.failure = Failure(kind, status, cause)
    return context


def shown(counts: FailureCounts) -> dict[tuple[str, str, str], float]:
    (family,) = counts.families(("model",), ("m",))
    assert family.name == "viridian_failures"
    for sample in family.samples:
        assert list(sample.labels) == ["model", "type", "status", "detail"]
    return {(s.labels["type"], s.labels["status"], s.labels["detail"]): s.value for s in family.samples}


def test_failures_are_counted_by_what_they_failed_with() -> None:
    # given
    counts = counting()
    # when some fail, in their own words or in none, and one client leaves
    counts.observe([failed("ValueError: 'a'"), failed("ValueError: 'b'"), failed("KeyError: 'age'")])
    counts.observe([failed("ValueError: 'c'"), failed(kind="timeout", status=504)])
    abandoned = failed()
    abandoned.failure = ABANDONED
    succeeded = failed()
    succeeded.failure = None
    counts.observe([abandoned, succeeded])
    # then
    assert shown(counts) == {
        ("model-failed", "500", "ValueError"): 3,
        ("model-failed", "500", "KeyError: 'age'"): 1,
        ("timeout", "504", ""): 1,
        ("no-answer", "", "the client left before there was an answer"): 1,
    }


@pytest.mark.parametrize("via", list(Via))
def test_only_requests_of_users_count(via: Via) -> None:
    counts = counting()
    counts.observe([failed(via=via)])
    assert bool(shown(counts)) is (via in {Via.SPLIT, Via.PIN, Via.DIRECT})


def test_however_many_different_words_there_are_the_series_stay_few() -> None:
    # given models that never say the same twice, in one moment and from moment to moment
    counts, words = counting(), [f"{'a' * i}Error" for i in range(1, 40)]
    counts.observe([failed(word) for word in words])
    for word in words:
        counts.observe([failed(word)])
    # then all are counted, most of them without a sentence
    found = shown(counts)
    assert len(found) == 5
    assert sum(found.values()) == 78
    assert ("model-failed", "500", "") in found


def test_words_that_differ_in_numbers_alone_are_the_same() -> None:
    counts = counting()
    counts.observe([failed(f"IndexError: index {i} of {i * i}") for i in range(100)])
    assert shown(counts) == {("model-failed", "500", "IndexError: index … of"): 100}


def test_what_most_requests_failed_with_in_a_moment_is_read_first() -> None:
    counts = counting()
    rare = [failed(f"{'a' * i}Error") for i in range(1, 20)]
    counts.observe([*rare, *(failed("KeyError") for _ in range(10))])
    assert shown(counts)["model-failed", "500", "KeyError"] == 10


def test_requests_that_failed_together_are_held_against_each_other_s_words() -> None:
    counts, said = counting(), "RuntimeError: no city Graz"
    counts.observe([failed(said, body=b'{"c": "Basel"}'), failed(said, body=b'{"c": "Graz"}')])
    assert shown(counts) == {("model-failed", "500", "RuntimeError: no city"): 2}


def test_a_sensitive_feature_leaves_no_more_than_the_kind() -> None:
    counts = counting("features: [{name: age, sensitive: true}]")
    counts.observe([failed("ValueError: this word is nobody's")])
    assert shown(counts) == {("model-failed", "500", "ValueError"): 1}


def test_a_compressed_body_leaves_no_more_than_the_kind_either() -> None:
    context = failed("ValueError: this word is nobody's")
    context.request.headers[b"content-encoding"] = b"gzip"
    counts = counting()
    counts.observe([context])
    assert shown(counts) == {("model-failed", "500", "ValueError"): 1}


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (Response(500, b"", problem="preprocess-failed", cause="KeyError: 'x'"),
         Failure("preprocess-failed", 500, "KeyError: 'x'")),
        (Response(504, b"", problem="timeout"), Failure("timeout", 504)),
        (Response(500, b'{"error": "no"}', cause="no"), Failure("model-failed", 500, "no")),
    ],
)  # fmt: skip
def test_what_an_answer_failed_with(response: Response, failure: Failure) -> None:
    assert failure_of(response) == failure
