"""The example of JSON Web Tokens in front of a model: a real Envoy with that very file, and a real pod behind it."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.component.harness.binaries import REPOSITORY, packaged
from tests.ports import free_port
from tests.serving import models
from tests.serving.pod import Answer, Pod, running_pod
from tests.waiting import DEADLINE, eventually

EXAMPLE = REPOSITORY / "examples" / "authentication" / "envoy.yaml"
REQUESTS = 3
"""That a client may send, as the pod's rate limit has it."""


class Issuer:
    """Signs tokens with an RSA key of its own."""

    def __init__(self, folder: Path) -> None:
        self._key = folder / "issuer.pem"
        _openssl("genrsa", "-out", str(self._key), "2048")
        modulus = bytes.fromhex(_openssl("rsa", "-in", str(self._key), "-noout", "-modulus").decode().partition("=")[2])
        key = {
            "kty": "RSA",
            "alg": "RS256",
            "kid": "1",
            "n": _base64(modulus),
            "e": _base64((65537).to_bytes(3, "big")),
        }
        self.jwks = json.dumps({"keys": [key]})

    def token(self, **claims: Any) -> str:
        given = {"iss": "https://login.example.com", "aud": "models", "exp": time.time() + 3600, **claims}
        header = {"alg": "RS256", "kid": "1"}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, given))
        return f"{signed}.{_base64(_openssl('dgst', '-sha256', '-sign', str(self._key), stdin=signed.encode()))}"


def _openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    live = tmp_path_factory.mktemp("live") / "serving.json"
    limit = {"requestsPerSecond": 0.001, "burst": REQUESTS, "clientHeader": "x-user"}
    live.write_text(json.dumps({"rateLimit": limit}))
    with running_pod(tmp_path_factory.mktemp("pod"), models.lookup, LIVE_SETTINGS=str(live)) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, pod: Pod) -> Iterator[Pod]:
    """The pod through Envoy; only addresses and the file with the keys are others than the example's."""
    folder = tmp_path_factory.mktemp("envoy")
    (folder / "jwks.json").write_text(issuer.jwks)
    port = free_port()
    text = EXAMPLE.read_text().replace("/etc/envoy/jwks.json", str(folder / "jwks.json"))
    text = text.replace("address: 0.0.0.0, port_value: 8080", f"address: 127.0.0.1, port_value: {port}")
    text = text.replace(
        "address: iris-blue.ml.svc, port_value: 8000", f"address: 127.0.0.1, port_value: {pod.ports['HTTP_PORT']}"
    )
    assert yaml.safe_load(text) != yaml.safe_load(EXAMPLE.read_text())
    (folder / "envoy.yaml").write_text(text)
    envoy = packaged("dev/images/envoy/requirements.txt", "envoy/_bin/envoy")
    log = folder / "envoy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [envoy, "-c", folder / "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "warning"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    reached = Pod(folder, {**pod.ports, "HTTP_PORT": port}, {})
    try:
        eventually(lambda: reached.get("/iris/ready").status == 401, log.read_text)
        yield reached
    finally:
        process.terminate()
        process.wait(DEADLINE)


def ask(gateway: Pod, token: str | None, **headers: str) -> Answer:
    given = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return gateway.request("POST", "/iris/predict", b'{"i": 3}', headers={**given, **headers})


def test_who_has_a_token_is_answered_and_counts_as_a_user(gateway: Pod, pod: Pod, issuer: Issuer) -> None:
    # given
    before = pod.counts()
    # when
    answer = ask(gateway, issuer.token(sub="ada"), Viridian_Via="check")
    # then: what a client says of its own way is overwritten
    assert (answer.status, answer.json["prediction"]) == (200, 30.0)
    assert pod.since(before) == {("split", "ok"): 1}


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        (None, 401),
        ({"iss": "https://evil.example.com"}, 401),
        ({"exp": 1}, 401),
        ({"aud": "others"}, 403),
    ],
)
def test_who_has_none_never_reaches_the_pod(
    gateway: Pod, pod: Pod, issuer: Issuer, claims: dict[str, Any] | None, status: int
) -> None:
    # given
    before = pod.counts()
    token = None if claims is None else issuer.token(sub="eve", **claims)
    # when / then
    assert ask(gateway, token).status == status
    assert pod.since(before) == {}


def test_a_token_of_another_key_is_refused(gateway: Pod, tmp_path: Path) -> None:
    assert ask(gateway, Issuer(tmp_path).token(sub="eve")).status == 401


def test_a_client_is_limited_by_its_token_s_name_and_cannot_choose_another(gateway: Pod, issuer: Issuer) -> None:
    # given
    grace, bob = issuer.token(sub="grace"), issuer.token(sub="bob")
    # when: each of these claims to be somebody else
    statuses = [ask(gateway, grace, X_User=f"nobody-{number}").status for number in range(REQUESTS + 1)]
    # then
    assert statuses == [*[200] * REQUESTS, 429]
    assert ask(gateway, bob).status == 200
