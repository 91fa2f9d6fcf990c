"""Models that nobody of this project made, before the real Triton: answered as by ONNX Runtime."""

import json
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from tests.bench.models import graphs
from tests.bench.models.compare import differing
from tests.bench.models.zoo import Entry
from tests.serving.local import Local, serving
from tests.serving.triton.test_batching import laid
from tests.waiting import eventually

pytestmark = pytest.mark.serving

PAGE = "http://localhost:3000"


def ask(
    port: int, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


@pytest.mark.parametrize(
    ("name", "joined"),
    [
        ("time-major-lstm", False),
        ("dynamic-quantization", False),
        ("scalar-input", False),
        ("open-image-size", True),
        ("unusual-name-1", True),
        ("wrongly-declared-output", True),
        ("image-of-640", False),
    ],
)
def test_a_model_is_answered_as_by_onnx_runtime(tmp_path: Path, name: str, joined: bool) -> None:
    # given
    file = laid(tmp_path, name)
    with serving(tmp_path, file, "--name", "m", CORS_ORIGINS=PAGE) as local:
        # when
        _, _, body = ask(local.port, "/health")
        health, schema = json.loads(body), json.loads(ask(local.port, "/schema")[2])
        # then
        assert differing(Entry(name, "", file), local, health) == ""
        assert health["batch"]["joined"] is joined
        assert health["batch"] == schema["batch"]
        assert ("requests are not joined" in local.err) is (name in ("time-major-lstm", "dynamic-quantization"))
        # and the example is one that works
        status, headers, _ = ask(local.port, "/predict", "POST", json.dumps(schema["example"]).encode(), Origin=PAGE)
        assert (status, headers["access-control-allow-origin"]) == (200, PAGE)
        # and who looks at the address itself is led on
        status, headers, _ = ask(local.port, "/", x_envoy_original_path="/team/m")
        assert (status, headers["location"]) == (302, "./m/docs")


def test_a_body_may_be_as_large_as_one_instance_and_the_binary_way_is_named(tmp_path: Path) -> None:
    # given an image whose numbers have all of their digits
    body = json.dumps({"x": np.random.default_rng(0).random((1, 3, 640, 640), np.float32).tolist()}).encode()
    with serving(tmp_path, laid(tmp_path, "image-of-640"), "--name", "m") as local:
        # then
        assert len(body) > 16 << 20
        assert ask(local.port, "/predict", "POST", body)[0] == 200
        # and when there is more
        status, _, refusal = ask(local.port, "/predict", "POST", b"", content_length=str(64 << 20))
        # then
        assert status == 413
        assert "or tensors in binary to /v2/models/m/infer" in json.loads(refusal)["detail"]


def test_the_first_request_that_is_answered_is_proof(tmp_path: Path) -> None:
    # given a size that nobody guesses
    file = laid(tmp_path, "open-image-size")
    file.write_bytes(graphs.of_size(21).SerializeToString())
    local = Local(tmp_path, file)
    try:
        eventually(lambda: "Or ask it now at" in local.err, lambda: local.err)
        assert "json.dump({'x':" in local.err.replace("'\"'\"'", "'")
        port = local.err.partition("Or ask it now at http://127.0.0.1:")[2].split("/")[0]
        # when
        body = json.dumps({"x": [[0.5] * 21] * 3}).encode()
        assert ask(int(port), "/predict", "POST", body)[0] == 200
        # then
        eventually(lambda: "the model answered a request: ready" in local.err, lambda: local.err)
        local.wait_ready()
        assert "The model answered no made-up request" in local.out
    finally:
        local.end()
