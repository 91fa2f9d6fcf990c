"""Opens https addresses: certificates are checked, proxies are taken from the environment, and nothing leaves TLS.

The certificates that are trusted are the system's, or those of `SSL_CERT_FILE`. Proxies are named by `HTTPS_PROXY` and
`NO_PROXY`.
"""

import ssl
import urllib.request
from collections.abc import Mapping
from http.client import HTTPMessage
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

USER_AGENT = "viridian"


class LeavesTls(Exception):
    """A server sends its client on to an address that is not https."""


class _WithinTls(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only, and gives credentials to nobody but the host that they are for."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        target = urlsplit(urljoin(req.full_url, newurl))
        if target.scheme != "https":
            raise LeavesTls(f"{shown(req.full_url)} redirects to {target.scheme}://{target.hostname or ''}")
        fp.close()  # else its body would be read first, however long it is
        redirected = super().redirect_request(req, fp, code, msg, headers, newurl)
        credentials = req.unredirected_hdrs.get("Authorization")
        if redirected is not None and credentials and target.netloc == urlsplit(req.full_url).netloc:
            redirected.add_unredirected_header("Authorization", credentials)
        return redirected


def open_https(url: str, timeout: float, headers: Mapping[str, str] | None = None, authorization: str = "") -> Any:  # noqa: ANN401
    """Ask for an address.

    Args:
        url: Begins with https://.
        timeout: Seconds to connect, and for each read of the answer.
        headers: More request headers.
        authorization: The header of this name; it is not sent to another host.

    Returns:
        The answer, a file with `status`, `headers` and `read1`, to be closed.

    Raises:
        LeavesTls: The address, or one that it redirects to, is not https.
        urllib.error.HTTPError: The status is not 2xx.
        OSError: No connection, no trusted certificate, or no answer in time.
        http.client.HTTPException: The answer is not HTTP.
    """
    if urlsplit(url).scheme != "https":
        raise LeavesTls(f"{shown(url)} is not https")
    request = urllib.request.Request(  # noqa: S310  the line above
        url, headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
    )
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    # Not urlopen(): its opener also knows file:, ftp: and data:.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _WithinTls(),
    ):
        opener.add_handler(handler)
    return opener.open(request, timeout=timeout)


def shown(url: str) -> str:
    """An address as it may stand in a log: its query may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?…' if parts.query else ''}"
