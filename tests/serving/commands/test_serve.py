"""A model on one's own machine, before the real Triton."""

import json
import os
import signal
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.frozen import frozen
from tests.serving import models
from tests.serving.hosting import children_of, command_of, is_alive
from tests.serving.local import Local, serving
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.serving


def in_file(directory: Path) -> Path:
    return models.lookup(directory / "prices").rename(directory / "prices.onnx")


def in_folder(directory: Path) -> Path:
    return models.lookup(directory / "prices" / "v1.2.0").parent


def in_repository(directory: Path) -> Path:
    return models.triton_repository(directory / "repository")


def with_sample(directory: Path) -> Path:
    # It takes neither zeros nor ones, and a quote has to get through the shell.
    folder = models.picky(directory / "it's picky").parent
    (folder / "sample.json").write_text('{"i": 6}\n')
    return folder


def large(directory: Path) -> Path:
    return models.image(directory / "image").parent


@pytest.mark.parametrize(
    ("make", "name", "version", "takes", "answer"),
    [
        (in_file, "prices", "dev", "i  INT64  [1]", 0),
        (in_folder, "prices", "v1.2.0", "i  INT64  [1]", 0),
        (in_repository, "adder", "dev", "x  FP32  [1]", 1),
        (with_sample, "it-s-picky", "dev", "i  INT64  [1]", 1),
        (large, "image", "dev", "pixels  FP32  [3, 64, any]", 0),
    ],
    ids=["a file", "a folder", "a repository of Triton", "a sample beside the model", "a large input"],
)
def test_what_it_says_to_paste_gets_an_answer(
    tmp_path: Path, make: Callable[[Path], Path], name: str, version: str, takes: str, answer: float
) -> None:
    # given
    model = make(tmp_path)
    with serving(tmp_path, model) as local:
        # when
        reply = json.loads(local.paste())
        # then
        assert reply["prediction"] == answer
        assert (reply["model"], reply["version"]) == (name, version)
        assert f"Model {name}, version {version}, is ready at http://127.0.0.1:{local.port}\n" in local.out
        assert f"  takes  {takes}\n" in local.out
        assert f"  docs   {local.url}/docs\n" in local.out
        # when it is ended from its terminal
        local.press_ctrl_c()
        # then
        assert local.process.wait(DEADLINE) == 0
        assert local.processes == []
        assert list((tmp_path / "tmp").iterdir()) == []
        assert "ERROR" not in local.err


def test_its_name_version_format_and_host_may_be_chosen(tmp_path: Path) -> None:
    # given a repository that would be taken for one
    file = models.lookup(tmp_path / "repository" / "prices" / "1")
    chosen = ("--name", "other", "--version", "2024-a", "--format", "onnx", "--host", "::1")
    with serving(tmp_path, file.parent.parent, *chosen) as local:
        # when
        reply = json.loads(local.paste())
        # then
        assert (reply["model"], reply["version"], reply["revision"]) == ("other", "2024-a", "other-1")
        assert local.url.startswith("http://[::1]:")


def test_a_request_that_runs_at_ctrl_c_is_answered(tmp_path: Path) -> None:
    # given, at an address that is not the usual one
    with serving(tmp_path, models.slow(tmp_path / "slow"), "--host", "127.0.0.2") as local:
        answers = []

        def ask() -> None:
            connection = HTTPConnection("127.0.0.2", local.port, timeout=30)
            connection.request("POST", "/predict", b'{"rounds": 20000}')
            answers.append(connection.getresponse().status)

        thread = threading.Thread(target=ask)
        (triton,) = [pid for pid in local.processes if Path(f"/proc/{pid}/exe").readlink().name == "tritonserver"]
        with frozen(triton):
            thread.start()
            eventually(lambda: gauge(local, "viridian_requests_in_flight") == 1, lambda: local.err)
        # when
        local.press_ctrl_c()
        thread.join(DEADLINE)
        # then
        assert answers == [200]
        assert local.process.wait(DEADLINE) == 0


