"""Debian's registry of images, behind a proxy that is its token service, and does what it cannot be asked to do."""

import base64
import functools
import hashlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.component.harness.processes import start
from tests.ports import free_port
from tests.serving.store_servers import Proxy, Reply, StoreHandler, output_of, serving

from viridian_serving.artifacts.credentials import basic

USER, PASSWORD = "robot$reader", "a-password-of-the-registry"
UNKNOWN = f"sha256:{64 * '0'}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIGURATION = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {directory}/data}}
http: {{addr: "127.0.0.1:{port}"}}
auth:
  token: {{realm: "{realm}", service: registry, issuer: tests, rootcertbundle: {certificate}}}
"""


@dataclass(frozen=True)
class Layer:
    """A layer of a manifest, before it is pushed."""

    content: bytes
    kind: str = "application/octet-stream"
    annotations: dict[str, str] = field(default_factory=dict)

    @classmethod
    def file(cls, title: str, content: bytes) -> "Layer":
        """A file as oras pushes it."""
        return cls(content, annotations={"org.opencontainers.image.title": title})


@dataclass
class Images(Proxy):
    """A registry, and who may pull from it."""

    key: Path | None = None
    certificate: Path | None = None
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    """Of the newest manifests, by repository."""

    def answer(self, handler: StoreHandler) -> Reply:
        if not handler.path.startswith("/token?"):
            return super().answer(handler)
        if handler.headers.get("Authorization") != basic(USER, PASSWORD):
            return Reply(401, {}, b'{"errors": [{"code": "UNAUTHORIZED", "message": "incorrect password"}]}')
        _, name, actions = parse_qs(urlsplit(handler.path).query)["scope"][0].split(":")
        return Reply(
            200, {"Content-Type": "application/json"}, json.dumps({"token": self.token(name, actions)}).encode()
        )

    def token(self, repository: str, actions: str) -> str:
        """A token for a repository, signed with the key that the registry trusts."""
        assert self.key is not None
        assert self.certificate is not None
        chain = "".join(self.certificate.read_text().split("-----")[2].split())
        now = int(time.time())
        access = [{"type": "repository", "name": repository, "actions": actions.split(",")}]
        said = {"iss": "tests", "sub": USER, "aud": "registry", "iat": now, "nbf": now - 60, "exp": now + 300}
        signed = ".".join(
            _unpadded(json.dumps(each).encode())
            for each in ({"alg": "RS256", "typ": "JWT", "x5c": [chain]}, {**said, "jti": "1", "access": access})
        )
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), check=True, capture_output=True
        ).stdout
        return f"{signed}.{_unpadded(signature)}"

    def put(self, path: str, content: bytes) -> None:
        """Push an artifact: that of the first part of a path has all files below it."""
        repository, _, name = path.partition("/")
        self.files.setdefault(repository, {})[name or path] = content
        self.push(repository, [Layer.file(title, each) for title, each in self.files[repository].items()])

    def push(self, repository: str, layers: Sequence[Layer], **manifest: Any) -> str:
        """Push layers and their manifest; return its digest."""
        config = Layer(b"{}", "application/vnd.oci.empty.v1+json")
        described = [self._push_blob(repository, layer) for layer in (config, *layers)]
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
        return self.push_manifest(repository, {**document, **manifest})

    def push_manifest(self, repository: str, document: dict[str, Any]) -> str:
        """Push a manifest; return its digest."""
        content = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        kind = {"Content-Type": document["mediaType"]}
        self._ask("PUT", repository, f"/v2/{repository}/manifests/{digest}", content, kind)
        self.digests[repository] = digest
        return digest

    def resolve(self, path: str) -> str:
        """The end of the address of an artifact."""
        return f"{path}@{self.digests.get(path, UNKNOWN)}"

    def _push_blob(self, repository: str, layer: Layer) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(layer.content).hexdigest()}"
        begun = self._ask("POST", repository, f"/v2/{repository}/blobs/uploads/")
        address = urlsplit(begun.headers["Location"])
        self._ask("PUT", repository, f"{address.path}?{address.query}&digest={digest}", layer.content)
        described = {"mediaType": layer.kind, "digest": digest, "size": len(layer.content)}
        return {**described, "annotations": layer.annotations} if layer.annotations else described

    def _ask(
        self, method: str, repository: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        """Ask the registry itself."""
        connection = HTTPConnection("127.0.0.1", self.behind, timeout=60)
        try:
            token = {"Authorization": f"Bearer {self.token(repository, 'pull,push')}"}
            connection.request(method, path, body, {**token, **(headers or {})})
            answer = connection.getresponse()
            said = answer.read()
            assert 200 <= answer.status < 300, said
            return answer
        finally:
            connection.close()


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@functools.cache
def _program() -> str:
    """The registry's program; it is fetched now if it is missing."""
    return output_of("dev/toolchain/docker-registry.sh")


def _is_listening(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 401
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def registry_server(directory: Path) -> Iterator[Images]:
    """Run a registry that takes tokens of a token service alone."""
    directory.mkdir(parents=True, exist_ok=True)
    key, certificate = directory / "issuer-key.pem", directory / "issuer.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    images = Images(behind=free_port(), key=key, certificate=certificate)
    with serving(images, directory):
        configuration = directory / "registry.yaml"
        configuration.write_text(
            _CONFIGURATION.format(
                directory=directory, port=images.behind, realm=f"{images.url}/token", certificate=certificate
            )
        )
        server = start("docker-registry", [_program(), "serve", configuration], directory / "registry.log")
        try:
            server.wait_until(functools.partial(_is_listening, images.behind))
            yield images
        finally:
            server.stop()
