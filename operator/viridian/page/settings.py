"""The settings of the page, from environment variables that the chart sets."""

from collections.abc import Mapping
from dataclasses import dataclass

from viridian.api.errors import ConfigurationError


@dataclass(frozen=True)
class PageSettings:
    """What does not change while the page runs.

    Attributes:
        hosts: Names by which browsers reach it, with the port where there is one.
        user_header: The header in which the proxy says who the user is; empty asks for none.
        namespaces: Whose models are shown; empty for all.
        prometheus_url: Where the lines of traffic come from; empty shows none.
        port: Where it listens.
        log_level: Of Python's logging.
    """

    hosts: frozenset[str]
    user_header: str
    namespaces: tuple[str, ...]
    prometheus_url: str
    port: int
    log_level: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "PageSettings":
        """Read the settings.

        Raises:
            ConfigurationError: a variable is missing or cannot be used; the message names it and the way out.
        """
        hosts = _list(environment, "VIRIDIAN_PAGE_HOSTS")
        if not hosts:
            raise ConfigurationError(
                "VIRIDIAN_PAGE_HOSTS is not set: name the hosts by which browsers reach the page"
                " (chart value page.hosts)"
            )
        port = environment.get("VIRIDIAN_PAGE_PORT", "8082")
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
            raise ConfigurationError(f"VIRIDIAN_PAGE_PORT is {port!r}: write a port from 1 to 65535")
        return cls(
            hosts=frozenset(host.lower() for host in hosts),
            user_header=environment.get("VIRIDIAN_PAGE_USER_HEADER", "").strip(),
            namespaces=_list(environment, "VIRIDIAN_NAMESPACES"),
            prometheus_url=environment.get("VIRIDIAN_PROMETHEUS_URL", "").strip(),
            port=int(port),
            log_level=environment.get("VIRIDIAN_LOG_LEVEL", "INFO"),
        )


def _list(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environment.get(name, "").split(",") if part.strip())
