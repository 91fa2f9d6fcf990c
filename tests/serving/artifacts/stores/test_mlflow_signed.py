"""MLflow with artifacts in a bucket: the server signs addresses there, and pods read from the bucket in parts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.artifacts.stores.expected import MODEL, says_none_of
from tests.serving.fetching import fails, fetched, mount, succeeds
from tests.serving.files import sha256
from tests.serving.mlflow_server import SCHEME, USER, Tracking, tracking_server
from tests.serving.places import write_secret
from tests.serving.pod import Pod
from tests.serving.store_servers import BUCKET, KEYS, Gateway, StoreRequest, answering, beyond_the_first_range, s3

pytestmark = pytest.mark.serving

DENIED = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tracking, Gateway]]:
    """Both, each by TLS, with one registered version; their certificates in one file beside the tracking server's."""
    folder = tmp_path_factory.mktemp("signed")
    with s3(folder / "s3", tls=folder) as bucket:
        environ = {**KEYS, "MLFLOW_S3_ENDPOINT_URL": bucket.url, "AWS_DEFAULT_REGION": "us-east-1"}
        environ |= {"AWS_CA_BUNDLE": str(bucket.ca), "NO_PROXY": "*", "no_proxy": "*"}
        with tracking_server(folder / "mlflow", f"s3://{BUCKET}/mlflow", environ) as tracking:
            run, artifacts = tracking.run()
            bucket.put(f"mlflow/{artifacts}/model/model.onnx", MODEL)
            tracking.register("iris", f"{SCHEME}{artifacts}/model", run)
            yield tracking, bucket


@pytest.fixture
def tracking(servers: tuple[Tracking, Gateway]) -> Tracking:
    tracking, bucket = servers
    for server in (tracking, bucket):
        server.faults, server.always, server.seen = [], None, []
    return tracking


@pytest.fixture
def bucket(servers: tuple[Tracking, Gateway]) -> Gateway:
    return servers[1]


@pytest.fixture
def pod(tracking: Tracking, bucket: Gateway, tmp_path: Path) -> Pod:
    """A pod with the right Secret that knows both certificates."""
    assert tracking.ca is not None
    assert bucket.ca is not None
    (tmp_path / "both.pem").write_text(tracking.ca.read_text() + bucket.ca.read_text())
    settings = {
        "MODEL_URI": "mlflow://iris/1/model.onnx",
        "MODEL_DIGEST": sha256(MODEL),
        "STORE_ENDPOINT": tracking.url,
    }
    pod = Pod.create(tmp_path / "pod", **settings, STORE_CA=str(tmp_path / "both.pem"))
    pod.environ = {"NO_PROXY": "*"}
    mount(pod).mkdir(parents=True)
    write_secret(pod, USER)
    return pod


def handed_on(tracking: Tracking) -> list[StoreRequest]:
    """What was read through the tracking server."""
    return [each for each in tracking.seen if "/mlflow-artifacts/artifacts/" in each.path]


def reads(bucket: Gateway) -> list[StoreRequest]:
    """What was read from the bucket: of a pod, in ranges."""
    return [each for each in bucket.seen if each.method == "GET" and "range" in each.headers]


def test_a_version_is_read_from_the_bucket_in_parts(tracking: Tracking, bucket: Gateway, pod: Pod) -> None:
    # when
    succeeds(pod)
    # then all of it came from there, in several ranges, and nothing through the server
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert handed_on(tracking) == []
    assert len({each.headers["range"] for each in reads(bucket)}) > 1
    # and the bucket never saw what is for the server
    assert all("authorization" not in each.headers for each in reads(bucket))


def test_an_address_that_has_expired_is_signed_again(tracking: Tracking, bucket: Gateway, pod: Pod) -> None:
    # given addresses that are refused once, after the first byte
    bucket.faults = [beyond_the_first_range(answering(403, DENIED))] * 3
    # when
    succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    signed = [each for each in tracking.seen if "/mlflow-artifacts/presigned/" in each.path]
    assert len(signed) > 1
    assert handed_on(tracking) == []


def test_addresses_that_are_refused_again_and_again_are_said_without_their_signature(
    tracking: Tracking, bucket: Gateway, pod: Pod
) -> None:
    bucket.always = beyond_the_first_range(answering(403, DENIED))
    fails(pod, "spec.model.uri: the store behind MLflow answers 403", "the server's own keys for its store")
    assert not re.search("X-Amz-Signature|AKIA", pod.log())
    says_none_of(pod, USER["MLFLOW_TRACKING_PASSWORD"])


@pytest.mark.parametrize("why", ["an older server", "a bucket that only the server can reach"])
def test_the_server_hands_files_on_where_its_addresses_are_of_no_use(
    tracking: Tracking, bucket: Gateway, pod: Pod, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    if why == "an older server":
        monkeypatch.setattr(tracking, "lacks", "/mlflow-artifacts/presigned/")
    else:
        pod.settings["STORE_CA"] = str(tracking.ca)  # that of the bucket is not trusted
    # when
    succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert len(handed_on(tracking)) == 1
