"""More than a hundred requests that are refused, and what is said of each."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from tests.serving.malformed import Malformed, address, requests
from tests.serving.models import CUSTOMER, CUSTOMERS, customers
from tests.serving.pod import Pod, running_pod
from tests.waiting import DEADLINE, until

from viridian_serving.codec.answers import Prediction
from viridian_serving.codec.instances import InstanceReader, Instances
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.query_string import QuestionReader
from viridian_serving.contract.schema_file import parse
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.problems import Problem
from viridian_serving.inference import predictor as predictor_module
from viridian_serving.inference.predictor import Predictor
from viridian_serving.inference.request_context import RequestContext
from viridian_shared.counts.via import Via

MODEL = ModelSchema(
    (
        Tensor("X", DataType.FP32, (3,)),
        Tensor("age", DataType.INT64, (1,)),
        Tensor("city", DataType.BYTES, (1,)),
        Tensor("note", DataType.BYTES, (1,)),
        Tensor("tier", DataType.FP32, (1,)),
        Tensor("member", DataType.BOOL, (1,)),
        Tensor("history", DataType.FP32, (4,)),
        Tensor("ids", DataType.INT32, (-1,)),
    ),
    (
        Tensor("label", DataType.INT64, (1,)),
        Tensor("probabilities", DataType.FP32, (3,)),
        Tensor("total", DataType.FP32, (1,)),
    ),
    128,
)
REQUESTS = requests()
every_request = pytest.mark.parametrize("request_", REQUESTS, ids=[each.name for each in REQUESTS])


@pytest.fixture(scope="module")
def contract() -> Contract:
    return bind(parse(CUSTOMERS.encode()), MODEL)


def check(request_: Malformed, kind: str, errors: list[str], more: int) -> None:
    assert kind == f"urn:viridian:problem:{request_.kind}"
    assert (len(errors), more) == (request_.listed, request_.more)
    if request_.fields is not None:
        assert sorted(errors) == sorted(request_.fields)


def test_there_are_a_hundred() -> None:
    assert len(REQUESTS) >= 100
    assert len({request_.name for request_ in REQUESTS}) == len(REQUESTS)


@every_request
def test_the_parsing_core_names_every_field(contract: Contract, request_: Malformed) -> None:
    # given
    read: Callable[[bytes], object] = InstanceReader(contract.requests, 1000).read
    sent = request_.body
    if sent is None:
        read, sent = QuestionReader(contract, "m-1").read, (request_.query or "").encode()
    # when
    with pytest.raises(Problem) as raised:
        read(sent)
    # then
    problem = raised.value
    assert problem.status == request_.status
    check(
        request_,
        f"urn:viridian:problem:{problem.kind}",
        [error.pointer for error in problem.errors],
        problem.extra_errors,
    )


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("customers"), customers) as running:
        yield running


@pytest.mark.serving
def test_the_server_says_the_same_and_the_model_is_never_asked(pod: Pod) -> None:
    # given
    before = pod.calls()
    # when
    answers = [
        pod.request("POST", "/predict", each.body)
        if each.body is not None
        else pod.get(f"/predict?{each.query}" if each.query else "/predict")
        for each in REQUESTS
    ]
    # then
    for request_, answer in zip(REQUESTS, answers, strict=True):
        assert answer.status == request_.status, request_.name
        assert answer.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = answer.json
        assert document["request_id"] == answer.headers["x-request-id"]
        assert "Traceback" not in answer.body.decode()
        errors = [error["pointer"] for error in document.get("errors", [])]
        check(request_, document["type"], errors, document.get("more_errors", 0))
    assert pod.calls() == before
    assert set(pod.counts()) == {("direct", "rejected")}


@pytest.mark.serving
def test_a_good_instance_is_answered_however_it_is_asked(pod: Pod) -> None:
    # when
    posted = pod.predict(CUSTOMER)
    listed = pod.predict([CUSTOMER, CUSTOMER])
    asked = pod.get(f"/predict?{address(CUSTOMER)}")
    # then
    assert (posted.status, listed.status, asked.status) == (200, 200, 200), asked.body
    assert posted.json["prediction"] == asked.json["prediction"] == "none"
    assert posted.json["probabilities"] == {"none": 1.0, "small": 0.0, "large": 0.0}
    assert len(listed.json["predictions"]) == 2
    assert "outputs" not in posted.json


@pytest.mark.serving
def test_a_body_that_is_too_large_is_refused_before_it_is_read(pod: Pod) -> None:
    answer = pod.request("POST", "/predict", b" " * (17 << 20))
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")
    assert answer.json["error"] == answer.json["detail"]
    assert answer.json["request_id"] == answer.headers["x-request-id"]


@pytest.mark.serving
def test_of_a_large_body_with_300_000_mistakes_a_hundred_are_named(pod: Pod) -> None:
    answer = pod.predict({**CUSTOMER, "ids": ["x"] * 300_000})
    assert (answer.status, len(answer.json["errors"]), answer.json["more_errors"]) == (400, 100, 299_900)


class Model:
    """Answers every instance at once."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    async def submit(self, *_: object) -> list[Prediction]:
        return [{"prediction": "none"}]


@pytest.mark.skipif(not predictor_module.__file__.endswith(".py"), reason="a compiled one takes no double of Model")
async def test_others_are_answered_while_a_large_body_is_examined(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a reader that stops in the middle of a body until it is let go on
    begun, gate, read = threading.Event(), threading.Event(), InstanceReader.read_carefully

    def held(reader: InstanceReader, body: bytes) -> Instances:
        begun.set()
        assert gate.wait(DEADLINE), "nobody else was answered meanwhile"
        return read(reader, body)

    monkeypatch.setattr(InstanceReader, "read_carefully", held)
    predictor = Predictor(cast("Any", Model(contract)), 1000, {"revision": "m-1"})

    async def predict(body: object) -> Response:
        request = Request(b"POST", b"/predict", {}, json.dumps(body).encode(), 0.0)
        return await predictor.answer(RequestContext(request, "id", Via.SPLIT, asyncio.get_running_loop().time() + 60))

    # when a large body is being examined
    large = asyncio.create_task(predict({**CUSTOMER, "ids": ["x"] * 100_000}))
    await until(begun.is_set)
    # then another request is answered
    assert (await predict(CUSTOMER)).status == 200
    assert not large.done()
    # and afterwards the large one
    gate.set()
    with pytest.raises(Problem) as refused:
        await large
    assert (refused.value.status, refused.value.extra_errors) == (400, 99_900)
