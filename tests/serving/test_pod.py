"""Real Triton, real API, tiny models: what clients see, and what is counted."""

import asyncio
import ctypes
import json
import os
import platform
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http
from tests.serving import models
from tests.serving.pod import Pod, children_in, counts_of, eventually, post_many, running_pod, stamp_of
from tritonclient.utils import InferenceServerException

from viridian_serving.cpu import inference_threads

pytestmark = pytest.mark.component

TGKILL = 234 if platform.machine() == "x86_64" else 131
"""The system call that sends a signal to one thread."""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("digits"), models.digits) as pod:
        yield pod


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("lookup"), models.lookup) as pod:
        yield pod


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    opened = []

    def start(make_model: Callable[[Path], object], **settings: str) -> Pod:
        context = running_pod(tmp_path, make_model, **settings)
        opened.append(context)
        return context.__enter__()

    yield start
    for context in opened:
        context.__exit__(None, None, None)


# -- answers


def test_a_prediction_carries_everything_the_contract_names(digits: Pod) -> None:
    # when
    answer = digits.predict({"X": [0.0] * 64}, X_Request_Id="abc-1")
    # then
    assert answer.status == 200
    body = answer.json
    assert set(body) == {"prediction", "confidence", "probabilities", "model", "version", "revision", "request_id"}
    assert len(body["probabilities"]) == 10
    assert body["confidence"] == max(body["probabilities"])
    assert body["prediction"] == body["probabilities"].index(body["confidence"])
    assert (body["model"], body["version"], body["revision"], body["request_id"]) == ("m", "v1", "m-1", "abc-1")
    assert answer.headers["viridian-revision"] == "m-1"
    assert answer.headers["viridian-version"] == "v1"
    assert answer.headers["x-request-id"] == "abc-1"


def test_a_list_is_answered_by_a_list_in_order(digits: Pod) -> None:
    # given
    rows = [[float(i % 16)] * 64 for i in range(300)]
    # when
    joined = digits.predict([{"X": row} for row in rows]).json["predictions"]
    # then
    single = [digits.predict({"X": row}).json for row in rows[:16]]
    assert len(joined) == 300
    for one, many in zip(single, joined, strict=False):
        assert one["prediction"] == many["prediction"]
        assert one["probabilities"] == pytest.approx(many["probabilities"], abs=1e-6)


def test_a_request_id_that_would_harm_a_header_is_replaced(digits: Pod) -> None:
    answer = digits.predict([0.0] * 64, X_Request_Id="x" * 500)
    assert answer.headers["x-request-id"] != "x" * 500
    assert len(answer.json["request_id"]) == 32


def test_wrong_input_is_a_problem_document(digits: Pod) -> None:
    # when
    answer = digits.predict({"X": [1, "a"], "Z": 1})
    # then
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["pointer"] for error in answer.json["errors"]} == {"/X", "/Z"}
    assert answer.json["status"] == 400
    assert answer.headers["viridian-revision"] == "m-1"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/predict", 405),
        ("POST", "/docs", 405),
        ("POST", "/health", 405),
        ("GET", "/nothing", 404),
        ("GET", "/metrics", 404),
        ("GET", "/health", 200),
        ("GET", "/live", 200),
        ("GET", "/ready", 200),
        ("HEAD", "/ready", 200),
    ],
)
def test_other_paths(digits: Pod, method: str, path: str, status: int) -> None:
    answer = digits.request(method, path)
    assert answer.status == status
    assert answer.headers["viridian-revision"] == "m-1"


