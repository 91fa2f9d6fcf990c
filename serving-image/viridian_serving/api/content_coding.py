"""Bodies that come compressed: unpacked here, under the bound that holds for every body."""

import zlib
from functools import partial
from typing import Final

from viridian_serving.codec.offload import SMALL, aside
from viridian_serving.http1.body_budget import BodyBudget
from viridian_serving.http1.connection import NO_ROOM
from viridian_serving.http1.messages import Request
from viridian_serving.http1.problems import Problem

_HEADER: Final = b"content-encoding"
_WINDOWS: Final = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
"""By which zlib knows them (RFC 9110, 8.4.1)."""


async def unpack(request: Request, most: int, budget: BodyBudget) -> None:
    """Replace a compressed body by what it holds; as which it is passed on, too.

    Args:
        request: Any.
        most: Most bytes of a body.
        budget: Where its bytes count.

    Raises:
        Problem: Status 400, 413, 415 or 503: it is not, is too large, is compressed otherwise, or there is no room.
    """
    coding = request.headers.get(_HEADER)
    if coding is None:
        return
    if (coding := coding.strip().lower()) not in (b"identity", b""):
        body = request.body
        plain = await aside(SMALL + 1, partial(_unpacked, body, coding, most))
        if not budget.take(more := len(plain) - len(body)):
            raise Problem(503, "no-room", NO_ROOM, headers=((b"Retry-After", b"1"),))
        request.held += more
        request.body = plain
    del request.headers[_HEADER]


def _unpacked(body: bytes, coding: bytes, most: int) -> bytes:
    window = _WINDOWS.get(coding)
    if window is None:
        raise Problem(
            415,
            "content-encoding",
            "Content-Encoding may be gzip or deflate, once; or send the body as it is.",
            headers=((b"Accept-Encoding", b"gzip, deflate"),),
        )
    unpacking = zlib.decompressobj(window)
    try:
        plain = unpacking.decompress(body, most + 1)
    except zlib.error as error:
        raise Problem(400, "invalid-encoding", f"The body is not {coding.decode()}: {error}.") from None
    if len(plain) > most:
        raise Problem(
            413, "too-large", f"The body unpacks to more than {most} bytes; send fewer instances in a request."
        )
    if not unpacking.eof or unpacking.unused_data:
        what = "ends too early" if not unpacking.eof else "is followed by something else"
        raise Problem(400, "invalid-encoding", f"The body is not {coding.decode()}: it {what}.")
    return plain
