"""What a prediction's feedback refers to, in a signed token: nothing has to be kept until the truth is known.

``v1.`` and base64url (without padding) of: a MAC of 16 bytes; seconds since the epoch (4); a nonce (8); how the request
came (1); the length of the revision (1), and it; the confidence (1), if the bit of that is set in how the request came;
the prediction as JSON. The MAC is HMAC-SHA256, cut to half as RFC 2104 allows, with a key that is derived for one
model: every pod of the model can check it, none of another model.
"""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from viridian_shared.counts.via import Via

_VERSION: Final = "v1."
_MAC_SIZE: Final = 16
_FIXED: Final = struct.Struct(">I8sBB")
_VIAS: Final = tuple(Via)
"""By number. One that is added goes to the end: tokens outlive an image."""
_VIA_NUMBERS: Final = {via: number for number, via in enumerate(_VIAS)}
_CONFIDENT: Final = 0x80
"""Set in that number where a byte with the confidence follows the revision. Older images ask for a newer one."""
_CONFIDENCES: Final = 255
"""Parts of 1 in which a confidence is written."""
_MAX_PREDICTION: Final = 256
"""Bytes of a prediction in a token. A label is shorter; what is longer is a text, about which nobody is just right."""
_MAX_TOKEN: Final = 1024
_SCALARS: Final = (str, int, float, bool)

Label = str | int | float | bool
"""A prediction that can be right or wrong: one label, or one number."""


class TokenError(ValueError):
    """The token cannot be used. The message is the end of a sentence that begins with where it was."""


@dataclass(frozen=True, slots=True)
class Given:
    """A prediction that was given."""

    revision: str
    via: Via
    prediction: Label
    issued: int
    """Whole seconds since the epoch."""
    nonce: bytes
    """Tells it from every other prediction."""
    confidence: float | None = None
    """From 0 to 1, in steps of 1/255; None where the answer had none."""


class TokenWriter:
    """Signs the predictions of one pod."""

    def __init__(self, keys: Sequence[str], namespace: str, model: str, revision: str) -> None:
        """Prepare.

        Args:
            keys: Secrets of the model; the first one signs.
            namespace: Of the model.
            model: Its name.
            revision: Of this pod.
        """
        self._inner, self._outer = _hmac_states(_derive(keys[0], namespace, model))
        name = revision.encode()
        self._revision = name
        # Not 8 random bytes for each: these tell a start of the process from others, and predictions are counted.
        self._process = os.urandom(4)
        self._count = 0

    def write(
        self, prediction: object, via: Via, now: int, confidence: object = None, nonce: bytes | None = None
    ) -> str | None:
        """Make the token of one prediction.

        Args:
            prediction: As the answer has it.
            via: How the request came.
            now: Whole seconds since the epoch.
            confidence: As the answer has it; what is no number from 0 to 1 is left out.
            nonce: 8 bytes that tell the prediction from all others; by default the next ones of this process.

        Returns:
            The token; None for what is neither one label nor one number, and for a text that is too long to be a label.
        """
        if not isinstance(prediction, _SCALARS):
            return None
        value = msgspec.json.encode(prediction)
        if len(value) > _MAX_PREDICTION:
            return None
        if nonce is None:
            self._count = (self._count + 1) & 0xFFFFFFFF
            nonce = self._process + self._count.to_bytes(4, "big")
        way, sure = _VIA_NUMBERS[via], b""
        if isinstance(confidence, float) and 0 <= confidence <= 1:
            way, sure = way | _CONFIDENT, bytes((round(confidence * _CONFIDENCES),))
        payload = b"".join((_FIXED.pack(now, nonce, way, len(self._revision)), self._revision, sure, value))
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload)
        outer.update(inner.digest())
        raw = outer.digest()[:_MAC_SIZE] + payload
        return _VERSION + _encoded(raw)


class TokenReader:
    """Checks tokens of one model, whichever of its pods gave them."""

    def __init__(self, keys: Sequence[str], namespace: str, model: str, lifetime: float) -> None:
        """Prepare.

        Args:
            keys: Secrets of the model; a token by any of them is believed, so that keys can be changed.
            namespace: Of the model.
            model: Its name.
            lifetime: Seconds for which a token is good.
        """
        self._keys = [_derive(key, namespace, model) for key in keys]
        self._model = model
        self._lifetime = lifetime

    def read(self, token: str, now: float) -> Given:
        """Check a token.

        Args:
            token: As a client sent it.
            now: Seconds since the epoch.

        Returns:
            What it says.

        Raises:
            TokenError: It is no token of this model, or is too old.
        """
        raw = _decoded(token)
        payload = raw[_MAC_SIZE:]
        # Every key is tried whatever the ones before it said, and each is compared in constant time.
        matches = [hmac.compare_digest(_mac(key, payload), raw[:_MAC_SIZE]) for key in self._keys]
        if not any(matches):
            raise TokenError(
                f"is not signed by a pod of model {self._model!r}: it was altered, belongs to another model, or its "
                "key has been removed; send the feedback_token of the answer as it was, to the model that gave it"
            )
        given = _unpacked(payload)
        if now - given.issued > self._lifetime:
            raise TokenError(
                f"has expired: it is {(now - given.issued) / 3600:.1f} h old, "
                f"and {self._lifetime / 3600:g} h is the longest"
            )
        return given


def _derive(key: str, namespace: str, model: str) -> bytes:
    return hmac.digest(key.encode(), f"viridian feedback v1\0{namespace}\0{model}".encode(), "sha256")


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")[:_MAC_SIZE]


def _hmac_states(key: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """Return the two hashes of HMAC with the key taken in: to copy them costs a third of what to begin anew does."""
    block = key.ljust(64, b"\0")
    return hashlib.sha256(bytes(b ^ 0x36 for b in block)), hashlib.sha256(bytes(b ^ 0x5C for b in block))


def _decoded(token: str) -> bytes:
    if not token.startswith(_VERSION) or len(token) > _MAX_TOKEN:
        raise TokenError(
            f"is not a feedback token: those begin with {_VERSION!r}; send the feedback_token of an answer"
        )
    text = token.removeprefix(_VERSION)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    # The standard library skips what is no base64, and bits at the end that mean nothing.
    if len(raw) <= _MAC_SIZE + _FIXED.size or _encoded(raw) != text:
        raise TokenError(
            "is not a whole feedback token; send it as the answer had it, without a break or an ending cut"
        )
    return raw


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unpacked(payload: bytes) -> Given:
    issued, nonce, way, length = _FIXED.unpack_from(payload)
    revision, rest = payload[_FIXED.size : _FIXED.size + length], payload[_FIXED.size + length :]
    via, confidence = way & ~_CONFIDENT, None
    if way & _CONFIDENT:
        confidence, rest = rest[0] / _CONFIDENCES, rest[1:]
    if via >= len(_VIAS):
        raise TokenError(
            "was made by a newer version of Viridian than this pod's; send it to the revision that made it"
        )
    return Given(revision.decode(), _VIAS[via], msgspec.json.decode(rest), issued, nonce, confidence)
