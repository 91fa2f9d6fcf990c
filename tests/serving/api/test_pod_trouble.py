"""Real Triton, real API: what breaks, and what the end of a pod costs."""

import asyncio
import ctypes
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.frozen import freeze, frozen
from tests.serving import models
from tests.serving.pod import SOURCES, Pod, children_in, running_pod
from tests.waiting import DEADLINE, eventually

from viridian_serving.commands import api
from viridian_serving.triton import replacement
from viridian_shared.pod.exit_codes import ENDED_UNDER_REQUEST

pytestmark = pytest.mark.serving

TENSOR = b'{"inputs":[{"name":"i","shape":[1,1],"datatype":"INT64","data":[%d]}]}'

TGKILL = 234 if platform.machine() == "x86_64" else 131
"""The system call that sends a signal to one thread."""


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
        assert served.triton.wait(DEADLINE) == 128 + signal.SIGKILL
        assert "exit code 137" in served.termination_log
        answer = served.predict({"i": 1})
        assert (answer.status, answer.json["type"]) == (503, "urn:viridian:problem:model-unreachable")
        assert answer.headers["retry-after"] == "1"
        infer = served.request("POST", "/v2/models/m/infer", TENSOR % 1)
        assert (infer.status, "error" in infer.json) == (503, True)
        assert served.get("/triton/ready", "METRICS_PORT").status == 503
        eventually(lambda: served.get("/ready").status == 503, served.log)
        assert served.get("/health").json["status"] == "failing"
        # when the kubelet starts it again
        served.start_triton()
        # then
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, served.log)
        assert served.predict({"i": 2}).json["prediction"] == 20
        served.wait_ready()
        counts = served.counts()
        assert (counts["direct", "error"], counts["direct", "ok"]) == (2, 2)


def test_triton_does_not_outlive_the_process_that_runs_the_model(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as served:
        # given
        assert served.predict({"i": 1}).status == 200
        eventually(lambda: "1 of its own processes run it" in served.log(), served.log)
        (stub,) = [pid for pid in children_in(tmp_path) if "stub" in Path(f"/proc/{pid}/exe").readlink().name]
        # when it is killed, as by the kernel when memory is short
        os.kill(stub, signal.SIGKILL)
        # then the container ends, and its log says why
        assert served.triton is not None
        assert served.triton.wait(DEADLINE) == 128 + signal.SIGKILL
        assert "a process that runs the model has ended" in served.log()
        # and all is well when the kubelet has started it again
        served.start_triton()
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, served.log)
        assert served.predict({"i": 2}).json["prediction"] == 20


def test_a_process_that_has_no_cpu_for_too_long_ends_under_a_request_and_is_not_the_models_fault(
    tmp_path: Path,
) -> None:
    with running_pod(tmp_path, models.lookup) as served:
        eventually(lambda: "1 of its own processes run it" in served.log(), served.log)
        (stub,) = [pid for pid in children_in(tmp_path) if "stub" in Path(f"/proc/{pid}/exe").readlink().name]
        # given the process of a model that stands still, as on a node without a free core, so that Triton gives it up
        with frozen(stub):
            answer = served.predict({"i": 1})
        # then that is no failure of the model on this input
        assert (answer.status, answer.json["type"]) == (500, "urn:viridian:problem:model-given-up")
        assert "is not healthy" in served.log()
        # and the container, which ends as it is of no use any more, is excused
        assert served.triton is not None
        assert served.triton.wait(DEADLINE) == ENDED_UNDER_REQUEST
        served.start_triton()
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, served.log)
        assert served.predict({"i": 2}).json["prediction"] == 20
        # and what may have ended the process is refused for a while
        assert served.predict({"i": 1}).status == 422
        counts = served.counts()
        assert (counts["direct", "unjudged"], counts.get(("direct", "error"), 0)) == (1, 0)


def test_what_waits_in_a_triton_that_is_replaced_may_be_asked_again(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as served, ThreadPoolExecutor(2) as clients:
        eventually(lambda: "1 of its own processes run it" in served.log(), served.log)
        (stub,) = [pid for pid in children_in(tmp_path) if "stub" in Path(f"/proc/{pid}/exe").readlink().name]
        # given a request during which Triton gives up the model's process, and one behind it
        with frozen(stub):
            first = clients.submit(served.predict, {"i": 1})
            eventually(lambda: served.gauge("viridian_requests_in_flight") == 1, served.log)
            behind = clients.submit(served.request, "POST", "/v2/models/m/infer", TENSOR % 2)
            # when Triton is stopped
            assert served.triton is not None
            assert served.triton.wait(DEADLINE) == ENDED_UNDER_REQUEST
        assert first.result().json["type"] == "urn:viridian:problem:model-given-up"
        # then only the first is suspected: the other is told to come again
        assert (behind.result().status, behind.result().headers["retry-after"]) == (503, "1")
        served.start_triton()
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, served.log)
        assert served.request("POST", "/v2/models/m/infer", TENSOR % 2).status == 200
        assert served.predict({"i": 1}).status == 422


