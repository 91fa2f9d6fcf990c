"""The pod's own identity, before issuers of tokens that are doubles, and what they say of one that is no good."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.artifacts.stores.expected import MODEL, says_none_of
from tests.serving.fetching import fails, fetched, succeeds
from tests.serving.files import sha256
from tests.serving.places import Place, az_place, gs_place, s3_place
from tests.serving.pod import Pod
from tests.serving.store_doubles import Azure, Google, TokenService
from tests.serving.store_servers import KEYS, cut_after, serving

TOKEN = "eyJhbGciOiJSUzI1NiJ9.of-the-pod.signature"  # noqa: S105


def without_secret(place: Place, directory: Path, **settings: str) -> Pod:
    pod = place.pod(directory, "model.onnx", sha256(MODEL), CREDENTIALS_DIR="/nowhere", **settings)
    (directory / "token").write_text(TOKEN)
    return pod


# -- Amazon: IAM roles for service accounts


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenService]:
    service = TokenService(token=TOKEN, keys=KEYS)
    with serving(service, tmp_path):
        yield service


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_place(tmp_path_factory.mktemp("s3")) as place:
        place.put("model.onnx", MODEL)
        yield place


def role(pod: Pod, tokens: TokenService) -> None:
    """What Amazon's webhook puts into a pod; and the issuer, with its certificate."""
    pod.settings["STORE_CA"] = str(tokens.ca)
    pod.environ |= {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/models-reader",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(pod.directory / "token"),
        "AWS_ENDPOINT_URL_STS": tokens.url,
        "AWS_REGION": "us-east-1",
    }


@pytest.mark.serving
def test_a_role_of_amazon(bucket: Place, tokens: TokenService, tmp_path: Path) -> None:
    pod = without_secret(bucket, tmp_path)
    role(pod, tokens)
    succeeds(pod)
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert len(tokens.seen) == 1


@pytest.mark.serving
def test_keys_that_expire_are_exchanged_for_new_ones(bucket: Place, tokens: TokenService, tmp_path: Path) -> None:
    # given an issuer of keys that have expired by the time they are used
    tokens.expiry = "2020-01-01T00:00:00Z"
    pod = without_secret(bucket, tmp_path)
    role(pod, tokens)
    # when
    succeeds(pod)
    # then it was asked for new ones
    assert len(tokens.seen) > 1


@pytest.mark.serving
def test_a_role_that_may_not(bucket: Place, tokens: TokenService, tmp_path: Path) -> None:
    tokens.token = "another"  # noqa: S105
    pod = without_secret(bucket, tmp_path)
    role(pod, tokens)
    fails(
        pod, "spec.model.credentialsSecretRef: ", "InvalidIdentityToken", "No OpenIDConnect provider", "ServiceAccount"
    )
    says_none_of(pod, TOKEN)


# -- Azure: Microsoft Entra Workload ID


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Place]:
    with az_place(tmp_path) as place:
        place.put("model.onnx", MODEL)
        assert isinstance(place.server, Azure)
        place.server.federated = TOKEN
        yield place


def workload(pod: Pod, place: Place) -> None:
    """What Azure's webhook puts into a pod."""
    pod.environ |= {
        "AZURE_TENANT_ID": "11111111-2222-3333-4444-555555555555",
        "AZURE_CLIENT_ID": "66666666-7777-8888-9999-000000000000",
        "AZURE_FEDERATED_TOKEN_FILE": str(pod.directory / "token"),
        "AZURE_AUTHORITY_HOST": place.server.url,
    }


def test_a_workload_identity_of_azure(container: Place, tmp_path: Path) -> None:
    pod = without_secret(container, tmp_path)
    workload(pod, container)
    succeeds(pod)
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL


def test_a_token_of_azure_that_expires_is_renewed(container: Place, tmp_path: Path) -> None:
    # given tokens that are good for a second, and a range that takes longer
    assert isinstance(container.server, Azure)
    container.server.lifetime = 1
    container.server.faults = [cut_after(1000)]
    pod = without_secret(container, tmp_path)
    workload(pod, container)
    # when
    succeeds(pod)
    # then more than one was asked for
    assert len(container.server.issued) > 1


def test_a_workload_identity_of_azure_that_is_refused(container: Place, tmp_path: Path) -> None:
    assert isinstance(container.server, Azure)
    container.server.federated = "another"
    pod = without_secret(container, tmp_path)
    workload(pod, container)
    fails(pod, "spec.model.credentialsSecretRef: ", "AADSTS700024", "azure.workload.identity/use")
    says_none_of(pod, TOKEN)


# -- Google: Workload Identity of GKE


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Place]:
    with gs_place(tmp_path) as place:
        place.put("model.onnx", MODEL)
        yield place


def test_a_workload_identity_of_google(google: Place, tmp_path: Path) -> None:
    # given a metadata server, which speaks plain HTTP
    metadata = Google()
    assert isinstance(google.server, Google)
    metadata.tokens = google.server.tokens
    with serving(metadata):
        pod = without_secret(google, tmp_path)
        pod.environ |= dict.fromkeys(("GCE_METADATA_HOST", "METADATA_HOST"), f"localhost:{metadata.port}")
        metadata.lifetime = 1
        google.server.faults = [cut_after(1000)]
        succeeds(pod)
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert len(metadata.issued) > 1


def test_without_secret_and_identity(container: Place, tmp_path: Path) -> None:
    # given a metadata server that is not there
    pod = without_secret(container, tmp_path)
    pod.environ |= {"IDENTITY_ENDPOINT": "http://localhost:1"}
    fails(pod, "spec.model.credentialsSecretRef: nobody gives a token", "give the pods a ServiceAccount")
