"""What a stranger sends costs nobody else anything: not the model, not its place in a rollout, not the pod's memory."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.http
from tests.serving import models
from tests.serving.hostile import Hostile, pointers, requests
from tests.serving.pod import Answer, Pod, children_in, running_pod
from tritonclient.grpc import service_pb2

from viridian_serving.codec.oip_grpc_request import MessageReader
from viridian_serving.codec.oip_request import InferReader
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.http1.problems import Problem

IRIS = ModelSchema(
    (Tensor("X", DataType.FP32, (4,)),),
    (Tensor("label", DataType.INT64, (1,)), Tensor("probabilities", DataType.FP32, (3,))),
    128,
)
REQUESTS = requests()
TIMES, BESIDE = 24, 48 << 20
"""Memory that a request may take: so many times its body's size, as a list of numbers does, and this much beside."""

ALIVE = {("check", "ok"): 1}
"""What the look after each of them counts as."""


def of(*surfaces: str) -> pytest.MarkDecorator:
    rows = [each for each in REQUESTS if each.surface in surfaces]
    return pytest.mark.parametrize("request_", rows, ids=[each.name for each in rows])


def test_there_are_more_than_eighty() -> None:
    assert len(REQUESTS) >= 80
    assert len({each.name for each in REQUESTS}) == len(REQUESTS)
    assert {each.surface for each in REQUESTS} == {"infer", "grpc", "predict", "feedback"}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(each, id=each.name)
        for each in REQUESTS
        if each.surface in ("infer", "grpc")
        and each.kinds - {"not-found"}
        and "Content-Encoding" not in each.headers
        and each.code != "NOT_FOUND"
    ],
)
def test_the_readers_name_what_is_wrong(request_: Hostile) -> None:
    # given
    length = request_.headers.get("Inference-Header-Content-Length")
    http = partial(InferReader(IRIS).read, header_length=None if length is None else length.encode())
    read: Callable[[bytes], object] = MessageReader(IRIS, "m").read if request_.surface == "grpc" else http
    # when
    with pytest.raises(Problem) as refused:
        read(request_.body)
    # then
    assert refused.value.status == 400
    assert refused.value.kind in request_.kinds
    if request_.fields is not None:
        _named([each.pointer for each in refused.value.errors], request_)


def test_a_header_that_is_known_means_the_same_and_the_tensors_are_not_copied() -> None:
    # given
    tensor = bytes(range(16))
    entry = {"name": "X", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
    header = json.dumps({"inputs": [entry], "unknown": 1}).encode()
    reader, length = InferReader(IRIS), b"%d" % len(header)
    # when
    first, second = (reader.read(header + tensor, length) for _ in range(2))
    # then
    assert [bytes(each) for each in first.body] == [bytes(each) for each in second.body]
    assert json.loads(first.body[0]) == {"inputs": [entry]}
    assert all(isinstance(each.tensors[0], memoryview) and each.tensors[0] == tensor for each in (first, second))
    # and it is not known of more bytes
    with pytest.raises(Problem):
        reader.read(header + tensor + b"x", length)


@pytest.mark.parametrize(
    ("max_batch", "shape", "instances"), [(128, [3, 4], 3), (128, [0, 4], 0), (0, [3, 4], 1), (0, [], 1), (128, [], 1)]
)
def test_the_readers_know_how_many_instances_are_asked_about(max_batch: int, shape: list[int], instances: int) -> None:
    # given one request, by HTTP as values and as bytes, and by gRPC
    model = ModelSchema((Tensor("X", DataType.UINT8, (-1,)),), (), max_batch)
    raw = bytes(prod(shape))
    entry = {"name": "X", "shape": shape, "datatype": "UINT8"}
    values = json.dumps({"inputs": [{**entry, "data": list(raw)}]}).encode()
    header = json.dumps({"inputs": [{**entry, "parameters": {"binary_data_size": len(raw)}}]}).encode()
    message = service_pb2.ModelInferRequest(model_name="m", inputs=[entry], raw_input_contents=[raw])
    http, grpc = InferReader(model), MessageReader(model, "m")
    # then all of them say the same, also of a header that is known
    assert http.read(values, None).instances == instances
    assert {http.read(header + raw, b"%d" % len(header)).instances for _ in range(2)} == {instances}
    assert grpc.read(message.SerializeToString()).instances == instances
    assert http.read(raw, b"0").instances == 1


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("iris"), models.iris, FEEDBACK_KEY="k" * 16) as running:
        yield running


