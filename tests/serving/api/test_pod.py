"""Real Triton, real API, tiny models: what clients see."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.pod import Pod, running_pod
from tests.waiting import eventually

from viridian_serving.settings.cpu import inference_threads

pytestmark = pytest.mark.serving


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


def test_health_says_by_what_numbers_the_model_is_called(pod: Callable[..., Pod]) -> None:
    served = pod(models.one_instance, CALLS_IN_FLIGHT="3", CPU_LIMIT="1")
    tuning = served.get("/health").json["tuning"]
    # its calls are never joined, so that as many are made as are set, however long they take
    assert tuning == {"calls_in_flight": 3, "max_batch": 1, "instances": 1, "threads": 1}


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
        eventually(lambda: b"sample.json" in served.get("/ready").body, served.log)
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
