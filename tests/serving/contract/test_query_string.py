"""GET /predict: what an address says, and when its answer is still the answer."""

import json
from collections.abc import Iterator

import pytest
from tests.serving import models
from tests.serving.api.test_malformed import MODEL
from tests.serving.malformed import address
from tests.serving.models import CUSTOMER, CUSTOMERS
from tests.serving.pod import Pod, running_pod

from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.query_string import QuestionReader
from viridian_serving.contract.schema_file import parse
from viridian_serving.http1.messages import Request
from viridian_serving.http1.problems import Problem
from viridian_serving.http1.request_ids import request_id_of
from viridian_serving.metrics.guard_counters import outcome_of
from viridian_shared.counts.outcome import Outcome

TWO = ModelSchema(
    (Tensor("a", DataType.FP32, (1,)), Tensor("s", DataType.BYTES, (1,))), (Tensor("y", DataType.FP32, (1,)),), 8
)


def reader(text: str = "description: x", model: ModelSchema = TWO, revision: str = "m-1") -> QuestionReader:
    return QuestionReader(bind(parse(text.encode()), model), revision)


def request(**headers: str) -> Request:
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Request(b"GET", b"/predict", given, b"", 0.0)


@pytest.mark.parametrize(
    ("query", "instance"),
    [
        (b"a=1.5&s=x", {"a": 1.5, "s": "x"}),
        (b"s=&a=-1e2", {"a": -100.0, "s": ""}),
        (b"a=1&s=K%C3%B6ln+am%20Rhein", {"a": 1, "s": "Köln am Rhein"}),
        (b"a=1&s=null", {"a": 1, "s": "null"}),
        (b"a=%5B1%5D&s=%5B1%5D", {"a": [1], "s": "[1]"}),
    ],
)
def test_an_address_is_an_instance(query: bytes, instance: dict[str, object]) -> None:
    assert json.loads(reader().read(query).body) == instance


def test_an_address_says_all_that_a_body_says() -> None:
    read = reader(CUSTOMERS, MODEL).read(address(CUSTOMER).encode())
    assert json.loads(read.body) == CUSTOMER
    left_empty = address(CUSTOMER).replace("balance=null", "balance=")
    assert reader(CUSTOMERS, MODEL).read(left_empty.encode()) == read


def test_the_etag_is_of_the_revision_and_of_what_is_meant() -> None:
    # given
    etag = reader().read(b"a=1.5&s=x").etag
    # then
    for same in (b"s=x&a=1.5", b"a=1.50&s=x", b"a=15e-1&s=%78"):
        assert reader().read(same).etag == etag
    for other in (b"a=1.5&s=y", b"a=1.6&s=x"):
        assert reader().read(other).etag != etag
    assert reader(revision="m-2").read(b"a=1.5&s=x").etag != etag


@pytest.mark.parametrize(
    ("given", "known"),
    [("{}", True), ("W/{}", True), ('"x", {}', True), ("*", True), ('"x"', False), ("{}x", False), ("", False)],
)
def test_if_none_match(given: str, known: bool) -> None:
    question = reader().read(b"a=1&s=x")
    assert question.is_known_to(request(if_none_match=given.format(question.etag.decode()))) is known


def test_caches_ask_again_unless_the_schema_says_how_long_an_answer_holds() -> None:
    assert (b"Cache-Control", b"no-cache") in reader().read(b"a=1&s=x").headers
    kept = reader("answer: {max_age: 60}").read(b"a=1&s=x")
    assert (b"Cache-Control", b"public, max-age=60") in kept.headers


def test_a_whole_number_is_one_however_it_is_written() -> None:
    read = reader(CUSTOMERS, MODEL).read
    assert read(address(CUSTOMER | {"age": 44.0}).encode()).etag == read(address(CUSTOMER).encode()).etag


def test_what_is_sensitive_is_asked_with_post_only() -> None:
    with pytest.raises(Problem) as refused:
        reader("features: [{name: a, sensitive: true}, {name: s}]").read(b"a=1&s=x")
    assert (refused.value.status, refused.value.kind) == (405, "sensitive")
    assert "'a' must not be in a URL" in refused.value.detail


def test_many_repeated_names_cost_no_time() -> None:
    with pytest.raises(Problem):
        reader().read(b"&".join(b"x%d=1&x%d=1" % (i, i) for i in range(4000)))
    with pytest.raises(Problem, match="400"):
        reader().read(b"a=1&" * 20_000)


def test_an_answer_from_a_cache_is_not_judged() -> None:
    assert outcome_of(304) is Outcome.REJECTED


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x_request_id": "mine"}, "mine"),
        ({"traceparent": f"cc-{TRACE}-b7ad6b7169203331-01-later"}, TRACE),
        ({"traceparent": f"ff-{TRACE}-b7ad6b7169203331-01"}, None),
        ({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, None),
        ({"traceparent": f"00-{TRACE.upper()}-b7ad6b7169203331-01"}, None),
        ({"traceparent": "00-\x00"}, None),
        ({}, None),
    ],
)
def test_the_request_id_is_the_client_s_or_its_trace_s(headers: dict[str, str], found: str | None) -> None:
    given = request_id_of(request(**headers).headers)
    assert given == found if found else len(given) == 32 and given != TRACE


def test_without_a_schema_inputs_are_asked_by_their_names() -> None:
    question = QuestionReader(Contract.derived(TWO), "m-1").read(b"a=1&s=x")
    assert json.loads(question.body) == {"a": 1, "s": "x"}


# -- a pod


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("customers"), models.customers) as running:
        yield running


@pytest.mark.serving
def test_a_known_answer_is_not_asked_of_the_model(pod: Pod) -> None:
    # given
    path = f"/predict?{address(CUSTOMER)}"
    first = pod.get(path)
    calls, counts = pod.calls(), pod.counts()
    # when
    again = pod.request("GET", path, headers={"If-None-Match": first.headers["etag"], "Viridian-Via": "split"})
    # then
    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-length" not in again.headers
    assert pod.calls() == calls
    assert pod.counts() == counts | {("split", "rejected"): 1}


@pytest.mark.serving
def test_a_head_is_answered_without_its_body(pod: Pod) -> None:
    answer = pod.request("HEAD", f"/predict?{address(CUSTOMER)}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["etag"] == pod.get(f"/predict?{address(CUSTOMER)}").headers["etag"]


@pytest.mark.serving
def test_no_cache_keeps_a_refusal(pod: Pod) -> None:
    answer = pod.get("/predict?age=1")
    assert (answer.status, answer.headers["cache-control"]) == (400, "no-store")


@pytest.mark.serving
def test_the_inference_protocol_is_closed_where_the_policy_keeps_something_back(pod: Pod) -> None:
    answer = pod.request("POST", "/v2/models/m/infer", b"{}")
    assert (answer.status, answer.json["type"]) == (403, "urn:viridian:problem:raw-closed")
    assert pod.get("/v2/models/m").status == 200