def test_health_names_the_inputs(digits: Pod) -> None:
    body = digits.get("/health").json
    assert (body["status"], body["model"], body["version"], body["revision"]) == ("ok", "m", "v1", "m-1")
    assert body["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [64]}]


@pytest.mark.parametrize("path", ["/metrics", "/live", "/ready", "/triton/ready", "/triton/live"])
def test_the_metrics_port_answers_probes(digits: Pod, path: str) -> None:
    assert digits.get(path, "METRICS_PORT").status == 200
    assert digits.get("/predict", "METRICS_PORT").status == 404


def test_triton_is_reached_over_loopback_only(digits: Pod) -> None:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == "0A" and int(port, 16) in [digits.ports[p] for p in digits.ports if "TRITON" in p]:
                assert address.endswith("0100007F")  # 127.0.0.1, in IPv4 or mapped into IPv6


# -- models of other shapes


def test_strings_booleans_and_several_outputs(pod: Callable[..., Pod]) -> None:
    served = pod(models.mixed)
    answer = served.predict([{"a": [1, 2], "s": "Köln"}, {"a": [3, 4], "s": ["x"]}])
    assert [item["prediction"] for item in answer.json["predictions"]] == [
        {"same": [1, 2], "text": "Köln", "flag": [True, True]},
        {"same": [3, 4], "text": "x", "flag": [True, True]},
    ]


def test_a_model_exported_for_one_instance(pod: Callable[..., Pod]) -> None:
    served = pod(models.one_instance)
    assert served.predict({"x": [1, -2]}).json["prediction"] == [-1, 2]
    assert [p["prediction"] for p in served.predict([[1, 2], [3, 4]]).json["predictions"]] == [[-1, -2], [-3, -4]]


def test_infinity_is_the_model_s_failure_and_readiness_tries_another_input(pod: Callable[..., Pod]) -> None:
    served = pod(models.reciprocal)  # zeros give infinity; ones turned readiness on
    assert served.predict({"x": 4}).json["prediction"] == 0.25
    answer = served.predict({"x": 0})
    assert (answer.status, answer.json["type"]) == (500, "urn:viridian:problem:model-failed")


def test_a_sample_beside_the_model_turns_a_picky_one_ready(tmp_path: Path) -> None:
    # given a model that takes neither zeros nor ones
    def make(directory: Path) -> None:
        models.picky(directory)

    served = Pod.create(tmp_path)
    make(served.model_directory)
    try:
        served.start_triton()
        served.start_api()
        # when, then it says why it is not ready, and the way out
        eventually(lambda: b"sample.json" in served.get("/ready").body, 60, served.log)
        assert served.get("/ready").status == 503
        assert served.get("/triton/ready", "METRICS_PORT").status == 200
    finally:
        served.stop()
    # when
    (served.model_directory / "sample.json").write_text('{"i": 6}')
    try:
        served.start_triton()
        served.start_api()
        # then
        served.wait_ready()
        assert served.predict({"i": 7}).json["prediction"] == 0
    finally:
        served.stop()


@pytest.mark.skipif(inference_threads(2.0) < 2, reason="on one core, a model has one thread whatever its limit")
def test_the_model_runs_on_as_many_threads_as_its_container_may_use(tmp_path: Path) -> None:
    # given two pods of the same model, with different limits
    threads = {}
    for limit in (1, 2):
        with running_pod(tmp_path / str(limit), models.lookup, CPU_LIMIT=str(limit)) as served:
            (stub,) = served.processes("stub")
            # when
            threads[limit] = len(list(Path(f"/proc/{stub}/task").iterdir()))
    # then: an inference runs on one thread of Triton's, and ONNX Runtime adds the rest
    assert threads[2] == threads[1] + 1


# -- counting


async def test_a_failing_instance_fails_alone_and_counters_are_exact(lookup: Pod) -> None:
    # given good, failing and invalid requests, all at once
    before = lookup.counts()
    indices = [i % 10 if i % 7 else 99 for i in range(210)]
    bodies: list[object] = [{"i": index} for index in indices] + [{"i": "x"}] * 5
    # when
    answers = await post_many(lookup, bodies, clients=24, Viridian_Via="split")
    # then
    for index, answer in zip(indices, answers, strict=False):
        if index == 99:
            assert answer.status == 500
            assert answer.json["type"] == "urn:viridian:problem:model-failed"
            assert b"Gather" not in answer.body
        else:
            assert (answer.status, answer.json["prediction"]) == (200, index * 10.0)
    assert lookup.since(before) == {("split", "ok"): 180, ("split", "error"): 30, ("split", "rejected"): 5}


def test_a_list_with_a_failing_instance_is_one_error(lookup: Pod) -> None:
    before = lookup.counts()
    answer = lookup.predict([{"i": 1}, {"i": 99}])
    assert answer.status == 500
    assert lookup.since(before) == {("direct", "error"): 1}


@pytest.mark.parametrize(
    ("port", "claimed", "counted"),
    [
        ("HTTP_PORT", "split", "split"),
        ("HTTP_PORT", "pin", "pin"),
        ("HTTP_PORT", "", "direct"),
        ("HTTP_PORT", "nonsense", "direct"),
        ("HTTP_PORT", "split, pin", "direct"),
        ("FALLBACK_PORT", "fallback", "fallback"),
        ("FALLBACK_PORT", "split", "direct"),
        ("FALLBACK_PORT", "pin", "direct"),
        ("FALLBACK_PORT", "", "direct"),
    ],
)
def test_who_may_say_how_a_request_came(lookup: Pod, port: str, claimed: str, counted: str) -> None:
    # given
    before = lookup.counts()
    headers = {"Viridian_Via": claimed} if claimed else {}
    # when
    assert lookup.predict({"i": 3}, port, **headers).status == 200
    # then
    assert lookup.since(before) == {(counted, "ok"): 1}


def test_only_inferences_count(lookup: Pod) -> None:
    before = lookup.counts()
    for path in ("/health", "/live", "/ready", "/v2", "/v2/health/ready", "/v2/models/m", "/nothing", "/docs"):
        lookup.get(path)
    assert lookup.since(before) == {}


def test_counters_stand_still_between_multiples_of_the_interval(tmp_path: Path) -> None:
    # given an interval that is long enough to look at
    with running_pod(tmp_path, models.lookup, SCRAPE_INTERVAL="3s") as served:
        page = served.metrics_after(time.time())  # the beginning of an interval
        stamp, before = stamp_of(page), counts_of(page)
        assert stamp % 3 == 0
        # when
        served.predict({"i": 1})
        # then
        assert served.get("/metrics", "METRICS_PORT").body.decode().count("\n") > 100
        assert counts_of(served.get("/metrics", "METRICS_PORT").body.decode()) == before
        later = served.metrics_after(stamp)
        assert stamp_of(later) == stamp + 3
        assert counts_of(later) == {("direct", "ok"): 1}


def test_a_timeout_is_an_error_at_its_time(pod: Callable[..., Pod]) -> None:
    # given
    served = pod(models.slow, TIMEOUT="500ms")
    # when
    started = time.monotonic()
    answer = served.predict({"rounds": 3_000_000})
    # then
    assert (answer.status, answer.json["type"]) == (504, "urn:viridian:problem:timeout")
    assert 0.4 < time.monotonic() - started < 2
    assert served.counts() == {("direct", "error"): 1}


def test_clients_that_lose_patience_count_as_errors(pod: Callable[..., Pod]) -> None:
    # given a model that hangs for longer than its clients wait
    served = pod(models.slow, ABANDONED_AFTER="300ms")
    body = json.dumps({"rounds": 10_000_000}).encode()
    # when one leaves after that time, and one before it
    for patience in (0.4, 0.1):
        assert served.request("POST", "/predict", body, seconds=patience).status == 0
    # then both are counted long before the timeout of 10 s
    eventually(lambda: served.counts() == {("direct", "error"): 2}, 3, lambda: str(served.counts()))


def test_a_client_that_leaves_before_a_quick_answer_is_not_judged(pod: Callable[..., Pod]) -> None:
    # given a model that takes a moment
    served = pod(models.slow, ABANDONED_AFTER="9s")
    body = json.dumps({"rounds": 30_000}).encode()
    # when
    assert served.request("POST", "/predict", body, seconds=0.05).status == 0
    # then
    eventually(lambda: served.counts() == {("direct", "rejected"): 1}, 9, lambda: str(served.counts()))


@pytest.mark.parametrize(
    ("abandoned_after", "rounds", "outcome"), [("300ms", 10_000_000, "error"), ("9s", 30_000, "rejected")]
)
def test_a_client_that_says_how_long_it_waits_is_told_then_and_judged_as_if_it_had_left(
    pod: Callable[..., Pod], abandoned_after: str, rounds: int, outcome: str
) -> None:
    # given a model that takes longer than its client waits
    served = pod(models.slow, ABANDONED_AFTER=abandoned_after)
    # when
    started = time.monotonic()
    answer = served.predict({"rounds": rounds}, **{"Viridian-Timeout-Ms": "100"})
    # then it is not kept waiting for the timeout of 10 s
    assert (answer.status, answer.json["type"]) == (504, "urn:viridian:problem:timeout")
    assert "Viridian-Timeout-Ms" in answer.json["detail"]
    assert 0.1 <= time.monotonic() - started < 2
    # and whether the model was slow is judged by the same patience for every client
    eventually(lambda: served.counts() == {("direct", outcome): 1}, 9, lambda: str(served.counts()))


@pytest.mark.parametrize("given", ["soon", "0", "-5", "1.5", "1e3", "9" * 20])
def test_a_time_that_cannot_be_meant_is_said(digits: Pod, given: str) -> None:
    answer = digits.predict([0.0] * 64, **{"Viridian-Timeout-Ms": given})
    assert (answer.status, answer.json["type"]) == (400, "urn:viridian:problem:invalid-timeout")
    assert "Viridian-Timeout-Ms must be a whole number of milliseconds" in answer.json["detail"]


def test_who_waits_long_enough_gets_the_answer(digits: Pod) -> None:
    assert digits.predict([0.0] * 64, **{"Viridian-Timeout-Ms": "9000"}).status == 200


# -- Triton's own protocol


def test_triton_s_client_works_unchanged(digits: Pod) -> None:
    # given
    before = digits.counts()
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{digits.ports['HTTP_PORT']}")
    rows = np.arange(128, dtype=np.float32).reshape(2, 64) % 16
    for binary in (True, False):
        given = tritonclient.http.InferInput("X", [2, 64], "FP32")
        given.set_data_from_numpy(rows, binary_data=binary)
        wanted = [tritonclient.http.InferRequestedOutput("probabilities", binary_data=binary)]
        # when
        result = client.infer("m", [given], outputs=wanted, request_id="r1")
        # then
        assert result.as_numpy("probabilities").shape == (2, 10)
        assert result.get_response()["id"] == "r1"
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("m", "1")
    assert client.get_server_metadata()["name"] == "m-1"
    assert client.get_model_metadata("m")["inputs"][0]["name"] == "X"
    assert client.get_model_config("m")["max_batch_size"] > 1
    assert client.get_inference_statistics("m")["model_stats"]
    assert digits.since(before) == {("direct", "ok"): 2}


def test_triton_s_client_gets_triton_s_errors_and_compression(digits: Pod) -> None:
    before = digits.counts()
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{digits.ports['HTTP_PORT']}")
    given = tritonclient.http.InferInput("X", [1, 64], "FP32")
    given.set_data_from_numpy(np.zeros((1, 64), dtype=np.float32))
    for algorithm in ("gzip", "deflate"):
        client.infer("m", [given], request_compression_algorithm=algorithm, response_compression_algorithm=algorithm)
    with pytest.raises(InferenceServerException, match="nobody"):
        client.infer("nobody", [given])
    assert digits.since(before) == {("direct", "ok"): 2, ("direct", "rejected"): 1}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/repository/models/m/load"),
        ("POST", "/v2/repository/models/m/unload"),
        ("GET", "/v2/systemsharedmemory/status"),
        ("POST", "/v2/systemsharedmemory/region/x/register"),
        ("GET", "/v2/cudasharedmemory/status"),
        ("GET", "/v2/logging"),
        ("POST", "/v2/logging"),
        ("GET", "/v2/trace/setting"),
        ("POST", "/v2/models/m/trace/setting"),
        ("POST", "/v2/models/m/generate"),
        ("POST", "/v2/models/m/config"),
        ("POST", "/v2//repository/index"),
        ("POST", "/v2/models/../repository/index"),
        ("GET", "/v2/models/%2e%2e/logging"),
        ("POST", "/v2/models/m%2f..%2finfer"),
        ("GET", "/v2/models/m/infer"),
        ("POST", "/v2/repository/models/m/unload?x=/v2/models/m/infer"),
        ("POST", "/v2/repository/models/m/unload#/v2/models/m/infer"),
    ],
)
def test_nothing_that_manages_triton_passes(digits: Pod, method: str, path: str) -> None:
    # when
    answer = digits.request(method, path, b"{}" if method == "POST" else None)
    # then
    assert answer.status in (404, 405)
    assert answer.headers["content-type"] == "application/problem+json"
    assert digits.predict([0] * 64).status == 200


