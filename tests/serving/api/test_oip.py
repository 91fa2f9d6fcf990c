"""The Open Inference Protocol over HTTP, by the client that Triton's users have."""

import numpy as np
import pytest
import tritonclient.http
from tests.serving.pod import Pod
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.serving


def test_triton_s_client_works_unchanged(digits: Pod) -> None:
    # given
    before, answered = digits.counts(), digits.predictions()
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
    assert digits.predictions() - answered == 4


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
