"""A pod that answers only clients with an API key, over every way in, with a real Triton behind it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tests.serving import models
from tests.serving.pod import Pod, log_lines, running_pod
from tests.serving.service import service
from tests.waiting import DEADLINE, eventually
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.serving

SHOP, DESK, LATER = "shop-key-0123456789abcdef", "desk-key-0123456789abcdef", "shop-key-of-the-next-year"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("keys")
    (made / "shop").write_text(SHOP)
    (made / "desk").write_text(DESK)
    return made


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Pod]:
    live = tmp_path_factory.mktemp("live") / "serving.json"
    live.write_text(json.dumps({"log": {"sink": "Stdout"}}))
    settings = {"API_KEYS_DIR": str(folder), "LIVE_SETTINGS": str(live)}
    with running_pod(tmp_path_factory.mktemp("keyed"), models.lookup, **settings) as made:
        yield made


def by_http(pod: Pod, headers: dict[str, str]) -> object:
    inputs = [tritonclient.http.InferInput("i", [1, 1], "INT64")]
    inputs[0].set_data_from_numpy(np.array([[3]], dtype=np.int64))
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{pod.ports['HTTP_PORT']}")
    return client.infer("m", inputs, headers=headers).as_numpy("y").tolist()


def by_grpc(pod: Pod, headers: dict[str, str]) -> object:
    inputs = [tritonclient.grpc.InferInput("i", [1, 1], "INT64")]
    inputs[0].set_data_from_numpy(np.array([[3]], dtype=np.int64))
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{pod.ports['GRPC_PORT']}") as client:
        return client.infer("m", inputs, headers=headers).as_numpy("y").tolist()


WITHOUT_KEY = [
    ("POST", "/predict", b'{"i": 3}'),
    ("POST", "/predict", b"no json"),
    ("GET", "/predict?i=3", None),
    ("POST", "/v2/models/m/infer", b"{}"),
    ("GET", "/v2/models/m", None),
    ("GET", "/v2/models/m/config", None),
    ("POST", "/feedback", b"{}"),
    ("GET", "/nowhere", None),
]


@pytest.mark.parametrize("port", ["HTTP_PORT", "FALLBACK_PORT"])
@pytest.mark.parametrize(("method", "path", "body"), WITHOUT_KEY)
def test_without_a_key_nothing_is_answered(pod: Pod, method: str, path: str, body: bytes | None, port: str) -> None:
    answer = pod.request(method, path, body, port=port, headers={"X-Api-Key": "a-key-that-nobody-has"})
    assert (answer.status, answer.json["type"]) == (401, "urn:viridian:problem:unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path", ["/health", "/live", "/ready", "/v2/health/live", "/v2/health/ready", "/docs", "/schema", "/openapi.json"]
)
def test_probes_and_what_describes_the_api_need_none(pod: Pod, path: str) -> None:
    assert pod.get(path).status == 200


def test_the_descriptions_say_how_a_key_is_sent(pod: Pod) -> None:
    document = pod.get("/openapi.json").json
    assert document["components"]["securitySchemes"]["key"] == {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
    assert document["paths"]["/predict"]["post"]["security"] == [{"key": []}, {"bearer": []}]
    assert 'id="key"' in pod.get("/docs").body.decode()


@pytest.mark.parametrize("headers", [{"X_Api_Key": SHOP}, {"Authorization": f"Bearer {DESK}"}])
def test_with_one_predictions_are_answered(pod: Pod, headers: dict[str, str]) -> None:
    assert pod.predict({"i": 3}, **headers).json["prediction"] == 30.0
    assert pod.predict({"i": 3}, port="FALLBACK_PORT", **headers).status == 200


def test_triton_s_own_clients_send_it_as_a_header(pod: Pod) -> None:
    given = {"X-Api-Key": SHOP}
    assert by_http(pod, given) == [[30.0]]
    assert by_grpc(pod, {"x-api-key": SHOP}) == [[30.0]]


def test_without_one_they_are_told_so(pod: Pod) -> None:
    with pytest.raises(InferenceServerException, match="API key"):
        by_http(pod, {})
    with pytest.raises(InferenceServerException, match="API key") as raised:
        by_grpc(pod, {"authorization": "Bearer a-key-that-nobody-has"})
    assert raised.value.status() == str(grpc.StatusCode.UNAUTHENTICATED)
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{pod.ports['GRPC_PORT']}") as client:
        assert client.is_server_live()
        with pytest.raises(InferenceServerException, match="API key"):
            client.get_model_metadata("m")


def test_who_asked_is_counted_and_logged_and_a_stranger_blames_no_model(pod: Pod) -> None:
    # given
    before, counted = pod.counts(), clients(pod)
    # when
    pod.predict({"i": 3}, X_Api_Key=DESK, X_Request_Id="of-the-desk")
    pod.predict({"i": "x"}, X_Api_Key=DESK)
    pod.predict({"i": 3}, X_Request_Id="of-nobody")
    # then
    assert pod.since(before) == {("direct", "ok"): 1, ("direct", "rejected"): 2}
    now = clients(pod)
    assert {key: value - counted.get(key, 0) for key, value in now.items() if value != counted.get(key)} == {
        ("desk", "2xx"): 1,
        ("desk", "4xx"): 1,
    }
    eventually(lambda: {"of-the-desk", "of-nobody"} <= logged(pod).keys(), pod.log)
    assert (logged(pod)["of-the-desk"], logged(pod)["of-nobody"]) == ("desk", None)
    assert DESK not in pod.log()


def logged(pod: Pod) -> dict[str, str | None]:
    return {line["request_id"]: line["client"] for line in log_lines(pod)}


def clients(pod: Pod) -> dict[tuple[str, str], float]:
    samples = pod.samples("viridian_client_requests")
    return {(each.labels["client"], each.labels["code"]): each.value for each in samples}


def test_keys_change_while_the_pod_runs(pod: Pod, folder: Path) -> None:
    # given: the next key of the shop, beside the present one
    (folder / "shop.next").write_text(LATER)
    eventually(lambda: pod.predict({"i": 3}, X_Api_Key=LATER).status == 200, pod.log)
    assert pod.predict({"i": 3}, X_Api_Key=SHOP).status == 200
    # when
    (folder / "shop").unlink()
    # then
    eventually(lambda: pod.predict({"i": 3}, X_Api_Key=SHOP).status == 401, pod.log)
    assert pod.predict({"i": 3}, X_Api_Key=LATER).status == 200


def test_a_pod_without_any_usable_key_says_so_and_ends(tmp_path: Path) -> None:
    # given
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "shop").write_text("sesame")
    pod = Pod.create(tmp_path, API_KEYS_DIR=str(tmp_path / "keys"))
    # when
    code = pod.start_api().wait(DEADLINE)
    # then
    assert code == 2
    assert "spec.serving.apiKeys" in pod.termination_log
    assert "sesame" not in pod.termination_log + pod.log()


def test_stable_answers_the_client_of_a_failing_candidate_by_the_same_key(tmp_path: Path, folder: Path) -> None:
    # given: a candidate that fails for the index 9, and a stable revision that asks for keys too
    with ExitStack() as stack:
        name = stack.enter_context(service())
        both = {"STABLE": name.address, "API_KEYS_DIR": str(folder)}
        stable = stack.enter_context(running_pod(tmp_path / "stable", models.lookup, REVISION="m-1", **both))
        name.target = stable.ports["FALLBACK_PORT"]
        candidate = stack.enter_context(
            running_pod(tmp_path / "candidate", lambda at: models.lookup(at, size=2), REVISION="m-2", **both)
        )
        sent = {"Viridian_Via": "split", "X_Api_Key": DESK}
        # when
        eventually(lambda: candidate.predict({"i": 9}, **sent).status == 200, candidate.log)
        # then
        assert candidate.predict({"i": 9}, **sent).headers["viridian-fallback"] == "stable"
        assert candidate.predict({"i": 9}, Viridian_Via="split").status == 401
