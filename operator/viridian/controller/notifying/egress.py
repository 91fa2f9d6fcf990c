"""Where models may send notifications. Their users must not make the operator call whatever it alone can reach."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from .delivery import Denied

SERVICES = frozenset({"slack"})
"""Services of apprise with their own hosts; allowed by their name, such as `slack://`."""
HOSTED = frozenset({"http", "https", "workflows", "mailto", "mailtos"})
"""Schemes of which the address names the host: CloudEvents, Microsoft Teams, e-mail."""
PARAMETERS = frozenset(
    {"to", "from", "name", "smtp", "user", "pass", "mode", "cc", "bcc", "reply", "ver", "image", "footer", "format"}
)
"""What the address of a service may ask for. Others read files, send them, or follow redirects."""
_WAY_OUT = "an administrator can add it to the chart's notifications.allowedHosts"


def check_scheme(url: str, allowed: Sequence[str]) -> str:
    """Return the scheme of an address that a model may use, save for its host.

    Raises:
        Denied: no model may use this scheme, or not this service.
    """
    scheme = url.partition("://")[0].lower()
    if scheme in SERVICES and f"{scheme}://" not in allowed:
        raise Denied(f"notifications to {scheme}:// are not allowed: {_WAY_OUT}")
    if not scheme.startswith("http"):
        _check_parameters(url)
    if scheme not in SERVICES | HOSTED:
        known = ", ".join(f"{each}://" for each in sorted(SERVICES | HOSTED))
        raise Denied(f"the address begins with none of {known}")
    return scheme


def _check_parameters(url: str) -> None:
    asked = {name.lower() for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)}
    if other := asked - PARAMETERS:
        raise Denied(f"the address has the parameters {', '.join(sorted(other))}, which are not allowed")


def check_host(host: str, allowed: Sequence[str]) -> None:
    """Make sure that models may send to a host; `host` has a port where the address has one.

    Raises:
        Denied: they may not.
    """
    wanted = host.lower()
    for entry in (each.lower() for each in allowed):
        if wanted == entry or (entry.startswith("*.") and wanted.endswith(entry[1:])):
            return
    raise Denied(f"notifications to {wanted or 'an address without host'} are not allowed: {_WAY_OUT}")


def host_of(url: str) -> str:
    """Return host and port of an http address, as they are allowed; nothing if it has none, or a user."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}" if parts.hostname and "@" not in parts.netloc else ""
