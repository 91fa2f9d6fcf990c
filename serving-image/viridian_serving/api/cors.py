"""Lets pages of other origins ask (CORS), where a setting names them: a browser hides answers that do not allow it."""

from collections.abc import Sequence
from typing import Final

from viridian_serving.http1.messages import Headers, Request, Response

_ANY: Final = "*"
_SHOWN: Final = b"Viridian-Revision, Viridian-Version, X-Request-Id, ETag, Retry-After, Viridian-Cache, Age"
_FOR: Final = b"600"
"""Seconds for which a browser need not ask again."""


class Cors:
    """What is allowed to whom."""

    def __init__(self, origins: Sequence[str]) -> None:
        """Prepare.

        Args:
            origins: Such as ``http://localhost:3000``; ``*`` for any.
        """
        self._any = _ANY in origins
        self._origins = {origin.encode() for origin in origins}

    def preflight(self, request: Request) -> Response | None:
        """Answer a browser's question whether it may ask; None when this is none, or it may not."""
        if not is_preflight(request) or not self._allows(request):
            return None
        asked = request.headers.get(b"access-control-request-headers", b"content-type")
        allowed: Headers = (
            (b"Access-Control-Allow-Methods", b"GET, HEAD, POST"),
            (b"Access-Control-Allow-Headers", asked),
            (b"Access-Control-Max-Age", _FOR),
        )
        return self.allowing(request, Response(200, b"", b"text/plain", allowed))

    def allowing(self, request: Request, response: Response) -> Response:
        """Put on an answer what lets a page read it."""
        if not self._allows(request):
            return response
        origin = b"*" if self._any else request.headers[b"origin"]
        allowed = ((b"Access-Control-Allow-Origin", origin), (b"Access-Control-Expose-Headers", _SHOWN))
        vary: Headers = () if self._any else ((b"Vary", b"Origin"),)
        return response.with_headers((*allowed, *vary))

    def _allows(self, request: Request) -> bool:
        origin = request.headers.get(b"origin")
        return origin is not None and (self._any or origin in self._origins)


def is_preflight(request: Request) -> bool:
    """Whether a browser asks if a page may send a request."""
    return request.method == b"OPTIONS" and b"access-control-request-method" in request.headers
