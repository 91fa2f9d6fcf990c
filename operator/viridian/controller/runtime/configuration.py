"""The operator's own settings, from environment variables that the chart sets."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import ValidationError

from viridian.api.errors import ConfigurationError
from viridian.workloads.demand import CostSettings
from viridian.workloads.model_cache import ModelCache
from viridian.workloads.resources import DefaultResources, check_resources
from viridian_shared.durations import parse_duration

from .notification_settings import NotificationSettings

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_URL = re.compile(r"^https?://[^/\s]+")
_NAMESPACE = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_OBJECT = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")


@dataclass(frozen=True)
class Configuration:
    """Settings that do not change while the operator runs.

    `default_resources`, `allow_model_code` and `model_cache` are for pods of new revisions, `smoke` says whether that
    check runs where a spec does not. `namespaces` empty means
    all of them, `user_query_url` empty that users' own queries are ignored; `lease` is the namespace and name of the
    Lease by which one of several operators leads, and `identity` the name by which it tells them apart. Without a
    `metrics_address` (host and port) the operator's own metrics are not served.
    """

    prometheus_url: str
    user_query_url: str
    scrape_interval: timedelta
    serving_image: str
    default_resources: DefaultResources
    allow_model_code: bool
    model_cache: ModelCache
    smoke: bool
    namespaces: tuple[str, ...]
    sweep_period: timedelta
    log_level: str
    probe_endpoint: str
    lease: tuple[str, str]
    identity: str
    metrics_address: tuple[str, int] | None = None
    notifications: NotificationSettings = field(default_factory=NotificationSettings)
    cost: CostSettings = field(default_factory=CostSettings)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Configuration":
        """Read the settings.

        Raises:
            ConfigurationError: a variable is missing or cannot be used; the message names it and the way out.
        """
        return cls(
            prometheus_url=_url(environment),
            user_query_url=_user_query_url(environment),
            scrape_interval=_duration(
                environment,
                "VIRIDIAN_SCRAPE_INTERVAL",
                "prometheus.scrapeInterval",
                "the interval at which Prometheus scrapes the serving pods, from 1s to 5m",
                default="15s",
                longest=timedelta(minutes=5),
            ),
            serving_image=_image(environment),
            default_resources=_resources(environment),
            allow_model_code=_flag(environment, "VIRIDIAN_ALLOW_MODEL_CODE", "serving.allowModelCode"),
            model_cache=_cache(environment),
            smoke=_flag(environment, "VIRIDIAN_SMOKE", "checks.smoke"),
            namespaces=_namespaces(environment),
            sweep_period=_duration(
                environment,
                "VIRIDIAN_SWEEP_PERIOD",
                "watch.sweepPeriod",
                "how often everything that models own is compared with what it should be, from 1s to 24h",
                default="10m",
                longest=timedelta(days=1),
            ),
            log_level=_level(environment),
            probe_endpoint=_probe_endpoint(environment),
            lease=_lease(environment),
            identity=environment.get("VIRIDIAN_POD_NAME") or socket.gethostname(),
            metrics_address=_metrics_address(environment),
            notifications=_notifications(environment),
            cost=_cost(environment),
        )


def _url(environment: Mapping[str, str]) -> str:
    value = environment.get("VIRIDIAN_PROMETHEUS_URL", "")
    if not _URL.match(value):
        raise ConfigurationError(
            f"VIRIDIAN_PROMETHEUS_URL is {value!r}: set it (chart value prometheus.url) to the root of Prometheus,"
            " such as http://prometheus.monitoring:9090"
        )
    return value.rstrip("/")


def _user_query_url(environment: Mapping[str, str]) -> str:
    value = environment.get("VIRIDIAN_USER_QUERY_URL", "")
    if value and not _URL.match(value):
        raise ConfigurationError(
            f"VIRIDIAN_USER_QUERY_URL is {value!r}: set it (chart value prometheus.userQueries.url) to the root of an"
            " endpoint that enforces the namespace of a query, such as http://prom-label-proxy.monitoring:8080, or"
            " leave it empty: users' queries are ignored then"
        )
    return value.rstrip("/")


def _duration(
    environment: Mapping[str, str], variable: str, chart_value: str, meaning: str, *, default: str, longest: timedelta
) -> timedelta:
    """Return a duration from 1s to the longest; `meaning` ends the sentence "set it to"."""
    value = environment.get(variable, default)
    try:
        duration = parse_duration(value)
    except ValueError as error:
        raise ConfigurationError(f"{variable} (chart value {chart_value}): {error}") from error
    if not timedelta(seconds=1) <= duration <= longest:
        raise ConfigurationError(f"{variable} is {value}: set it (chart value {chart_value}) to {meaning}")
    return duration


def _image(environment: Mapping[str, str]) -> str:
    value = environment.get("VIRIDIAN_SERVING_IMAGE", "")
    if not re.fullmatch(r"[^\s@]+(:\w[\w.-]*|@sha256:[0-9a-f]{64})", value) or value.endswith(":latest"):
        raise ConfigurationError(
            f"VIRIDIAN_SERVING_IMAGE is {value!r}: set it (chart value servingImage) to the default serving image,"
            " with a tag other than latest or with a digest"
        )
    return value


def _resources(environment: Mapping[str, str]) -> DefaultResources:
    value = environment.get("VIRIDIAN_DEFAULT_RESOURCES") or "{}"
    try:
        found = DefaultResources.model_validate_json(value)
        for resources in (found.triton, found.api):
            check_resources(resources)
    except ValueError as error:
        raise ConfigurationError(
            f"VIRIDIAN_DEFAULT_RESOURCES is {value!r}, which cannot be used: {_first(error)}; set it (chart value"
            " serving.defaultResources) to requests and limits of the containers triton and api"
        ) from error
    return found


def _flag(environment: Mapping[str, str], variable: str, chart_value: str) -> bool:
    value = environment.get(variable, "true")
    if value not in {"true", "false"}:
        raise ConfigurationError(f"{variable} is {value!r}: set it (chart value {chart_value}) to true or false")
    return value == "true"


def _cache(environment: Mapping[str, str]) -> ModelCache:
    value = environment.get("VIRIDIAN_MODEL_CACHE_VOLUME", "") or "{}"
    try:
        return ModelCache.model_validate_json(value)
    except ValueError as error:
        raise ConfigurationError(
            f"VIRIDIAN_MODEL_CACHE_VOLUME is {value!r}, which cannot be used: {_first(error)}; set it (chart value"
            " serving.modelCache) to a hostPath or a claim, and a maxSize such as 50Gi"
        ) from error


def _notifications(environment: Mapping[str, str]) -> NotificationSettings:
    value = environment.get("VIRIDIAN_NOTIFICATIONS", "") or "{}"
    try:
        settings = NotificationSettings.model_validate_json(value)
    except ValueError as error:
        raise ConfigurationError(
            f"VIRIDIAN_NOTIFICATIONS cannot be used: {_first(error)}; set it (chart value notifications) to receivers"
            " and allowedHosts"
        ) from error
    for number, receiver in enumerate(settings.receivers):
        # The address may be a secret, and is not quoted.
        if "://" not in (receiver.url or environment.get(receiver.variable, "")):
            raise ConfigurationError(
                f"VIRIDIAN_NOTIFICATIONS (chart value notifications.receivers[{number}]) names no address: write"
                " url, or a secretRef to a Secret of the operator's namespace that holds one, such as https://example.com"
            )
    return settings


def _cost(environment: Mapping[str, str]) -> CostSettings:
    value = environment.get("VIRIDIAN_COST", "") or "{}"
    try:
        return CostSettings.model_validate_json(value)
    except ValueError as error:
        raise ConfigurationError(
            f"VIRIDIAN_COST is {value!r}, which cannot be used: {_first(error)}; set it (chart value cost) to a"
            " currency, and to prices cpuHour, gibHour and gpuHour, which are numbers of at least 0"
        ) from error


def _first(error: ValueError) -> str:
    """The first thing that is wrong, in one line."""
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}".removeprefix(": ")


def _namespaces(environment: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in environment.get("VIRIDIAN_NAMESPACES", "").split(",") if name.strip())
    for name in names:
        if not _NAMESPACE.match(name):
            raise ConfigurationError(
                f"VIRIDIAN_NAMESPACES names {name!r}: write namespaces separated by commas"
                " (chart value watch.namespaces)"
            )
    return names


def _level(environment: Mapping[str, str]) -> str:
    value = environment.get("VIRIDIAN_LOG_LEVEL", "INFO").upper()
    if value not in _LEVELS:
        raise ConfigurationError(
            f"VIRIDIAN_LOG_LEVEL is {value!r}: set it (chart value logLevel) to one of {', '.join(_LEVELS)}"
        )
    return value


def _probe_endpoint(environment: Mapping[str, str]) -> str:
    """Where the kubelet asks us: at the pod's address, as there is no one address for both IPv4 and IPv6."""
    port = _port(environment, "VIRIDIAN_PROBE_PORT", "8080")
    address = _address(environment)
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}/healthz"