@pytest.mark.serving
@of("infer", "predict", "feedback")
def test_by_http_it_is_refused_and_nothing_else_happens(pod: Pod, request_: Hostile) -> None:
    # given
    before = pod.counts()
    method = "GET" if "?" in request_.path else "POST"
    # when
    with unharmed(pod, len(request_.body)):
        answer = pod.request(
            method, request_.path, request_.body or None, headers={**request_.headers, "Viridian-Via": "split"}
        )
    # then
    assert answer.status == request_.status, answer.body
    if request_.kinds:
        _document(answer, request_)
    assert pod.since(before) == ALIVE | ({("split", "rejected"): 1} if request_.counts else {})


@pytest.mark.serving
@of("grpc")
def test_by_grpc_it_is_refused_and_nothing_else_happens(pod: Pod, request_: Hostile) -> None:
    # given
    before = pod.counts()
    with grpc.insecure_channel(f"127.0.0.1:{pod.ports['GRPC_PORT']}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        # when
        with unharmed(pod, len(request_.body)), pytest.raises(grpc.RpcError) as refused:
            call(request_.body, timeout=30)
    # then
    error: Any = refused.value
    assert error.code() is grpc.StatusCode[request_.code], error.details()
    for pointer in request_.fields or []:
        assert pointer in error.details()
    assert pod.since(before) == ALIVE | {("direct", "rejected"): 1}


@pytest.mark.serving
def test_what_is_right_is_answered_in_every_form(pod: Pod) -> None:
    # given
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{pod.ports['HTTP_PORT']}")
    rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]], dtype=np.float32)
    labels = [pod.predict(row.tolist()).json["prediction"] for row in rows]
    nested = {"inputs": [{"name": "X", "shape": [2, 4], "datatype": "FP32", "data": rows.tolist()}]}
    # when
    answers = []
    for binary in (True, False):
        for coding in (None, "gzip", "deflate"):
            given = tritonclient.http.InferInput("X", [2, 4], "FP32")
            given.set_data_from_numpy(rows, binary_data=binary)
            result = client.infer("m", [given], request_compression_algorithm=coding)
            answers.append(result.as_numpy("label").ravel().tolist())
    for text in (json.dumps(nested), json.dumps(nested, indent=40)):
        answer = pod.request("POST", "/v2/models/m/infer", text.encode())
        answers.append(answer.json["outputs"][0]["data"])
    alone = pod.request(
        "POST", "/v2/models/m/infer", rows[0].tobytes(), headers={"Inference-Header-Content-Length": "0"}
    )
    # then
    assert answers == [labels] * 8
    assert alone.status == 200, alone.body


def _document(answer: Answer, request_: Hostile) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["type"].removeprefix("urn:viridian:problem:") in request_.kinds
    assert "Traceback" not in answer.body.decode()
    if request_.fields is not None:
        _named(list(pointers(answer.json)), request_)


def _named(found: list[str], request_: Hostile) -> None:
    wanted = [set(each.split("|")) for each in request_.fields or []]
    assert len(found) == len(wanted), found
    assert all(pointer in one for pointer, one in zip(found, wanted, strict=True)), found


@contextmanager
def unharmed(pod: Pod, size: int) -> Iterator[None]:
    """Triton is the same afterwards and answers, and no process took more memory than a body of this size may."""
    assert pod.api is not None
    processes = [pod.api.pid, *children_in(pod.directory)]
    before = {pid: _memory(pid, "VmRSS") for pid in processes}
    for pid in processes:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # begins the peak anew
    yield
    assert [pod.api.pid, *children_in(pod.directory)] == processes
    for pid in processes:
        assert _memory(pid, "VmHWM") - before[pid] <= TIMES * size + BESIDE
    assert pod.predict([5.1, 3.5, 1.4, 0.2], Viridian_Via="check").status == 200


def _memory(pid: int, which: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(which)).split()[1]) << 10
