"""``GET /predict``: an instance in an address, and the ETag of its answer."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from viridian_serving.codec.features import Feature
from viridian_serving.codec.instances import InstanceReader, invalid, join
from viridian_serving.codec.json_reading import parse
from viridian_serving.codec.tensors import Kind
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.messages import Headers, Request
from viridian_serving.http1.problems import Problem, Violation

NO_STORE: Final = (b"Cache-Control", b"no-store")
_MOST_FIELDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Question:
    """An instance, checked."""

    body: bytes
    """The same as a body for POST."""
    etag: bytes
    headers: Headers
    """What lets caches keep its answer, and ask whether it still holds."""

    def is_known_to(self, request: Request) -> bool:
        """Return whether its client has the answer already."""
        given = request.headers.get(b"if-none-match", b"")
        # Caches that compress mark a tag as weak, and a weak one will do.
        tags = [tag.strip().removeprefix(b"W/") for tag in given.split(b",")]
        return self.etag in tags or tags == [b"*"]


class QuestionReader:
    """Reads addresses for one model."""

    def __init__(self, contract: Contract, revision: str) -> None:
        """Prepare.

        Args:
            contract: What is taken and given.
            revision: That answers.
        """
        self._features = {feature.name: feature for feature in contract.requests.features}
        self._sensitive = [name for name, feature in self._features.items() if feature.sensitive]
        self._reader = InstanceReader(contract.requests, 1)
        self._revision = revision
        freshness = f"public, max-age={contract.max_age}" if contract.max_age else "no-cache"
        self._freshness = (b"Cache-Control", freshness.encode())

    def read(self, query: bytes) -> Question:
        """Read an instance.

        Args:
            query: The part of the address after the question mark.

        Returns:
            The question.

        Raises:
            Problem: It cannot be asked; every offending field is named.
        """
        if self._sensitive:
            raise Problem(
                405,
                "sensitive",
                f"{', '.join(map(repr, self._sensitive))} must not be in a URL, which logs and caches keep; "
                "send it with POST.",
                headers=((b"Allow", b"POST"),),
            )
        instance, repeated = self._instance(query)
        body = json.dumps(instance, ensure_ascii=False).encode("utf-8", "surrogatepass")
        try:
            (canonical,), _ = self._reader.items(body)
        except Problem as problem:
            if repeated and problem.errors:
                raise invalid(
                    [*repeated, *problem.errors], len(repeated) + len(problem.errors) + problem.extra_errors
                ) from None
            raise
        if repeated:
            raise invalid(repeated)
        text = json.dumps([self._revision, canonical], sort_keys=True).encode()
        etag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'.encode()
        return Question(body, etag, ((b"ETag", etag), self._freshness))

    def _instance(self, query: bytes) -> tuple[dict[str, Any], list[Violation]]:
        try:
            pairs = parse_qsl(query.decode("ascii"), True, errors="strict", max_num_fields=_MOST_FIELDS)
        except UnicodeDecodeError:
            raise Problem(400, "invalid-input", "The URL is not percent-encoded UTF-8.") from None
        except ValueError:
            raise Problem(400, "invalid-input", f"The URL holds more than {_MOST_FIELDS} values.") from None
        times = Counter(name for name, _ in pairs)
        repeated = [
            Violation(join("", name), f"is there {number} times; write a list as in JSON")
            for name, number in times.items()
            if number > 1
        ]
        return {name: _value(self._features.get(name), text) for name, text in pairs}, repeated


def _value(feature: Feature | None, text: str) -> Any:  # noqa: ANN401  a JSON value
    if feature is None or (feature.kind is Kind.STRING and feature.single):
        return text
    if not text and feature.nullable:
        return None
    try:
        return parse(text.encode())
    except (Problem, UnicodeEncodeError):
        return text  # which is then no number