# -- trouble


def test_triton_killed_is_an_error_until_its_container_is_started_again(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as served:
        # given
        assert served.predict({"i": 1}).status == 200
        (server,) = [
            pid for pid in children_in(tmp_path) if b"tritonserver" in Path(f"/proc/{pid}/exe").readlink().name.encode()
        ]
        # when
        os.kill(server, signal.SIGKILL)
        # then the container ends with it
        assert served.triton is not None
        assert served.triton.wait(10) == 128 + signal.SIGKILL
        assert "exit code 137" in served.termination_log
        answer = served.predict({"i": 1})
        assert (answer.status, answer.json["type"]) == (503, "urn:viridian:problem:model-unreachable")
        assert answer.headers["retry-after"] == "1"
        infer = served.request("POST", "/v2/models/m/infer", b"{}")
        assert (infer.status, "error" in infer.json) == (503, True)
        assert served.get("/triton/ready", "METRICS_PORT").status == 503
        eventually(lambda: served.get("/ready").status == 503, 20, served.log)
        assert served.get("/health").json["status"] == "failing"
        # when the kubelet starts it again
        served.start_triton()
        # then
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, 60, served.log)
        assert served.predict({"i": 2}).json["prediction"] == 20
        served.wait_ready()
        counts = served.counts()
        assert (counts["direct", "error"], counts["direct", "ok"]) == (2, 2)


