"""Sends what became known to `/feedback` of the model, so that its metrics have it too."""

import hashlib
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from viridian_import.faults import ImportFault
from viridian_import.outcomes.report import Outcome
from viridian_serving.feedback.token import TokenWriter
from viridian_shared.counts.via import Via

_BATCH: Final = 100
_TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Sent:
    """What became of what was sent.

    Attributes:
        counted: Items of which the pod counted something.
        repeated: Items that it knew already.
        unsigned: Outcomes without a token, which were not sent.
        refused: Items that it refused, by its reason.
    """

    counted: int
    repeated: int
    unsigned: int
    refused: Counter[str]


class Signer:
    """Makes the tokens of predictions from the log, with the key of the model's Secret."""

    def __init__(self, key: str) -> None:
        """Take the key as it stands in the Secret: the first one signs."""
        self._keys = [each.strip() for each in key.strip().split(",")]
        self._writers: dict[tuple[str, str, str], TokenWriter] = {}

    def token(self, outcome: Outcome) -> str | None:
        """Return the token; None where the log does not say enough.

        The same prediction has the same nonce each time, so that a pod does not count it twice. It is another one than
        in the token that the client got.
        """
        of = outcome.prediction
        if not (of.namespace and of.model and of.revision) or of.time < 0:
            return None
        name = (of.namespace, of.model, of.revision)
        writer = self._writers.setdefault(name, TokenWriter(self._keys, *name))
        nonce = hashlib.sha256(f"{of.key[0]}\0{of.key[1]}\0{of.revision}".encode()).digest()[:8]
        return writer.write(of.label, Via(of.via), int(of.time), of.confidence, nonce)


def send(outcomes: Sequence[Outcome], url: str, signer: Signer | None, api_key: str = "") -> Sent:
    """Send outcomes in parts.

    Args:
        outcomes: Each with the token that the client kept, or with a record of the log to sign.
        url: Of the model, such as https://models.example.com/iris.
        signer: Signs those without a token; None leaves them out.
        api_key: For models that have API keys.

    Raises:
        ImportFault: The model cannot be reached, or refuses all of it.
    """
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    items = [item for outcome in outcomes if (item := _item(outcome, signer)) is not None]
    for start in range(0, len(items), _BATCH):
        for answer in _posted(items[start : start + _BATCH], f"{url.rstrip('/')}/feedback", api_key, refused):
            counts.update(answer)
    return Sent(counts["counted"], counts["repeated"], len(outcomes) - len(items), refused)


def _item(outcome: Outcome, signer: Signer | None) -> dict[str, Any] | None:
    known = outcome.known
    token = known.token or (signer.token(outcome) if signer is not None else None)
    if token is None:
        return None
    said = {"actual": _like(outcome), "accepted": known.accepted, "value": known.value}
    return {"token": token, **{name: value for name, value in said.items() if value is not None}}


def _like(outcome: Outcome) -> Any:  # noqa: ANN401  a JSON value
    """Return the truth in the type of the prediction, which tables lose: 1 for true, and 1.0 for 1."""
    actual, label = outcome.known.actual, outcome.prediction.label
    if isinstance(label, bool) and actual in (0, 1):
        return bool(actual)
    if isinstance(label, int) and not isinstance(label, bool) and isinstance(actual, float) and actual.is_integer():
        return int(actual)
    return actual


def _posted(items: list[dict[str, Any]], url: str, api_key: str, refused: Counter[str]) -> Iterator[dict[str, int]]:
    """Send a part. Of a list with a wrong item nothing is counted: what the pod names is left out the next time."""
    while items:
        status, answer = _post(url, json.dumps(items).encode(), api_key)
        if status == 200:
            yield {name: int(answer[name]) for name in ("counted", "repeated")}
            return
        wrong = {
            _position(each.get("pointer", "")): str(each.get("detail", each)) for each in answer.get("errors") or []
        }
        wrong.pop(None, None)
        if status != 400 or not wrong:
            raise ImportFault(f"{url} answers {status}: {answer.get('detail') or answer}")
        refused.update(wrong.values())
        items = [item for number, item in enumerate(items) if number not in wrong]


def _position(pointer: str) -> int | None:
    first = pointer.removeprefix("/").partition("/")[0]
    return int(first) if first.isdecimal() else None


def _post(url: str, body: bytes, api_key: str) -> tuple[int, dict[str, Any]]:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ImportFault(
            f"--send {url} is no address; write that of the model, such as https://models.example.com/iris"
        )
    headers = {"Content-Type": "application/json", **({"X-Api-Key": api_key} if api_key else {})}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310  the scheme is known
    try:
        with _opener(url).open(request, timeout=_TIMEOUT) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.load(error)
        except ValueError:
            return error.code, {"detail": str(error.reason)}
    except (OSError, ValueError) as error:
        raise ImportFault(
            f"{url} cannot be reached ({error}); nothing more was sent, and it may be sent again"
        ) from None


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Return what opens it; plain http goes to this machine or its network, and through no proxy."""
    plain = urlsplit(url).scheme == "http"
    return urllib.request.build_opener(urllib.request.ProxyHandler({} if plain else None))
