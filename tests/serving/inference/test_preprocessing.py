"""preprocess.py beside the model: what it may do, and what it cannot do to others."""

import asyncio
import json
import os
import signal
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.serving import models
from tests.serving.hosting import Host, children_of, is_alive, worker_host
from tests.serving.pod import Pod, children_in, post_many, running_pod
from tests.waiting import DEADLINE, eventually

from viridian_serving.codec.tensors import DataType, ModelSchema, SchemaError, Tensor
from viridian_serving.http1.problems import Problem
from viridian_serving.inference.batcher import QueueFullError
from viridian_serving.inference.preprocessing import PreprocessFailedError, Preprocessor
from viridian_serving.triton.worker_host import SOCKET

MODEL = ModelSchema(
    (Tensor("X", DataType.FP32, (2,)), Tensor("n", DataType.INT64, (1,))), (Tensor("y", DataType.FP32, (1,)),), 8
)
GOOD = """
import math
import time
import numpy as np

CITIES = {"Graz": 1.0, "Basel": 2.0}


def preprocess(instance):
    print("not between the frames")
    age, city = instance["age"], instance["city"]
    if age == 99:
        time.sleep(60)
    if age == 98:
        import os
        os._exit(3)
    if age == 97:
        return {"X": [1, 2]}
    if age == 96:
        return {"X": [1, math.inf], "n": 1}
    if age == 95:
        return None
    if age == 94:
        return {}[age]
    if age == 93:
        raise ValueError(["age"], "is odd")
    if age < 0:
        raise ValueError("age", "must not be negative")
    if city not in CITIES:
        raise ValueError(f"no city {city}")
    return {"X": np.array([age / 10, CITIES[city]], dtype=np.float32), "n": np.int64(age)}
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with worker_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@asynccontextmanager
async def preprocessor(
    host: Host, directory: Path, source: str = GOOD, seconds: float = 60, max_queue: int = 100
) -> AsyncIterator[Preprocessor]:
    file = directory / "preprocess.py"
    file.write_text(source)
    made = Preprocessor(file, MODEL, seconds, max_queue, host.socket)
    try:
        await made.start()
        yield made
    finally:
        made.close()


def instance(age: int, city: str = "Graz") -> dict[str, Any]:
    return {"age": age, "city": city}


def ask(made: Preprocessor, *items: dict[str, Any], seconds: float = 120) -> Awaitable[Any]:
    return made.encode(items, asyncio.get_running_loop().time() + seconds, many=len(items) > 1)


async def test_it_makes_the_model_s_inputs(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host, tmp_path) as made:
        encoded = await ask(made, instance(40), instance(50, "Basel"))
    assert [each.tensors for each in encoded] == [
        (struct.pack("<2f", 4, 1), struct.pack("<q", 40)),
        (struct.pack("<2f", 5, 2), struct.pack("<q", 50)),
    ]


async def test_nan_stands_for_what_is_not_known(host: Host, tmp_path: Path) -> None:
    source = "def preprocess(instance):\n    return {'X': [float('nan'), None], 'n': 1}"
    async with preprocessor(host, tmp_path, source) as made:
        (encoded,) = await ask(made, {})
    first, second = struct.unpack("<2f", encoded.tensors[0])
    assert first != first
    assert second != second


@pytest.mark.parametrize(
    ("items", "errors"),
    [
        ([instance(-1)], {"/age": "must not be negative"}),
        ([instance(1, "Bonn")], {"": "no city Bonn"}),
        ([instance(93)], {"": "(['age'], 'is odd')"}),
        ([instance(1), instance(-1), instance(1, "Bonn")], {"/1/age": "must not be negative", "/2": "no city Bonn"}),
    ],
)
async def test_what_it_refuses_is_the_client_s_affair(
    host: Host, tmp_path: Path, items: list[dict[str, Any]], errors: dict[str, str]
) -> None:
    async with preprocessor(host, tmp_path) as made:
        with pytest.raises(Problem) as refused:
            await ask(made, *items)
    assert refused.value.status == 400
    assert {error.pointer: error.detail for error in refused.value.errors} == errors


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (99, "no answer within 3 s"),
        (98, "its process ended with code 3"),
        (97, "returned what the model does not take: /n is missing"),
        (96, "/X/1 must be a finite number, not inf"),
        (95, "returned what the model does not take"),
        (94, "raised KeyError"),
    ],
)
async def test_what_it_fails_fails_alone(host: Host, tmp_path: Path, age: int, reason: str) -> None:
    # given one bad instance among others, at the same time
    async with preprocessor(host, tmp_path, seconds=3 if age == 99 else 60) as made:
        # when
        results = await asyncio.gather(*(ask(made, instance(each)) for each in (1, 2, age, 3)), return_exceptions=True)
        # then
        assert isinstance(results[2], PreprocessFailedError)
        assert reason in str(results[2])
        assert [result[0].tensors[1] for i, result in enumerate(results) if i != 2] == [
            struct.pack("<q", each) for each in (1, 2, 3)
        ]


async def test_what_it_raises_is_logged_without_what_a_client_sent(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host, tmp_path, "def preprocess(instance):\n    return {}[instance['city']]") as made:
        with pytest.raises(PreprocessFailedError, match="raised KeyError"):
            await ask(made, instance(1, "Graz"))
    logged = host.log
    assert "preprocess.py" in logged
    assert "line 2, in preprocess" in logged
    assert "'Graz'" not in logged


async def test_a_list_that_does_not_fit_into_the_queue_keeps_no_place_in_it(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host, tmp_path, max_queue=256) as made:
        with pytest.raises(QueueFullError):
            await ask(made, *(instance(1) for _ in range(400)))
        await asyncio.sleep(0)  # the next request comes later
        assert len(await ask(made, *(instance(1) for _ in range(250)))) == 250


async def test_who_waits_behind_it_is_told_at_the_deadline(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host, tmp_path, seconds=5) as made:
        hanging = asyncio.ensure_future(ask(made, instance(99)))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await ask(made, instance(1), seconds=0.3)
        hanging.cancel()


async def test_a_long_list_goes_in_parts(host: Host, tmp_path: Path) -> None:
    source = "def preprocess(instance):\n    return {'X': [0, 0], 'n': instance['n']}"
    async with preprocessor(host, tmp_path, source) as made:
        encoded = await ask(made, *({"n": i} for i in range(100)))
    assert [each.tensors[1] for each in encoded] == [struct.pack("<q", i) for i in range(100)]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def preprocess(instance:", "SyntaxError"),
        ("import pandas_of_another_name", "ModuleNotFoundError"),
        ("def process(instance): return instance", "it has no function preprocess(instance)"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os; os._exit(4)", "its process ended with code 4"),
    ],
)
async def test_a_file_that_cannot_be_loaded_ends_the_start(
    host: Host, tmp_path: Path, source: str, reason: str
) -> None:
    with pytest.raises(SchemaError, match=r"its preprocess\.py cannot be loaded") as refused:
        async with preprocessor(host, tmp_path, source):
            pass
    assert reason in str(refused.value)


async def test_our_own_settings_are_not_told(tmp_path: Path) -> None:
    secrets = {"VIRIDIAN_SECRET": "x", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=x"}
    source = (
        "import os\ndef preprocess(instance):\n"
        "    assert not any(name.startswith(('VIRIDIAN', 'OTEL')) for name in os.environ)\n"
        "    return {'X': [0, 0], 'n': len(os.environ['CITIES_URL'])}"
    )
    with worker_host(tmp_path, **secrets, CITIES_URL="y") as host:
        async with preprocessor(host, tmp_path, source) as made:
            assert (await ask(made, {}))[0].tensors[1] == struct.pack("<q", 1)


# -- a pod

SCHEMA = """
features:
  - {name: number, type: integer, min: 0, example: 3}
  - {name: unit, type: string, categories: [one, dozen]}
