"""Where a model can be in a store, alike for every store: so that one table of tests holds them all."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.serving import mlflow_server
from tests.serving.fetching import mount
from tests.serving.mlflow_server import SCHEME, shared_tracking_server
from tests.serving.pod import Pod
from tests.serving.registry_server import PASSWORD, USER, registry_server
from tests.serving.store_doubles import COMMIT, REPOSITORY, Azure, Google, Hub
from tests.serving.store_servers import BUCKET, KEYS, Fault, StoreServer, answering, s3, serving


@dataclass
class Place:
    """A store with an address, and how a pod reaches it."""

    name: str
    server: StoreServer
    base: str
    """The address of the folder in which everything is."""
    put: Callable[[str, bytes], object]
    good: dict[str, str]
    """Keys of a Secret."""
    bad: dict[str, str]
    expired: Fault
    """How the store refuses a token that was good before."""
    refuses: str
    """What it says of wrong ones."""
    misses: str
    """What it says of what does not exist."""
    settings: dict[str, str] = field(default_factory=dict)
    vouches: bool = False
    """Whether it needs no digest."""
    parts: bool = True
    """Whether it is asked for parts of files, and not for each in one."""
    resolve: Callable[[str], str] = str
    """Makes the end of an address of a path."""

    def address(self, path: str) -> str:
        """The address of what is at a path below the base."""
        return f"{self.base}{self.resolve(path)}"

    def addresses_of(self, folder: str) -> list[str]:
        """The ways to write a folder."""
        return [folder, f"{folder}/"] if self.name in ("s3", "gs", "az") else [folder]

    def pod(self, directory: Path, path: str, digest: str | None, **settings: str) -> Pod:
        """A pod with the model at a path below the base, and the right Secret."""
        known = {"MODEL_DIGEST": digest} if digest is not None else {}
        directory.mkdir(exist_ok=True)
        pod = Pod.create(directory, **{"MODEL_URI": self.address(path), **self.settings, **known, **settings})
        pod.environ = {"NO_PROXY": "*"}
        mount(pod).mkdir(parents=True, exist_ok=True)
        write_secret(pod, self.good)
        return pod


def write_secret(pod: Pod, keys: dict[str, str]) -> None:
    folder = pod.directory / "credentials"
    folder.mkdir(exist_ok=True)
    for name, value in keys.items():
        (folder / name).write_text(f"{value}\n")


@contextmanager
def s3_place(directory: Path) -> Iterator[Place]:
    with s3(directory) as gateway:
        yield Place(
            "s3",
            gateway,
            f"s3://{BUCKET}/iris/",
            lambda path, content: gateway.put(f"iris/{path}", content),
            KEYS,
            {**KEYS, "AWS_SECRET_ACCESS_KEY": "not-what-it-should-be"},
            answering(
                400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
            ),
            "SignatureDoesNotMatch",
            "there is no file below",
            {"STORE_ENDPOINT": gateway.url},
        )


@contextmanager
def gs_place(directory: Path) -> Iterator[Place]:
    directory.mkdir(parents=True, exist_ok=True)
    server = Google(account="reader@acme.example")
    with serving(server, directory):
        yield Place(
            "gs",
            server,
            "gs://acme-models/iris/",
            lambda path, content: server.files.__setitem__(f"acme-models/iris/{path}", content),
            {"GOOGLE_APPLICATION_CREDENTIALS": service_account(directory, "reader@acme.example")},
            {"GOOGLE_APPLICATION_CREDENTIALS": service_account(directory, "stranger@acme.example")},
            answering(401, "<Error><Code>AuthenticationRequired</Code><Message>Token expired</Message></Error>"),
            "Invalid Credentials",
            "there is no file below",
            _settings(server),
        )


@contextmanager
def az_place(directory: Path) -> Iterator[Place]:
    directory.mkdir(parents=True, exist_ok=True)
    server = Azure(signature="a-signature-that-is-good")
    with serving(server, directory):
        yield Place(
            "az",
            server,
            "az://acmemodels/models/iris/",
            lambda path, content: server.files.__setitem__(f"models/iris/{path}", content),
            {"AZURE_STORAGE_SAS_TOKEN": "sv=2025-01-05&sp=r&sig=a-signature-that-is-good"},
            {"AZURE_STORAGE_SAS_TOKEN": "sv=2025-01-05&sp=r&sig=a-signature-of-another-key"},
            answering(403, "<Error><Code>AuthenticationFailed</Code><Message>Signature not valid</Message></Error>"),
            "AuthenticationFailed",
            "there is no file below",
            _settings(server),
        )


@contextmanager
def hf_place(directory: Path) -> Iterator[Place]:
    directory.mkdir(parents=True, exist_ok=True)
    server = Hub(tokens={"hf_a-token-that-is-good"})
    with serving(server, directory):
        yield Place(
            "hf",
            server,
            f"hf://{REPOSITORY}@{COMMIT}/",
            server.files.__setitem__,
            {"HF_TOKEN": "hf_a-token-that-is-good"},
            {"HF_TOKEN": "hf_a-token-of-somebody-else"},
            answering(401, '{"error": "Token expired"}', X_Error_Message="Token expired"),
            "Invalid username or password",
            "does not exist on",
            _settings(server),
            vouches=True,
        )


@contextmanager
def mlflow_place(directory: Path) -> Iterator[Place]:
    with shared_tracking_server(directory) as server:
        run, artifacts = server.run()
        name = f"iris model of {run}"
        server.register(name, f"{SCHEME}{artifacts}/model", run)
        yield Place(
            "mlflow",
            server,
            f"mlflow://{quote(name)}/1/",
            lambda path, content: server.put(f"{artifacts}/model/{path}", content),
            mlflow_server.USER,
            {**mlflow_server.USER, "MLFLOW_TRACKING_PASSWORD": "a-password-of-nobody"},
            answering(401, '{"error_code": "UNAUTHENTICATED", "message": "The token has expired."}'),
            "401",
            "there is no file below",
            _settings(server),
            parts=False,
        )


@contextmanager
def oci_place(directory: Path) -> Iterator[Place]:
    with registry_server(directory) as server:
        registry = f"localhost:{server.port}"
        yield Place(
            "oci",
            server,
            f"oci://{registry}/",
            server.put,
            {".dockerconfigjson": pull_secret(registry, USER, PASSWORD)},
            {".dockerconfigjson": pull_secret(registry, USER, "a-password-of-nobody")},
            answering(401, '{"errors": [{"code": "UNAUTHORIZED", "message": "The token has expired."}]}'),
            "incorrect password",
            "MANIFEST_UNKNOWN",
            {"STORE_CA": str(server.ca)},
            vouches=True,
            resolve=server.resolve,
        )


PLACES = {"s3": s3_place, "gs": gs_place, "az": az_place, "hf": hf_place, "mlflow": mlflow_place, "oci": oci_place}


def _settings(server: StoreServer) -> dict[str, str]:
    return {"STORE_ENDPOINT": server.url, "STORE_CA": str(server.ca)}


def service_account(directory: Path, account: str) -> str:
    """The JSON of a service account's key, as Google would give it."""
    key = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "1",
            "private_key": key,
            "client_email": account,
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


def pull_secret(registry: str, user: str, password: str) -> str:
    """What kubectl create secret docker-registry writes."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return json.dumps({"auths": {registry: {"username": user, "password": password, "auth": auth}}})
