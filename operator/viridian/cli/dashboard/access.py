"""Who may use the page: whoever has its address with the token, from its own page.

It listens on 127.0.0.1, where every program and every web page of this machine can send requests. So each request
needs the token (against other users of the machine), a Host that names this machine (against a foreign name that was
made to point here), and, where it changes something, the page's own Origin (against a foreign page).
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_SAFE: Final = {"GET", "HEAD"}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def guard(answer_instead: Callable[[web.Request], web.Response | None]) -> Middleware:
    """Return a middleware that gives every answer the headers of the page.

    Args:
        answer_instead: Called before every handler; what it returns is the answer, and None lets the handler answer.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer: web.StreamResponse | None = answer_instead(request)
        if answer is None:
            answer = await handler(request)
        if not answer.prepared:
            answer.headers.update(_HEADERS)
        return answer

    return check


class Access:
    """The token of one start, and the checks of each request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = secrets.token_urlsafe(32)
        self._cookie = f"viridian-{port}"  # browsers share cookies between all ports of a host

    @property
    def address(self) -> str:
        """The address that opens the page."""
        return f"http://127.0.0.1:{self._port}/?token={self._token}"

    def middleware(self) -> Middleware:
        """Return the check that stands before every handler."""
        return guard(self._answer_instead)

    def _answer_instead(self, request: web.Request) -> web.Response | None:
        if refusal := self._refusal(request):
            return web.json_response({"error": refusal}, status=403)
        if "token" not in request.query:
            return None
        answer = web.Response(status=303, headers={"Location": "/"})  # out of the address, which stays in histories
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
        return answer

    def _refusal(self, request: web.Request) -> str:
        """Why a request is refused, and what to do; empty if it is allowed."""
        hosts = {f"127.0.0.1:{self._port}", f"localhost:{self._port}"}
        if request.host not in hosts:
            return f"the Host {request.host!r} is not this page's: open the address that the command printed"
        if request.method not in _SAFE and request.headers.get("Origin") not in {f"http://{host}" for host in hosts}:
            return "the request was not sent by this page: its Origin is another"
        given = request.query.get("token", "") or request.cookies.get(self._cookie, "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return "the token is missing or that of an earlier start: open the address that the command printed"
        return ""
