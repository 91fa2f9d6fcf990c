"""Pull secrets, as several tools write them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from viridian_serving.artifacts.credentials import basic
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.docker_config import KEY, read_login

AUTH = {"auth": base64.b64encode(b"ann:hush:hush").decode()}
PAIR = {"username": "bob", "password": "hush"}


@pytest.mark.parametrize(
    ("auths", "registry", "login"),
    [
        ({"ghcr.io": AUTH}, "ghcr.io", basic("ann", "hush:hush")),
        ({"https://ghcr.io/": PAIR}, "ghcr.io", basic("bob", "hush")),
        ({"https://index.docker.io/v1/": PAIR}, "docker.io", basic("bob", "hush")),
        ({"ghcr.io": AUTH, "ghcr.io/acme": PAIR}, "ghcr.io", basic("bob", "hush")),
        ({"ghcr.io/acme/iris": PAIR, "ghcr.io/acme": AUTH}, "ghcr.io", basic("bob", "hush")),
        ({"localhost:5000": PAIR}, "localhost:5000", basic("bob", "hush")),
    ],
)
def test_what_is_for_a_registry(tmp_path: Path, auths: dict[str, Any], registry: str, login: str) -> None:
    (tmp_path / KEY).write_text(json.dumps({"auths": auths}))
    assert read_login(tmp_path, registry, "acme/iris") == login


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "is not the JSON of a pull secret"),
        ("hush", "is not the JSON of a pull secret"),
        ('{"auths": {}}', "has no credentials for ghcr.io, but for no registry"),
        ('{"auths": {"ghcr.io/other": {"auth": "hush"}}}', "but for ghcr.io/other"),
        ('{"auths": {"ghcr.io": {"auth": "hush-"}}}', "that is not base64"),
        ('{"auths": {"ghcr.io": {"identitytoken": "hush"}}}', "has neither auth nor a username and a password"),
    ],
)
def test_a_secret_that_cannot_be_used(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / KEY).write_text(content)
    with pytest.raises(ModelError) as told:
        read_login(tmp_path, "ghcr.io", "acme/iris")
    assert str(told.value).startswith("spec.model.credentialsSecretRef: ")
    assert words in str(told.value)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "login"),
    [
        (json.dumps({"auths": {"ghcr.io": AUTH}}), basic("ann", "hush:hush")),
        (json.dumps({"auths": {"ghcr.io": {}}, "credsStore": "desktop"}), ""),
        (json.dumps({"auths": {"quay.io": AUTH}}), ""),
        ("{}", ""),
        (None, ""),
    ],
)
def test_without_a_secret_that_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, login: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert read_login(tmp_path / "nothing", "ghcr.io", "acme/iris") == login