def test_triton_does_not_outlive_the_process_that_runs_the_model(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as served:
        # given
        assert served.predict({"i": 1}).status == 200
        eventually(lambda: "1 of its own processes run it" in served.log(), 30, served.log)
        (stub,) = [pid for pid in children_in(tmp_path) if "stub" in Path(f"/proc/{pid}/exe").readlink().name]
        # when it is killed, as by the kernel when memory is short
        os.kill(stub, signal.SIGKILL)
        # then the container ends, and its log says why
        assert served.triton is not None
        assert served.triton.wait(10) == 128 + signal.SIGKILL
        assert "a process that runs the model has ended" in served.log()
        # and all is well when the kubelet has started it again
        served.start_triton()
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, 60, served.log)
        assert served.predict({"i": 2}).json["prediction"] == 20


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (models.corrupt, "is not an ONNX model or is damaged"),
        (models.no_inputs, "has no inputs"),
        (models.with_zipmap, "zipmap off"),
        (lambda directory: directory.mkdir(parents=True), "holds no model.onnx"),
        (lambda _: None, "which this image does not contain"),
    ],
    ids=["corrupt", "no inputs", "zipmap", "no file", "no directory"],
)
def test_a_model_that_cannot_be_served_ends_the_container_with_a_sentence(
    tmp_path: Path, make: Callable[[Path], object], wanted: str
) -> None:
    # given
    served = Pod.create(tmp_path)
    make(served.model_directory)
    # when
    code = served.start_triton().wait(60)
    # then
    assert code == 1
    sentence = served.termination_log
    assert sentence.startswith("Model m v1 cannot be served: ")
    assert wanted in sentence
    assert sentence.count("\n") == 1
    assert sentence in served.log()


