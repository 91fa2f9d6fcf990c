"""Requests and answers, as those who answer see them, and how an answer is written."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

_STATUS_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True, eq=False)
class Request:
    """One request, its body read to the end."""

    method: bytes
    path: bytes
    """As sent, without the query; not percent-decoded."""
    headers: dict[bytes, bytes]
    """Names in lower case; of a repeated header the values are joined by commas."""
    body: bytes
    received: float
    """``time.perf_counter()`` when the last byte had come."""
    on_gone: Callable[[], None] | None = None
    """Called when the client leaves before it was answered."""
    gone: bool = False
    """Whether it has."""
    query: bytes = b""
    """As sent, without the question mark; not percent-decoded."""
    peer: str = ""
    """The address that the connection comes from."""
    held: int = 0
    """Bytes of the server's budget that its body takes."""

    def leave(self) -> None:
        """Note that the client has left before it was answered."""
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()


@dataclass(slots=True, eq=False)
class Response:
    """One answer. Nobody changes it; it is not frozen because to make a frozen one takes three times as long."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: Headers = ()
    problem: str = ""
    """The kind of problem that the body describes, for our own use."""
    cached: bool = False
    """Whether it was given before: then it says nothing about the model."""
    cause: str = ""
    """Why the model failed, in its own words, for our own use: they may hold what a client sent."""


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