"""
PREPROCESS = """
def preprocess(instance):
    number = instance["number"] * (12 if instance["unit"] == "dozen" else 1)
    if number == 13:
        raise ValueError("number", "is not served on this floor")
    if number == 14:
        raise RuntimeError("a secret of the author's")
    return {"i": number}
"""


def dozens(directory: Path) -> None:
    models.lookup(directory, size=100)
    (directory / "schema.yaml").write_text(SCHEMA)
    (directory / "preprocess.py").write_text(PREPROCESS)


@pytest.mark.serving
async def test_a_pod_takes_features_that_its_model_does_not(tmp_path: Path) -> None:
    with running_pod(tmp_path, dozens) as pod:
        # when, then
        assert pod.predict({"number": 2, "unit": "dozen"}).json["prediction"] == 240
        assert pod.get("/predict?number=5&unit=one").json["prediction"] == 50
        refused = pod.predict([{"number": 1, "unit": "one"}, {"number": 13, "unit": "one"}])
        assert refused.status == 400
        assert refused.json["errors"] == [{"pointer": "/1/number", "detail": "is not served on this floor"}]
        assert pod.predict({"number": -1, "unit": "gross"}).json["errors"][0]["pointer"] == "/number"
        failed = pod.predict({"number": 14, "unit": "one"})
        assert (failed.status, failed.json["type"]) == (500, "urn:viridian:problem:preprocess-failed")
        assert "secret" not in failed.body.decode()
        answers = await post_many(pod, [{"number": i, "unit": "one"} for i in range(12)], clients=12)
        assert [answer.json["prediction"] for answer in answers] == [i * 10 for i in range(12)]
        assert pod.request("POST", "/v2/models/m/infer", b"{}").status == 403
        # then it is counted as the model's
        assert pod.counts() == {("direct", "ok"): 14, ("direct", "rejected"): 3, ("direct", "error"): 1}
        assert [feature["name"] for feature in pod.get("/health").json["features"]] == ["number", "unit"]


@pytest.mark.serving
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda home: (home / "schema.yaml").unlink(), "preprocess.py lies beside it without a schema.yaml"),
        (lambda home: (home / "preprocess.py").write_text("x ="), "its preprocess.py cannot be loaded: SyntaxError"),
    ],
)
def test_a_pod_whose_preprocessing_cannot_be_used_ends(
    tmp_path: Path, make: Callable[[Path], object], sentence: str
) -> None:
    # given
    pod = Pod.create(tmp_path)
    dozens(pod.model_directory)
    make(pod.model_directory)
    try:
        # when
        pod.start_triton()
        assert pod.start_api().wait(DEADLINE) == 1
        # then
        assert sentence in pod.termination_log
    finally:
        pod.stop()


# -- a pod whose author is curious

CURIOUS = """
import json, os
from pathlib import Path


