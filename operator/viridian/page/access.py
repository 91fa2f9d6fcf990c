"""Who may use the page in the cluster: whoever the proxy in front of it lets in, and nobody may change anything.

Users are authenticated by the proxy alone. What is checked here is that a request came by it: it has the host that
users type, and the header in which the proxy says who they are. A NetworkPolicy keeps others from the port.
"""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from viridian.cli.dashboard.access import guard

from .settings import PageSettings

HEALTH: Final = "/healthz"
"""For the kubelet, which knows neither the host nor a user."""
_SAFE: Final = {"GET", "HEAD"}


def proxied(settings: PageSettings) -> Middleware:
    """Return the check that stands before every handler."""

    def answer_instead(request: web.Request) -> web.Response | None:
        if request.path == HEALTH:
            return None
        status, refusal = _refusal(request, settings)
        return web.json_response({"error": refusal}, status=status) if refusal else None

    return guard(answer_instead)


def _refusal(request: web.Request, settings: PageSettings) -> tuple[int, str]:
    """Why a request is refused, and what to do; empty if it is allowed."""
    if request.host.lower() not in settings.hosts:
        return 403, (
            f"the Host {request.host!r} is not one of this page's: open it by its own name, let the proxy keep the Host"
            " that the browser sent, and name it in the chart value page.hosts"
        )
    if settings.user_header and not request.headers.get(settings.user_header, "").strip():
        return 401, (
            f"nobody says who you are: open the page by the proxy that authenticates, which must set the header"
            f" {settings.user_header} (chart value page.userHeader)"
        )
    if request.method not in _SAFE:
        return 405, "this page only shows: give commands with kubectl viridian"
    return 0, ""
