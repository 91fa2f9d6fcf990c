"""Pull secrets: credentials of registries, as ``kubectl create secret docker-registry`` writes them."""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from viridian_serving.artifacts.credentials import basic
from viridian_serving.artifacts.locate import CredentialsError
from viridian_serving.artifacts.stores.secret import FIELD, read_secret

KEY: Final = ".dockerconfigjson"
_NAME, _PASSWORD = "username", "password"
_HUB: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")
"""The names of one registry."""


def read_login(directory: Path, registry: str, repository: str) -> str:
    """Read how to log in to a registry.

    Args:
        directory: Where the Secret is mounted; it is missing where the spec names none.
        registry: Host, with a port if there is one.
        repository: In it; a pull secret may be for a part of a registry.

    Returns:
        The value of ``Authorization``. Without a Secret, that of ``docker login`` on this machine, or else empty.

    Raises:
        CredentialsError: The Secret cannot be used, or has nothing for this registry.
    """
    if not directory.is_dir():
        return _of_this_machine(registry, repository)
    secret = read_secret(directory, (KEY,), (_NAME, _PASSWORD))
    if KEY not in secret:
        return basic(secret[_NAME], secret[_PASSWORD])
    try:
        known = _logins(secret[KEY])
    except (ValueError, KeyError, AttributeError):
        raise _unusable("is not the JSON of a pull secret") from None
    found = _find(known, registry, repository)
    if found is None:
        raise _unusable(f"has no credentials for {registry}, but for {', '.join(sorted(known)) or 'no registry'}")
    return _authorization(found, registry)


def _of_this_machine(registry: str, repository: str) -> str:
    # Not Path.home(), which fails for the user of a pod.
    home = os.environ.get("HOME", "/nonexistent")
    file = Path(os.environ.get("DOCKER_CONFIG") or f"{home}/.docker") / "config.json"
    try:
        found = _find(_logins(file.read_text()), registry, repository)
    except (OSError, ValueError, KeyError, AttributeError):
        return ""
    # An empty entry says that a program keeps the password, which is not asked here.
    return _authorization(found, registry) if found else ""


def _logins(text: str) -> dict[str, object]:
    return {_place(address): login for address, login in json.loads(text)["auths"].items()}


def _find(known: Mapping[str, object], registry: str, repository: str) -> object | None:
    names = _HUB if registry in _HUB else (registry,)
    # As the kubelet does: what is for a part of the registry counts more.
    parts = repository.split("/")
    paths = ["/".join(("", *parts[:count])) for count in range(len(parts), -1, -1)]
    return next((known[name + path] for path in paths for name in names if name + path in known), None)


def _place(address: str) -> str:
    """Return host and path of what may be an address: https://index.docker.io/v1/ is how Docker writes its own."""
    place = address.partition("://")[2] or address
    return place.removesuffix("/v1/").removesuffix("/v2/").rstrip("/")


def _authorization(login: object, registry: str) -> str:
    if isinstance(login, dict):
        if login.get("auth"):
            try:
                name, _, password = base64.b64decode(login["auth"], validate=True).decode().partition(":")
            except (binascii.Error, TypeError, UnicodeDecodeError):
                raise _unusable(f"has an auth for {registry} that is not base64") from None
            return basic(name, password)
        if login.get(_NAME) and login.get(_PASSWORD):
            return basic(str(login[_NAME]), str(login[_PASSWORD]))
    raise _unusable(f"has neither auth nor a username and a password for {registry}")


def _unusable(why: str) -> CredentialsError:
    return CredentialsError(f"{FIELD}: the Secret's {KEY} {why}; make it with kubectl create secret docker-registry")
