"""Requests and answers, as those who answer see them, and how an answer is written."""

import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

_STATUS_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}

Headers = tuple[tuple[bytes, bytes], ...]


# There are a few objects for each request. Their classes are plain ones: what a dataclass generates is not compiled.


class Request:
    """One request, its body read to the end."""

    __slots__ = ("body", "gone", "headers", "held", "method", "on_gone", "path", "peer", "query", "received")

    def __init__(
        self,
        method: bytes,
        path: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        received: float,
        query: bytes = b"",
        peer: str = "",
        held: int = 0,
    ) -> None:
        self.method = method
        self.path = path
        """As sent, without the query; not percent-decoded."""
        self.headers = headers
        """Names in lower case; of a repeated header the values are joined by commas."""
        self.body = body
        self.received = received
        """``time.perf_counter()`` when the last byte had come."""
        self.on_gone: Callable[[], None] | None = None
        """Called when the client leaves before it was answered."""
        self.gone = False
        """Whether it has."""
        self.query = query
        """As sent, without the question mark; not percent-decoded."""
        self.peer = peer
        """The address that the connection comes from."""
        self.held = held
        """Bytes of the server's budget that its body takes."""

    def leave(self) -> None:
        """Record that the client has left before it was answered."""
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()


class Response:
    """One answer. Nobody changes it."""

    __slots__ = ("body", "cached", "cause", "content_type", "headers", "problem", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        content_type: bytes = b"application/json",
        headers: Headers = (),
        problem: str = "",
        cached: bool = False,
        cause: str = "",
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.problem = problem
        """The kind of problem that the body describes, for our own use."""
        self.cached = cached
        """Whether it was given before: then it says nothing about the model."""
        self.cause = cause
        """Why the model failed, in its own words, for our own use: they may hold what a client sent."""

    def with_headers(self, more: Headers) -> "Response":
        """Return the same answer with more headers behind its own."""
        return Response(
            self.status,
            self.body,
            self.content_type,
            (*self.headers, *more),
            self.problem,
            self.cached,
            self.cause,
        )


_date = (0, b"")


def _date_header() -> bytes:
    global _date  # one per process and second
    now = int(time.time())
    if _date[0] != now:
        _date = (now, f"Date: {formatdate(now, usegmt=True)}\r\n".encode())
    return _date[1]


def rendered(response: Response, *, head_only: bool, keep_alive: bool) -> bytes:
    """Write an answer as HTTP/1.1.

    Args:
        response: The answer.
        head_only: Whether it is one to HEAD: it goes without its body, and tells its size.
        keep_alive: Whether the connection stays open after it.

    Returns:
        All of its bytes.
    """
    parts = [
        _STATUS_LINES.get(response.status) or b"HTTP/1.1 %d Unknown\r\n" % response.status,
        _date_header(),
    ]
    if response.status != 304:  # which has no content, and speaks of that of another answer
        parts += (b"Content-Type: ", response.content_type, b"\r\nContent-Length: %d\r\n" % len(response.body))
    for name, value in response.headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n" if keep_alive else b"Connection: close\r\n\r\n")
    if not head_only:
        parts.append(response.body)
    return b"".join(parts)