@pytest.mark.parametrize("part", ["triton", "api"])
def test_a_bad_environment_ends_both_containers_with_a_sentence(tmp_path: Path, part: str) -> None:
    served = Pod.create(tmp_path, TIMEOUT="soon")
    process = served.start_triton() if part == "triton" else served.start_api()
    assert process.wait(30) == 2
    assert "VIRIDIAN_TIMEOUT='soon' cannot be used" in served.termination_log


def test_a_taken_port_is_said(lookup: Pod, tmp_path: Path) -> None:
    served = Pod.create(tmp_path)
    served.ports["HTTP_PORT"] = lookup.ports["HTTP_PORT"]
    assert served.start_api().wait(30) == 1
    assert "cannot listen" in served.termination_log


def test_the_api_alone_is_alive_but_not_ready(tmp_path: Path) -> None:
    served = Pod.create(tmp_path)
    try:
        served.start_api()
        eventually(lambda: served.get("/live").status == 200, 20, served.log)
        assert served.get("/ready").status == 503
        assert served.get("/health").json["status"] == "starting"
        assert served.predict({"i": 1}).status == 503
    finally:
        served.stop()


async def test_sigterm_under_load_loses_nothing(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup, DRAIN_DELAY="500ms") as served:
        # given clients that keep their connections, and open new ones only while the pod says that it is ready
        tally: Counter[str] = Counter()
        stopping = asyncio.Event()

        async def client() -> None:
            while not stopping.is_set():
                reader, writer = await asyncio.open_connection("127.0.0.1", served.ports["HTTP_PORT"])
                closed = False
                while not closed and not stopping.is_set():
                    body = b'{"i": 3}'
                    writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    tally["sent"] += 1
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    await reader.readexactly(length)
                    tally[head.split()[1].decode()] += 1
                    closed = b"connection: close" in head.lower()
                if closed:
                    tally["told to close"] += 1
                    stopping.set()
                writer.close()

        clients = [asyncio.create_task(client()) for _ in range(16)]
        while tally["200"] < 500:  # noqa: ASYNC110  the clients are other tasks' business
            await asyncio.sleep(0.01)
        # when both containers get their signal at the same moment
        assert served.triton is not None
        assert served.api is not None
        served.triton.send_signal(signal.SIGTERM)
        served.api.send_signal(signal.SIGTERM)
        results = await asyncio.gather(*clients, return_exceptions=True)
        codes = await asyncio.gather(asyncio.to_thread(served.api.wait, 20), asyncio.to_thread(served.triton.wait, 20))
        # then
        assert results == [None] * 16
        assert tally["sent"] == tally["200"]
        assert tally["told to close"] > 0
        assert codes == [0, 0]
        assert children_in(tmp_path) == []