def test_a_second_ctrl_c_waits_for_nobody(tmp_path: Path) -> None:
    # given a request that would run for a minute, and an end that would wait for it
    with serving(tmp_path, models.slow(tmp_path / "slow"), GRACE="60s") as local:
        connection = HTTPConnection("127.0.0.1", local.port, timeout=30)
        connection.request("POST", "/predict", b'{"rounds": 100000000}')
        eventually(lambda: gauge(local, "viridian_requests_in_flight") == 1, lambda: local.err)
        local.press_ctrl_c()
        eventually(lambda: "stopping: 1 request(s) in flight" in local.err, lambda: local.err)
        # when
        local.press_ctrl_c()
        # then
        assert local.process.wait(30) == 0
        assert local.processes == []


def test_nothing_outlives_a_command_that_is_killed(tmp_path: Path) -> None:
    # given
    with serving(tmp_path, models.lookup(tmp_path / "prices")) as local:
        assert local.processes != []
        # when
        local.process.send_signal(signal.SIGKILL)
        # then
        eventually(lambda: not local.processes, lambda: str(local.processes))


def test_preprocess_py_runs_as_in_a_pod_and_does_not_outlive_the_command(tmp_path: Path) -> None:
    # given
    file = models.lookup(tmp_path / "prices", size=100)
    (file.parent / "schema.yaml").write_text("features: [{name: number, type: integer, example: 3}]")
    (file.parent / "preprocess.py").write_text("def preprocess(instance): return {'i': instance['number'] * 2}")
    with serving(tmp_path, file.parent) as local:
        assert json.loads(local.paste())["prediction"] == 60
        (triton,) = [pid for pid in local.processes if Path(f"/proc/{pid}/exe").readlink().name == "tritonserver"]
        beside = [pid for pid in children_of(parent_of(triton)) if "preprocess_worker" in command_of(pid)]
        assert len(beside) == 1
        # when
        local.process.send_signal(signal.SIGKILL)
        # then
        eventually(lambda: not local.processes and not is_alive(beside[0]), lambda: str(local.processes))


@pytest.mark.parametrize("part", ["stub", "supervisor"])
def test_it_ends_when_a_part_of_it_was_killed(tmp_path: Path, part: str) -> None:
    # given
    with serving(tmp_path, models.lookup(tmp_path / "prices")) as local:
        eventually(lambda: "of its own processes run it" in local.err, lambda: local.err)
        (stub,) = [pid for pid in local.processes if "stub" in Path(f"/proc/{pid}/exe").readlink().name]
        # when it is killed, as by the kernel when memory is short
        os.kill(stub if part == "stub" else parent_of(parent_of(stub)), signal.SIGKILL)
        # then
        assert local.process.wait(DEADLINE) == 1
        assert local.processes == []


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (models.corrupt, "is not an ONNX model or is damaged"),
        (models.with_zipmap, "zipmap off"),
        (lambda directory: models.triton_repository(directory, config='backend: "pytorch"'), "backend pytorch"),
    ],
    ids=["corrupt", "zipmap", "another backend"],
)
def test_a_model_that_cannot_be_served_is_said_as_in_a_pod(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    # given
    local = Local(tmp_path, make(tmp_path / "broken"))
    # when
    code = local.process.wait(DEADLINE)
    # then
    assert code == 1
    assert local.out == ""
    (sentence,) = [line for line in local.err.splitlines() if "cannot be served" in line]
    assert sentence.startswith("Model ")
    assert words in sentence


def test_a_model_that_takes_no_made_up_input_says_what_it_needs(tmp_path: Path) -> None:
    local = Local(tmp_path, models.picky(tmp_path / "picky"))
    try:
        eventually(lambda: "sample.json" in local.err, lambda: local.err)
        assert local.process.poll() is None
    finally:
        local.end()


def gauge(local: Local, name: str) -> float:
    connection = HTTPConnection(urlsplit(local.url).hostname or "", local.metrics_port, timeout=10)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    return float(next(line.split()[1] for line in page.splitlines() if line.startswith(f"{name} ")))