def preprocess(instance):
    above = Path(f"/proc/{{os.getppid()}}")
    found = {{
        "process": os.getpid(),
        "above": os.getppid(),
        "variables": sorted(os.environ),
        "command": (above / "cmdline").read_bytes().decode(),
    }}
    Path("{notes}").write_text(json.dumps(found))
    return {{"i": instance["number"]}}
"""


def curious(directory: Path, notes: Path) -> None:
    dozens(directory)
    (directory / "preprocess.py").write_text(CURIOUS.format(notes=notes))


def look(pod: Pod, notes: Path) -> dict[str, Any]:
    answer = pod.predict({"number": 5, "unit": "one"})
    assert (answer.status, answer.json["prediction"]) == (200, 50), answer.body
    found: dict[str, Any] = json.loads(notes.read_text())
    return found


@pytest.mark.serving
def test_it_runs_in_the_container_of_triton_and_ends_with_it_and_with_the_api(tmp_path: Path) -> None:
    # given a pod whose API has secrets in its environment; its folders are mounted into its container alone, which
    # processes of one machine cannot show (tests/workloads does)
    notes = tmp_path / "notes.json"
    pod = Pod.create(tmp_path, FEEDBACK_KEY="0123456789abcdef")
    pod.environ = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=x", "CITIES_URL": "y"}
    curious(pod.model_directory, notes)
    try:
        triton, api = pod.start_triton(), pod.start_api()
        pod.wait_ready()
        # when the author's code looks around
        found = look(pod, notes)
        # then it is a child of the triton container, which mounts none of the API's Secrets
        assert found["above"] == triton.pid
        assert "viridian_serving.commands.triton" in found["command"]
        assert children_of(api.pid) == []
        # and has a user's variables, and none of the API's
        assert "CITIES_URL" in found["variables"]
        assert not [name for name in found["variables"] if name.startswith(("VIRIDIAN_", "OTEL_"))]
        # nor has any other process of that container that it can look into
        for pid in (*children_in(tmp_path), found["process"]):
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"OTEL_" not in environment
            assert b"FEEDBACK_KEY" not in environment
        # when the API is killed and started again, then its process ends and the new API gets another
        api.kill()
        api.wait()
        eventually(lambda: not is_alive(found["process"]), pod.log)
        pod.start_api()
        pod.wait_ready()
        second = look(pod, notes)
        assert second["above"] == triton.pid
        # when the triton container is killed, then its process ends with it, and requests are told to come again
        triton.kill()
        triton.wait()
        eventually(lambda: not is_alive(second["process"]), pod.log)
        for pid in children_in(tmp_path):
            os.kill(pid, signal.SIGKILL)
        answer = pod.predict({"number": 5, "unit": "one"})
        assert (answer.status, answer.json["type"]) == (503, "urn:viridian:problem:model-unreachable")
        # and when the kubelet has started it again, the API connects anew
        again = pod.start_triton()
        eventually(lambda: pod.predict({"number": 5, "unit": "one"}).status == 200, pod.log)
        third = look(pod, notes)
        assert third["above"] == again.pid
    finally:
        pod.stop()
    # and nothing is left in the end
    eventually(lambda: not is_alive(third["process"]))


@pytest.mark.serving
def test_where_models_may_bring_no_code_nothing_listens(tmp_path: Path) -> None:
    pod = Pod.create(tmp_path, ALLOW_MODEL_CODE="false")
    dozens(pod.model_directory)
    try:
        assert pod.start_triton().wait(DEADLINE) == 1
        assert "preprocess.py is code, and this installation allows models none" in pod.termination_log
        assert not (tmp_path / "run" / SOCKET).exists()
    finally:
        pod.stop()
