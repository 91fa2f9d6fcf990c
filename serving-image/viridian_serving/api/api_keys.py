"""API keys: which clients a model answers. A Secret has a file for each key, which is named after its client."""

import hashlib
import hmac
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from viridian_serving.http1.problems import Problem
from viridian_serving.settings.config import SHORTEST_KEY
from viridian_serving.settings.file_watch import LiveFileError, read_file

LOG = logging.getLogger("viridian.api")

MOST_KEYS: Final = 100
"""Each presented key is compared with all of them, and each client is a label of a metric."""
_LONGEST_KEY: Final = 1024
_PRINTABLE: Final = re.compile(rb"[!-~]+")
_BEARER: Final = re.compile(rb"bearer +(\S+)", re.IGNORECASE)
HEADERS: Final = (b"authorization", b"x-api-key")
"""Where a client may put its key."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key."""

    client: str
    digest: bytes = field(repr=False)
    """SHA-256 of the key, so that all comparisons are of one length."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys that are valid now; none at all admits nobody."""

    keys: tuple[ApiKey, ...] = ()

    @property
    def clients(self) -> list[str]:
        """Names of the clients, each once."""
        return sorted({key.client for key in self.keys})

    def client_of(self, headers: Mapping[bytes, bytes]) -> str:
        """Return the name of the client whose key a request carries.

        The time that it takes does not depend on the keys: every one is compared, by a comparison in constant time.

        Args:
            headers: Of the request, names in lower case. ``X-Api-Key`` comes before ``Authorization``, which may hold
                a token for the gateway.

        Raises:
            Problem: 401: there is no key, or none that is known.
        """
        presented = _presented(headers)
        if presented is None:
            raise unauthorized("This model requires an API key: send yours")
        digest = hashlib.sha256(presented).digest()
        found = ""
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest):
                found = key.client
        if not found:
            raise unauthorized("This API key is not valid; it may have been replaced: send the current one")
        return found


def unauthorized(detail: str) -> Problem:
    """Return the problem of a request without a valid key."""
    return Problem(
        401,
        "unauthorized",
        f"{detail} as X-Api-Key: KEY, or Authorization: Bearer KEY.",
        headers=((b"WWW-Authenticate", b"Bearer"),),
    )


def read_keys(folder: Path) -> KeyRing:
    """Read the keys of a folder.

    The name of a file, up to its first dot, is the client's name, so that a client can have several keys while one
    takes the place of another: ``shop.2026`` and ``shop.2027`` are both keys of ``shop``. A file that holds no key is
    left out, and the log says why; no message repeats a key.

    Raises:
        LiveFileError: The folder or a file cannot be read.
    """
    keys = []
    for file in _files(folder):
        client = file.name.partition(".")[0]
        content = (read_file(file) or b"").strip()  # what was made from a file ends with a line break
        if fault := _fault(client, content):
            LOG.error("API key %s is not accepted: %s", file.name, fault)
        else:
            keys.append(ApiKey(client, hashlib.sha256(content).digest()))
    if len(keys) > MOST_KEYS:
        left_out = ", ".join(key.client for key in keys[MOST_KEYS:])
        LOG.error("%s holds more than %d API keys; left out: %s", folder, MOST_KEYS, left_out)
    return KeyRing(tuple(keys[:MOST_KEYS]))


def watched(folder: Path) -> tuple[Path, ...]:
    """Return what changes when a key does: the folder itself, and the link that the kubelet swaps."""
    return folder, folder / "..data"


def _files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LiveFileError(f"{folder} cannot be read: {error.strerror}") from error
    return [folder / name for name in names if not name.startswith("..")]  # the kubelet's own links


def _fault(client: str, content: bytes) -> str:
    if not client:
        return "its name begins with a dot; name it after the client"
    if len(content) < SHORTEST_KEY:
        return f"it has fewer than {SHORTEST_KEY} characters, so it could be guessed; make one by: openssl rand -hex 32"
    if len(content) > _LONGEST_KEY or not _PRINTABLE.fullmatch(content):
        return f"it must be at most {_LONGEST_KEY} printable ASCII characters without blanks, as it goes into a header"
    return ""


def _presented(headers: Mapping[bytes, bytes]) -> bytes | None:
    if key := headers.get(b"x-api-key", b"").strip():
        return key
    bearer = _BEARER.fullmatch(headers.get(b"authorization", b"").strip())
    return bearer[1] if bearer is not None else None