def _metrics_address(environment: Mapping[str, str]) -> tuple[str, int] | None:
    if not environment.get("VIRIDIAN_METRICS_PORT"):
        return None
    return _address(environment), _port(environment, "VIRIDIAN_METRICS_PORT", "")


def _address(environment: Mapping[str, str]) -> str:
    return environment.get("VIRIDIAN_POD_IP") or "0.0.0.0"  # noqa: S104  where no pod is, as in development


def _port(environment: Mapping[str, str], variable: str, default: str) -> int:
    value = environment.get(variable, default)
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise ConfigurationError(f"{variable} is {value!r}: choose a TCP port from 1 to 65535")
    return int(value)


def _lease(environment: Mapping[str, str]) -> tuple[str, str]:
    namespace = environment.get("VIRIDIAN_LEASE_NAMESPACE", "")
    if not _NAMESPACE.match(namespace):
        raise ConfigurationError(
            f"VIRIDIAN_LEASE_NAMESPACE is {namespace!r}: set it to the namespace of the Lease by which one operator of"
            " several leads (the chart sets the operator's own)"
        )
    name = environment.get("VIRIDIAN_LEASE_NAME", "viridian")
    if len(name) > 253 or not _OBJECT.match(name):
        raise ConfigurationError(
            f"VIRIDIAN_LEASE_NAME is {name!r}: set it to a valid name of a Lease, such as viridian"
        )
    return namespace, name
