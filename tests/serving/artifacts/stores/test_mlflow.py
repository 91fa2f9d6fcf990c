"""What is special about MLflow: where the files of a version are, and how they are asked for; before its own server."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.artifacts.stores.expected import MODEL, says_none_of
from tests.serving.fetching import fails, fetched, mount, peak_of, succeeds
from tests.serving.files import sha256
from tests.serving.mlflow_server import USER, Tracking, python_of_mlflow
from tests.serving.places import Place, mlflow_place, s3_place, write_secret
from tests.serving.pod import Pod
from tests.serving.store_servers import KEYS, StoreRequest, answering, cut_after, silent
from tests.waiting import eventually

from viridian_shared.digest import digest_of

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with mlflow_place(tmp_path_factory.mktemp("mlflow")) as place:
        place.put("model.onnx", MODEL)
        yield place


@pytest.fixture
def place(shared: Place) -> Place:
    shared.server.forget()
    return shared


@pytest.fixture
def tracking(place: Place) -> Tracking:
    assert isinstance(place.server, Tracking)
    return place.server


LOG_A_MODEL = """
import sys
import mlflow
from sklearn.linear_model import LogisticRegression

model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
logged = mlflow.sklearn.log_model(model, name="flower", input_example=[[1.0]], registered_model_name="flower")
mlflow.artifacts.download_artifacts("models:/flower/1", dst_path=sys.argv[1])
"""


def test_a_model_that_mlflow_itself_has_logged(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    # given a version that a notebook has registered, and what MLflow's own client downloads of it
    downloaded = tmp_path / "downloaded"
    downloaded.mkdir()
    told = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{tracking.behind}", **USER, "NO_PROXY": "*"}
    command = [python_of_mlflow(), "-c", LOG_A_MODEL, str(downloaded)]
    subprocess.run(command, env={**os.environ, **told}, check=True, capture_output=True)
    (downloaded / "registered_model_meta").unlink()  # which the client itself writes
    digest = digest_of(downloaded)
    # when
    pod = place.pod(tmp_path / "pod", "", digest, MODEL_URI="mlflow://flower/1", MODEL_FORMAT="triton")
    succeeds(pod)
    # then it is the same, byte by byte
    assert digest_of(fetched(pod)) == digest
    assert (fetched(pod) / "MLmodel").is_file()


def test_a_file_is_asked_for_once_however_large(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    # given a server that would gather a whole file for each range
    succeeds(place.pod(tmp_path, "model.onnx", sha256(MODEL)))
    assert len(downloads(tracking)) == 1


def test_what_is_there_is_not_asked_for_again(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    # given a download that was cut, and a container that was killed
    tracking.faults, tracking.always = [cut_after(3_000_000)], silent
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    process = pod.start_fetch()
    part = mount(pod) / "download.parts" / "content"
    eventually(lambda: "trying again" in pod.log(), pod.log)
    process.kill()
    process.wait()
    there = part.stat().st_size
    # when it starts again
    tracking.always = None
    tracking.seen.clear()
    succeeds(pod)
    # then only the rest is asked for
    assert [each.headers["range"] for each in downloads(tracking)] == [f"bytes={there}-{len(MODEL) - 1}"]
    assert there > 2_500_000
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL


def test_a_server_that_knows_no_ranges(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    # given one that sends the whole file whatever it is asked for, as with artifacts in a bucket
    tracking.faults = [cut_after(3_000_000)]
    tracking.ranges = False
    try:
        pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
        succeeds(pod)
    finally:
        tracking.ranges = True
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL


def downloads(tracking: Tracking) -> list[StoreRequest]:
    return [each for each in tracking.seen if "/mlflow-artifacts/artifacts/" in each.path]


def test_memory_does_not_grow_with_the_model(place: Place, tmp_path: Path) -> None:
    content = os.urandom(1_000_000) * 250
    place.put("enormous.onnx", content)
    peak = peak_of(place.pod(tmp_path, "enormous.onnx", sha256(content)))
    assert 20 < peak < 150, f"{peak} MiB"


def test_a_password_that_is_no_longer_taken(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    tracking.faults = [cut_after(3_000_000)]
    tracking.always = answering(401, json.dumps({"error_code": "X", "message": "The token has expired."}))
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    fails(pod, "spec.model.credentialsSecretRef: ", "The token has expired", "check the Secret's MLFLOW_TRACKING_TOKEN")
    assert (mount(pod) / "download.parts" / "content").stat().st_size > 2_500_000


# -- files that are elsewhere


def test_files_in_a_bucket_are_read_from_there(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    # given a version whose files are in S3, and a Secret with the keys of both
    with s3_place(tmp_path / "s3") as bucket:
        bucket.put("model/model.onnx", MODEL)
        tracking.register("in-a-bucket", f"{bucket.base}model")
        pod = at(place, tmp_path / "pod", "mlflow://in-a-bucket/1/model.onnx")
        write_secret(pod, KEYS)
        pod.environ |= {"MLFLOW_S3_ENDPOINT_URL": bucket.server.url}
        # when
        succeeds(pod)
        # then
        assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
        assert not downloads(tracking)
        assert len(bucket.server.seen) > 3


def test_files_that_only_the_server_can_read(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    tracking.register("far-away", "dbfs:/models/iris")
    pod = at(place, tmp_path, "mlflow://far-away/1")
    fails(pod, "spec.model.uri: ", "are at dbfs:", "mlflow server --serve-artifacts")


# -- addresses and settings


def at(place: Place, directory: Path, uri: str, **settings: str) -> Pod:
    return place.pod(directory, "", sha256(MODEL), MODEL_URI=uri, **settings)


@pytest.mark.parametrize("uri", ["mlflow://iris@champion", "mlflow://iris/Production", "mlflow://iris/latest"])
def test_an_alias_or_a_stage_is_refused(place: Place, tmp_path: Path, uri: str) -> None:
    fails(at(place, tmp_path, uri), "spec.model.uri: ", "with the number of a version", "tomorrow")


def test_a_version_that_does_not_exist(place: Place, tmp_path: Path) -> None:
    uri = place.base.replace("/1/", "/7")
    fails(at(place, tmp_path, uri), "spec.model.uri: ", f"MLflow has no {uri}", "not found", "correct the address")


def test_an_endpoint_that_is_something_else(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    with s3_place(tmp_path / "s3") as bucket:
        pod = at(
            place, tmp_path / "pod", "mlflow://iris/1", STORE_ENDPOINT=bucket.server.url, CREDENTIALS_DIR="/nowhere"
        )
        fails(pod, "spec.model.", "correct the address")


def test_a_password_is_not_sent_without_tls(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    plain = f"http://127.0.0.1:{tracking.behind}"
    pod = at(place, tmp_path, place.base.removesuffix("/"), STORE_ENDPOINT=plain)
    fails(pod, "spec.model.store.endpoint: ", "could read the token", "write an https:// endpoint")
    says_none_of(pod, *USER.values())


def test_a_server_without_users_needs_neither(place: Place, tracking: Tracking, tmp_path: Path) -> None:
    # given a Secret with the keys of a store alone: nothing of it goes to the tracking server
    plain = f"http://127.0.0.1:{tracking.behind}"
    pod = at(place, tmp_path, place.base.removesuffix("/"), STORE_ENDPOINT=plain)
    for key in USER:
        (pod.directory / "credentials" / key).unlink()
    write_secret(pod, KEYS)
    # then this one, which has users, is what refuses
    fails(pod, "spec.model.credentialsSecretRef: MLflow refuses", "401")
