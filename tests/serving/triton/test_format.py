"""Model repositories before the real Triton."""

import io
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http
from tests.serving import models
from tests.serving.files import file_server, sha256
from tests.serving.pod import Pod, running_pod
from tests.waiting import DEADLINE

pytestmark = pytest.mark.serving


@pytest.mark.parametrize(
    ("make", "version"),
    [
        (models.triton_repository, 1),
        (partial(models.triton_repository, version=3), 3),
        (partial(models.triton_repository, config=None), 1),
    ],
    ids=["as Triton's manual shows it", "of another version", "without a configuration"],
)
def test_a_repository_is_served_under_the_model_s_own_name(
    tmp_path: Path, make: Callable[[Path], Path], version: int
) -> None:
    # given
    with running_pod(tmp_path, make, MODEL_FORMAT="triton") as served:
        # when it is asked by both of its protocols
        answer = served.predict({"x": [41.0]})
        client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{served.ports['HTTP_PORT']}")
        given = tritonclient.http.InferInput("x", [1, 1], "FP32")
        given.set_data_from_numpy(np.array([[41.0]], dtype=np.float32))
        result = client.infer("m", [given])
        # then
        assert answer.status == 200, answer.body
        assert answer.json["prediction"] == 41.0 + version
        assert result.as_numpy("y").tolist() == [[41.0 + version]]
        assert served.get("/triton/ready", "METRICS_PORT").status == 200


def test_a_repository_from_an_archive_is_fetched_checked_and_served(tmp_path: Path) -> None:
    # given an archive at a server
    repository = models.triton_repository(tmp_path / "repository")
    (repository / "adder" / "sample.json").write_text('{"x": [5]}')
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(repository, "adder-1.0")
    with file_server(tmp_path) as server:
        server.files["/adder.tar.gz"] = packed.getvalue()
        settings = {"MODEL_URI": server.url("/adder.tar.gz"), "MODEL_DIGEST": sha256(packed.getvalue())}
        pod = Pod.create(tmp_path, MODEL_FORMAT="triton", **settings)
        pod.environ = {"SSL_CERT_FILE": str(server.ca), "NO_PROXY": "*"}
        (tmp_path / "mount").mkdir()
        # when the containers run one after the other, as the kubelet starts them
        assert pod.start_fetch().wait(DEADLINE) == 0, pod.log()
    try:
        pod.start_triton()
        pod.start_api()
        pod.wait_ready()
        # then
        assert pod.predict({"x": [1.0]}).json["prediction"] == 2.0
    finally:
        pod.stop()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('platform: "ensemble"', "is an ensemble"),
        ('backend: "onnxruntime"', "needs Triton's backend onnxruntime"),
        ('backend: "python" model_transaction_policy { decoupled: true }', "is decoupled"),
    ],
)
def test_a_repository_that_is_not_served_ends_the_container_with_a_sentence(
    tmp_path: Path, config: str, words: str
) -> None:
    served = Pod.create(tmp_path, MODEL_FORMAT="triton")
    models.triton_repository(served.model_directory, config=config)
    assert served.start_triton().wait(DEADLINE) == 1
    assert served.termination_log.startswith("Model m v1 cannot be served: ")
    assert words in served.termination_log


@pytest.mark.parametrize(
    ("completed", "replaced", "words"),
    [
        ("config.set_max_batch_size(8)", "config.set_model_transaction_policy({'decoupled': True})", "is decoupled"),
        ("TYPE_FP32", "TYPE_BF16", "has type BF16, which has no representation in JSON"),
    ],
)
def test_what_a_model_says_of_itself_only_when_it_is_loaded_ends_the_api_with_a_sentence(
    tmp_path: Path, completed: str, replaced: str, words: str
) -> None:
    served = Pod.create(tmp_path, MODEL_FORMAT="triton")
    completes = models.DESCRIBES_ITSELF.replace(completed, replaced)
    models.triton_repository(served.model_directory, config=None, completes=completes)
    try:
        served.start_triton()
        assert served.start_api().wait(DEADLINE) == 1
        assert served.termination_log.startswith("Model m v1 cannot be served: ")
        assert words in served.termination_log
    finally:
        served.stop()
