"""The Open Inference Protocol over gRPC, by the client that Triton's users have, with a real Triton behind the API."""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as tritongrpc
from tests.frozen import frozen
from tests.serving import models
from tests.serving.pod import Pod, running_pod
from tests.waiting import DEADLINE, eventually
from tritonclient.utils import InferenceServerException

Client = tritongrpc.InferenceServerClient

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("grpc"), models.lookup, ABANDONED_AFTER="100ms", TIMEOUT="2s") as made:
        yield made


@pytest.fixture
def client(pod: Pod) -> Iterator[Client]:
    with client_of(pod) as made:
        yield made


def client_of(pod: Pod, port: str = "GRPC_PORT") -> Client:
    return Client(f"127.0.0.1:{pod.ports[port]}")


def index(*values: int) -> tritongrpc.InferInput:
    given = tritongrpc.InferInput("i", [len(values), 1], "INT64")
    given.set_data_from_numpy(np.array(values, dtype=np.int64).reshape(-1, 1))
    return given


def test_an_inference_is_answered_as_triton_answers_it_and_counts(pod: Pod, client: Client) -> None:
    # given
    before, answered = pod.counts(), pod.predictions()
    # when
    result = client.infer("m", [index(3, 7)], request_id="r1", headers={"x-request-id": "seen"})
    # then
    assert result.as_numpy("y").tolist() == [[30.0], [70.0]]
    assert result.get_response().id == "r1"
    assert pod.since(before) == {("direct", "ok"): 1}
    assert pod.predictions() - answered == 2


def test_what_is_read_is_what_triton_says_and_does_not_count(pod: Pod, client: Client) -> None:
    before = pod.counts()
    with client_of(pod, "TRITON_GRPC_PORT") as triton:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("m")
        assert client.get_server_metadata() == triton.get_server_metadata()
        assert client.get_model_metadata("m") == triton.get_model_metadata("m")
        assert client.get_model_config("m") == triton.get_model_config("m")
        assert client.get_inference_statistics("m") == triton.get_inference_statistics("m")
    assert pod.since(before) == {}


@pytest.mark.parametrize(
    ("model", "given", "code"),
    [
        ("m", tritongrpc.InferInput("nothing", [1, 1], "INT64"), "INVALID_ARGUMENT"),
        ("other", None, "NOT_FOUND"),
    ],
)
def test_a_client_s_mistake_is_told_as_triton_tells_it_and_is_not_the_model_s(
    pod: Pod, client: Client, model: str, given: tritongrpc.InferInput | None, code: str
) -> None:
    # given
    before = pod.counts()
    if given is not None:
        given.set_data_from_numpy(np.zeros((1, 1), np.int64))
    # when
    with pytest.raises(InferenceServerException) as raised:
        client.infer(model, [given or index(1)])
    # then
    assert raised.value.status() == f"StatusCode.{code}"
    assert model in raised.value.message()
    assert pod.since(before) == {("direct", "rejected"): 1}


def test_a_failing_model_is_an_error(pod: Pod, client: Client) -> None:
    before = pod.counts()
    with pytest.raises(InferenceServerException) as raised:
        client.infer("m", [index(99)])
    assert raised.value.status() == "StatusCode.INTERNAL"
    assert pod.since(before) == {("direct", "error"): 1}


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.load_model("m"),
        lambda client: client.unload_model("m"),
        lambda client: client.get_model_repository_index(),
        lambda client: client.get_trace_settings(),
        lambda client: client.update_log_settings({"log_verbose_level": 1}),
        lambda client: client.get_system_shared_memory_status(),
        lambda client: client.register_system_shared_memory("a", "/a", 1),
    ],
)
def test_what_manages_triton_does_not_pass(client: Client, ask: Callable[[Client], object]) -> None:
    with pytest.raises(InferenceServerException) as raised:
        ask(client)
    assert raised.value.status() == "StatusCode.UNIMPLEMENTED"
    assert "not passed to Triton" in raised.value.message()


def test_a_stream_is_refused_with_the_way_out(client: Client) -> None:
    told: list[Any] = []
    client.start_stream(callback=lambda result, error: told.append(error or result))
    with suppress(InferenceServerException):  # what it raises when the stream was refused before it could send
        client.async_stream_infer("m", [index(1)])
    eventually(lambda: told)
    client.stop_stream()
    assert "call ModelInfer" in told[0].message()


def test_a_client_that_waits_no_longer_counts_against_a_model_that_stands_still(pod: Pod) -> None:
    # given a way to Triton that is open
    with client_of(pod) as client:
        client.infer("m", [index(1)])
    before = pod.counts()
    (triton,) = pod.processes("tritonserver")
    # when one leaves before its patience is over, and one has to hear that the time is up
    with frozen(triton), client_of(pod) as client:
        with pytest.raises(InferenceServerException) as left:
            client.infer("m", [index(1)], client_timeout=0.3)
        with pytest.raises(InferenceServerException) as told:
            client.infer("m", [index(1)])
    # then
    assert left.value.status() == told.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert pod.since(before) == {("direct", "error"): 2}


def test_too_large_a_message_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_pod(tmp_path_factory.mktemp("small"), models.lookup, MAX_BODY="4096") as small:
        with client_of(small) as client, pytest.raises(InferenceServerException) as raised:
            client.infer("m", [index(*[1] * 1000)])
        assert raised.value.status() == "StatusCode.RESOURCE_EXHAUSTED"


def test_the_last_call_is_answered_when_the_pod_ends(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_pod(tmp_path_factory.mktemp("end"), models.slow) as pod, client_of(pod) as client:
        # given a call that runs
        rounds = tritongrpc.InferInput("rounds", [1, 1], "INT64")
        rounds.set_data_from_numpy(np.array([[100_000]], dtype=np.int64))
        answers: list[object] = []
        client.async_infer("m", [rounds], callback=lambda result, error: answers.append(error or result))
        eventually(lambda: b"viridian_requests_in_flight 1.0" in pod.get("/metrics", "METRICS_PORT").body, pod.log)
        # when
        assert pod.api is not None
        pod.api.send_signal(signal.SIGTERM)
        # then
        eventually(lambda: answers, pod.log)
        assert isinstance(answers[0], tritongrpc.InferResult), str(answers[0])
        assert pod.api.wait(DEADLINE) == 0


def test_a_taken_port_is_named(pod: Pod, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Pod.create(tmp_path_factory.mktemp("taken"))
    other.ports["GRPC_PORT"] = pod.ports["GRPC_PORT"]
    api = other.start_api()
    assert api.wait(DEADLINE) == 1
    assert f"gRPC on 127.0.0.1:{pod.ports['GRPC_PORT']}" in other.termination_log


def test_it_is_closed_where_the_schema_keeps_something_back(tmp_path: Path) -> None:
    # given
    def make(directory: Path) -> None:
        models.lookup(directory)
        (directory / "schema.yaml").write_text("answer: {round: 1}")

    with running_pod(tmp_path, make) as pod, client_of(pod) as client:
        # when
        with pytest.raises(InferenceServerException, match="POST /predict") as refused:
            client.infer("m", [index(3)])
        # then
        assert refused.value.status() == "StatusCode.PERMISSION_DENIED"
        assert client.is_model_ready("m")
        assert pod.counts() == {("direct", "rejected"): 1}