@pytest.mark.parametrize("after", [0.6, 0.8, 1.0])
def test_a_process_that_ends_while_triton_gives_it_up_is_held_against_the_request(tmp_path: Path, after: float) -> None:
    with running_pod(tmp_path, models.lookup) as served, ThreadPoolExecutor(1) as client:
        eventually(lambda: "1 of its own processes run it" in served.log(), served.log)
        (stub,) = [pid for pid in children_in(tmp_path) if "stub" in Path(f"/proc/{pid}/exe").readlink().name]
        # given a request that takes its time before it ends the process
        freeze(stub)
        asked = client.submit(served.predict, {"i": 1})
        time.sleep(after)  # about when Triton looks at the process
        os.kill(stub, signal.SIGKILL)
        answer = asked.result()
        # then, whatever Triton says of it, nobody runs it again
        assert answer.status == 500
        assert answer.json["type"] in {"urn:viridian:problem:model-given-up", "urn:viridian:problem:model-died"}
        assert served.triton is not None
        assert served.triton.wait(DEADLINE) == ENDED_UNDER_REQUEST
        served.start_triton()
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, served.log)
        assert served.predict({"i": 1}).status == 422


def test_triton_is_stopped_when_the_api_asks_for_another(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as served:
        # when
        replacement.ask_for(tmp_path / "run")
        # then the container ends, and that is the model's, as nobody has excused it
        assert served.triton is not None
        assert served.triton.wait(DEADLINE) == 128 + signal.SIGKILL
        assert "a process that runs the model is given up" in served.log()
        # and the next one does not hear the same word
        served.start_triton()
        eventually(lambda: served.get("/triton/ready", "METRICS_PORT").status == 200, served.log)


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
    code = served.start_triton().wait(DEADLINE)
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
    assert process.wait(DEADLINE) == 2
    assert "VIRIDIAN_TIMEOUT='soon' cannot be used" in served.termination_log


def test_a_taken_port_is_said(lookup: Pod, tmp_path: Path) -> None:
    served = Pod.create(tmp_path)
    served.ports["HTTP_PORT"] = lookup.ports["HTTP_PORT"]
    assert served.start_api().wait(DEADLINE) == 1
    assert "cannot listen" in served.termination_log


def test_the_api_alone_is_alive_but_not_ready(tmp_path: Path) -> None:
    served = Pod.create(tmp_path)
    try:
        served.start_api()
        eventually(lambda: served.get("/live").status == 200, served.log)
        assert served.get("/ready").status == 503
        assert served.get("/health").json["status"] == "starting"
        assert served.predict({"i": 1}).status == 503
    finally:
        served.stop()


async def test_sigterm_under_load_loses_nothing(tmp_path: Path) -> None:
    # As containers do it: with nothing in memory before they begin.
    with running_pod(tmp_path, models.lookup, SOURCES, DRAIN_DELAY="500ms") as served:
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


SUPERVISOR_WITH_A_THREAD = """
import threading, time
from viridian_serving.triton.supervisor import _Signals

thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)
thread.start()
signals = _Signals()
print(thread.native_id, flush=True)
print(*signals.wait(60), flush=True)
"""


def test_a_signal_that_reaches_another_thread_of_the_supervisor_is_no_less_a_signal() -> None:
    # given a thread that a library has started
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR_WITH_A_THREAD], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        other = int(running.stdout.readline())
        # when the kernel gives the signal to it
        assert ctypes.CDLL(None).syscall(TGKILL, running.pid, other, int(signal.SIGTERM)) == 0
        # then
        assert running.stdout.readline().split() == [str(int(signal.SIGTERM))]
    assert running.returncode == 0


def test_a_gateway_that_hears_late_of_the_end_loses_nothing(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup, DRAIN_DELAY="300ms", TIMEOUT="2s") as served:
        # given
        assert served.api is not None
        assert served.predict({"i": 3}).status == 200
        # when requests on new connections go on arriving for long after the usual moment
        served.api.send_signal(signal.SIGTERM)
        begun = last = time.monotonic()
        answers = []
        # (a machine that is too busy to send them falls silent, which ends the pod)
        while last < begun + 3 and time.monotonic() < last + api._SILENCE / 2:
            last = time.monotonic()
            answers.append(served.predict({"i": 3}).status)
            time.sleep(0.05)
        # then all of them are answered, and the pod ends when they stop
        assert set(answers) == {200}
        assert served.api.wait(DEADLINE) == 0


def test_a_request_that_runs_at_sigterm_is_answered(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.slow, DRAIN_DELAY="0s") as served:
        # given
        import threading

        answers = []
        body = {"rounds": 60_000}
        thread = threading.Thread(target=lambda: answers.append(served.predict(body)))
        (triton,) = served.processes("tritonserver")
        with frozen(triton):
            thread.start()
            eventually(lambda: served.gauge("viridian_requests_in_flight") == 1, served.log)
        # when
        assert served.api is not None
        assert served.triton is not None
        served.api.send_signal(signal.SIGTERM)
        served.triton.send_signal(signal.SIGTERM)
        thread.join(DEADLINE)
        # then
        assert [answer.status for answer in answers] == [200]
        assert answers[0].headers["connection"] == "close"
        assert (served.api.wait(DEADLINE), served.triton.wait(DEADLINE)) == (0, 0)