def test_a_signal_that_reaches_another_thread_of_the_supervisor_is_no_less_a_signal(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as served:
        # given threads that the libraries have started
        assert served.triton is not None
        assert served.api is not None
        pid = served.triton.pid
        others = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()} - {pid}
        assert others
        # when the kernel gives the signal to one of them
        sent = ctypes.CDLL(None).syscall(TGKILL, pid, others.pop(), int(signal.SIGTERM))
        assert sent == 0
        served.api.send_signal(signal.SIGTERM)
        # then Triton ends in order
        assert served.triton.wait(20) == 0


def test_a_gateway_that_hears_late_of_the_end_loses_nothing(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup, DRAIN_DELAY="300ms", TIMEOUT="2s") as served:
        # given
        assert served.api is not None
        assert served.predict({"i": 3}).status == 200
        # when requests on new connections go on arriving for long after the usual moment
        served.api.send_signal(signal.SIGTERM)
        until = time.monotonic() + 3
        answers = []
        while time.monotonic() < until:
            answers.append(served.predict({"i": 3}).status)
            time.sleep(0.05)
        # then all of them are answered, and the pod ends when they stop
        assert set(answers) == {200}
        assert served.api.wait(10) == 0


def test_a_request_that_runs_at_sigterm_is_answered(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.slow, DRAIN_DELAY="0s") as served:
        # given
        import threading

        answers = []
        body = {"rounds": 60_000}
        thread = threading.Thread(target=lambda: answers.append(served.predict(body)))
        thread.start()
        eventually(
            lambda: b"viridian_requests_in_flight 1.0" in served.get("/metrics", "METRICS_PORT").body, 5, served.log
        )
        # when
        assert served.api is not None
        assert served.triton is not None
        served.api.send_signal(signal.SIGTERM)
        served.triton.send_signal(signal.SIGTERM)
        thread.join(20)
        # then
        assert [answer.status for answer in answers] == [200]
        assert answers[0].headers["connection"] == "close"
        assert (served.api.wait(20), served.triton.wait(20)) == (0, 0)
