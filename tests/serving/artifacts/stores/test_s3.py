"""What is special about S3: versions, large objects, and one's own servers; before a real server."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.artifacts.stores.expected import MODEL
from tests.serving.fetching import fails, fetched, peak_of, succeeds
from tests.serving.files import sha256
from tests.serving.places import Place, s3_place
from tests.serving.store_servers import KEYS, Gateway, beyond_the_first_range, s3, silent
from tests.waiting import eventually

from viridian_shared.digest import digest_of

pytestmark = pytest.mark.serving

SMALL = os.urandom(1_000_000)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_place(tmp_path_factory.mktemp("s3")) as place:
        place.put("model.onnx", MODEL)
        yield place


@pytest.fixture
def gateway(bucket: Place) -> Gateway:
    assert isinstance(bucket.server, Gateway)
    bucket.server.forget()
    return bucket.server


def test_a_version_needs_no_digest(bucket: Place, gateway: Gateway, tmp_path: Path) -> None:
    # given an object with two versions
    first = gateway.put("iris/versioned.onnx", SMALL)
    gateway.put("iris/versioned.onnx", b"another")
    # when
    pod = bucket.pod(tmp_path, f"versioned.onnx?versionId={first}", None)
    succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == SMALL
    assert f"is {sha256(SMALL)}" in pod.log()


def test_a_version_that_was_uploaded_in_parts_needs_one(bucket: Place, gateway: Gateway, tmp_path: Path) -> None:
    version = gateway.put("iris/parts.onnx", MODEL)
    fails(bucket.pod(tmp_path / "without", f"parts.onnx?versionId={version}", None), "spec.model.digest: ", "in parts")
    succeeds(bucket.pod(tmp_path / "with", f"parts.onnx?versionId={version}", sha256(MODEL)))


def test_a_version_that_does_not_exist(bucket: Place, tmp_path: Path) -> None:
    pod = bucket.pod(tmp_path, "model.onnx?versionId=01M8MF1MV2KXXX5HMH4MEYQC1A", None)
    fails(pod, "spec.model.uri: ", "correct the address")


def test_an_object_that_changes_meanwhile(bucket: Place, gateway: Gateway, tmp_path: Path) -> None:
    # given an object that is replaced once its first range was sent
    gateway.put("iris/changing.onnx", MODEL)
    gateway.always = beyond_the_first_range(silent)
    pod = bucket.pod(tmp_path, "changing.onnx", sha256(MODEL))
    process = pod.start_fetch()
    eventually(lambda: len([each for each in gateway.seen if "range" in each.headers]) >= 3, pod.log)
    process.kill()
    process.wait()
    gateway.put("iris/changing.onnx", MODEL[::-1])
    gateway.always = None
    # when the container starts again, with the digest of the new one
    pod.settings["MODEL_DIGEST"] = sha256(MODEL[::-1])
    succeeds(pod)
    # then nothing of the old one is used
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL[::-1]


def test_what_was_fetched_is_served(bucket: Place, tmp_path: Path) -> None:
    # given a folder of a bucket
    source = tmp_path / "source"
    models.digits(source)
    for file in source.rglob("*.*"):
        bucket.put(f"digits/{file.relative_to(source)}", file.read_bytes())
    # when it was fetched, and the other containers start
    pod = bucket.pod(tmp_path / "pod", "digits/", digest_of(source))
    succeeds(pod)
    try:
        pod.start_triton()
        pod.start_api()
        pod.wait_ready()
        # then it answers
        assert pod.predict([{"X": [0.0] * 64}]).status == 200
    finally:
        pod.stop()


def test_a_bucket_that_does_not_exist(bucket: Place, tmp_path: Path) -> None:
    pod = bucket.pod(tmp_path, "", sha256(MODEL), MODEL_URI="s3://nobody/model.onnx")
    fails(pod, "spec.model.uri: ", "NoSuchBucket", "correct the address")


def test_another_region(bucket: Place, tmp_path: Path) -> None:
    pod = bucket.pod(tmp_path, "model.onnx", sha256(MODEL), STORE_REGION="eu-central-1")
    fails(pod, "spec.model.store.region: ", "AuthorizationHeaderMalformed", "us-east-1", "write that one")


def test_an_authority_that_nobody_named(tmp_path: Path) -> None:
    with s3(tmp_path / "s3", tls=tmp_path) as gateway:
        place = Place("s3", gateway, "s3://models/", gateway.put, KEYS, {}, silent, "", "")
        pod = place.pod(tmp_path / "pod", "model.onnx", sha256(MODEL), STORE_ENDPOINT=gateway.url)
        fails(pod, "spec.model.store.caConfigMap: ", "UnknownIssuer", "name a ConfigMap")
        gateway.put("model.onnx", MODEL)
        pod.settings["STORE_CA"] = str(gateway.ca)
        succeeds(pod)


def test_certificates_that_are_not_there(bucket: Place, tmp_path: Path) -> None:
    pod = bucket.pod(tmp_path, "model.onnx", sha256(MODEL), STORE_CA=str(tmp_path / "nothing.crt"))
    fails(pod, "spec.model.store.caConfigMap: the certificates cannot be read", "see that the ConfigMap exists")


def test_memory_does_not_grow_with_the_model(bucket: Place, gateway: Gateway, tmp_path: Path) -> None:
    # given 300 MB, which is many times what may be in memory
    piece = os.urandom(1_000_000)
    content = piece * 300
    gateway.put("iris/large.onnx", content)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    del content
    # then
    peak = peak_of(bucket.pod(tmp_path, "large.onnx", digest))
    assert 20 < peak < 150, f"{peak} MiB"
