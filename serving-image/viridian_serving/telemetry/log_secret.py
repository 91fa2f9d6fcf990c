"""The Secret of the prediction log, a folder with a file for each key: what a collector asks for, and what hashes."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from viridian_serving.settings.config import SHORTEST_KEY
from viridian_serving.settings.file_watch import LiveFileError, read_file
from viridian_shared.certificates import first_expiry

_HEADERS: Final = "headers"
_HASH_KEY: Final = "hash-key"
_CA: Final = "ca.crt"
KEYS: Final = (_HEADERS, _HASH_KEY, _CA)
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\t -~]*")


@dataclass(frozen=True)
class LogSecret:
    """What it holds; what is absent is empty."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Request headers for a collector, such as authorization."""
    hash_key: str = field(default="", repr=False)
    """For members that are hashed."""
    ca: str = field(default="", repr=False)
    """Certificates, in PEM, that are trusted instead of the system's."""

    @cached_property
    def ca_expiry(self) -> float | None:
        """When the first of them expires, in seconds since 1970; None without one of an authority."""
        return first_expiry(self.ca) if self.ca else None

    @property
    def holds(self) -> str:
        """The keys that are there, for people."""
        values = zip(KEYS, (self.headers, self.hash_key, self.ca), strict=True)
        return ", ".join(key for key, value in values if value) or "nothing"


def read_secret(folder: Path) -> LogSecret:
    """Read the folder; it may be empty, or not there.

    Raises:
        LiveFileError: A file cannot be read or used. The message repeats no secret.
    """
    try:
        # What was made from a file ends with a line break.
        headers, hash_key, ca = ((read_file(folder / key) or b"").decode("ascii").strip() for key in KEYS)
    except UnicodeDecodeError:
        raise LiveFileError(f"{folder}: {', '.join(KEYS)} may hold only ASCII characters") from None
    if 0 < len(hash_key) < SHORTEST_KEY:
        raise LiveFileError(
            f"{folder / _HASH_KEY} has fewer than {SHORTEST_KEY} characters, so that values could be guessed and "
            "tried; make one by: openssl rand -base64 32"
        )
    if ca:
        _check_certificates(folder / _CA, ca)
    return LogSecret(_headers(folder / _HEADERS, headers), hash_key, ca)


def _headers(file: Path, text: str) -> dict[str, str]:
    headers = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        name, value = name.strip(), unquote(value.strip())
        if not (equals and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise LiveFileError(
                f"{file} is no list of headers; write NAME=VALUE, commas between them, and values percent-encoded"
            )
        headers[name] = value
    return headers


def _check_certificates(file: Path, text: str) -> None:
    try:
        ssl.create_default_context(cadata=text)
    except OSError as error:
        raise LiveFileError(f"{file} holds no certificates that can be used: {error}") from None
