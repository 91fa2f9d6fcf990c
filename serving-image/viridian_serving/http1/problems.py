"""Errors as problem documents (RFC 9457)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

CONTENT_TYPE = b"application/problem+json"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request's body."""

    pointer: str
    """JSON pointer (RFC 6901) of the offending value; empty for the whole body."""
    detail: str


@dataclass
class Problem(Exception):
    """An answer that says what went wrong, why, and what to do."""

    status: int
    kind: str
    """Last part of the problem's type, stable for programs."""
    detail: str
    errors: Sequence[Violation] = ()
    extra_errors: int = 0
    """Violations beyond those listed."""
    headers: Sequence[tuple[bytes, bytes]] = field(default=())
    cause: str = ""
    """Why the model failed, in its own words. The document does not have it: it may hold what a client sent."""

    def body(self, request_id: str) -> bytes:
        """Render the document.

        The member ``error`` is for clients of Triton's own protocol, which look for nothing else.

        Args:
            request_id: By which the log can be searched.

        Returns:
            JSON.
        """
        document: dict[str, object] = {
            "type": f"urn:viridian:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "error": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [{"pointer": item.pointer, "detail": item.detail} for item in self.errors]
        if self.extra_errors:
            document["more_errors"] = self.extra_errors
        return msgspec.json.encode(document)
