"""The operator's own settings."""

from datetime import timedelta

import pytest

from viridian.api.errors import ConfigurationError
from viridian.api.serving import Resources
from viridian.controller.runtime.configuration import Configuration
from viridian.controller.runtime.notification_settings import NotificationSettings
from viridian.workloads.demand import CostSettings
from viridian.workloads.model_cache import ModelCache
from viridian.workloads.resources import DefaultResources

GIVEN = {
    "VIRIDIAN_PROMETHEUS_URL": "http://prometheus.monitoring:9090",
    "VIRIDIAN_SERVING_IMAGE": "registry.example.com/viridian/serving:1.0.0",
    "VIRIDIAN_LEASE_NAMESPACE": "viridian-system",
    "VIRIDIAN_POD_NAME": "viridian-0",
}


def test_what_has_a_default_may_be_left_out() -> None:
    assert Configuration.from_environment({**GIVEN, "PATH": "/bin"}) == Configuration(
        prometheus_url="http://prometheus.monitoring:9090",
        user_query_url="",
        scrape_interval=timedelta(seconds=15),
        serving_image="registry.example.com/viridian/serving:1.0.0",
        default_resources=DefaultResources(),
        allow_model_code=True,
        model_cache=ModelCache(),
        smoke=True,
        namespaces=(),
        sweep_period=timedelta(minutes=10),
        log_level="INFO",
        probe_endpoint="http://0.0.0.0:8080/healthz",
        lease=("viridian-system", "viridian"),
        identity="viridian-0",
    )


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        (
            "VIRIDIAN_PROMETHEUS_URL",
            "https://example.com/prometheus/",
            "prometheus_url",
            "https://example.com/prometheus",
        ),
        ("VIRIDIAN_USER_QUERY_URL", "", "user_query_url", ""),
        ("VIRIDIAN_USER_QUERY_URL", "http://proxy:8080/", "user_query_url", "http://proxy:8080"),
        ("VIRIDIAN_SCRAPE_INTERVAL", "1s", "scrape_interval", timedelta(seconds=1)),
        ("VIRIDIAN_SCRAPE_INTERVAL", "5m", "scrape_interval", timedelta(minutes=5)),
        ("VIRIDIAN_SERVING_IMAGE", "localhost:5000/serving:1", "serving_image", "localhost:5000/serving:1"),
        ("VIRIDIAN_SERVING_IMAGE", f"s@sha256:{'0a' * 32}", "serving_image", f"s@sha256:{'0a' * 32}"),
        ("VIRIDIAN_DEFAULT_RESOURCES", "", "default_resources", DefaultResources()),
        (
            "VIRIDIAN_DEFAULT_RESOURCES",
            '{"api": {"requests": {"cpu": 1}, "limits": {"cpu": "1500m"}}}',
            "default_resources",
            DefaultResources(api=Resources(requests={"cpu": 1}, limits={"cpu": "1500m"})),
        ),
        ("VIRIDIAN_ALLOW_MODEL_CODE", "false", "allow_model_code", False),
        ("VIRIDIAN_SMOKE", "true", "smoke", True),
        ("VIRIDIAN_SMOKE", "false", "smoke", False),
        ("VIRIDIAN_MODEL_CACHE_VOLUME", "", "model_cache", ModelCache()),
        (
            "VIRIDIAN_MODEL_CACHE_VOLUME",
            '{"hostPath": "/srv/models"}',
            "model_cache",
            ModelCache(host_path="/srv/models"),
        ),
        ("VIRIDIAN_NAMESPACES", " team-a, team-b,", "namespaces", ("team-a", "team-b")),
        ("VIRIDIAN_SWEEP_PERIOD", "1s", "sweep_period", timedelta(seconds=1)),
        ("VIRIDIAN_SWEEP_PERIOD", "24h", "sweep_period", timedelta(hours=24)),
        ("VIRIDIAN_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("VIRIDIAN_PROBE_PORT", "65535", "probe_endpoint", "http://0.0.0.0:65535/healthz"),
        ("VIRIDIAN_METRICS_PORT", "", "metrics_address", None),
        ("VIRIDIAN_METRICS_PORT", "8081", "metrics_address", ("0.0.0.0", 8081)),  # noqa: S104
        ("VIRIDIAN_NOTIFICATIONS", "", "notifications", NotificationSettings()),
        (
            "VIRIDIAN_NOTIFICATIONS",
            '{"allowedHosts": ["a.example"]}',
            "notifications",
            NotificationSettings(allowed_hosts=["a.example"]),
        ),
        ("VIRIDIAN_COST", "", "cost", CostSettings()),
        ("VIRIDIAN_COST", '{"currency": "EUR", "cpuHour": 0.03}', "cost", CostSettings(currency="EUR", cpu_hour=0.03)),
        ("VIRIDIAN_POD_IP", "10.0.0.7", "probe_endpoint", "http://10.0.0.7:8080/healthz"),
        ("VIRIDIAN_POD_IP", "fd00::7", "probe_endpoint", "http://[fd00::7]:8080/healthz"),
        ("VIRIDIAN_LEASE_NAMESPACE", "ml", "lease", ("ml", "viridian")),
        ("VIRIDIAN_LEASE_NAME", "team-a.viridian", "lease", ("viridian-system", "team-a.viridian")),
        ("VIRIDIAN_POD_NAME", "viridian-1", "identity", "viridian-1"),
    ],
)
def test_settings_are_read(variable: str, value: str, field: str, expected: object) -> None:
    assert getattr(Configuration.from_environment({**GIVEN, variable: value}), field) == expected


BAD = {
    ("VIRIDIAN_COST", "cost"): [
        "EUR",
        '{"cpuHour": -1}',
        '{"cpuHour": 1, "diskHour": 1}',
        '{"nodes": [{"cpuHour": 1}]}',
    ],
    ("VIRIDIAN_PROMETHEUS_URL", "prometheus.url"): [
        None,
        "",
        "prometheus:9090",
        "ftp://prometheus",
        "http://",
        "http:// x",
    ],
    ("VIRIDIAN_USER_QUERY_URL", "prometheus.userQueries.url"): ["proxy:8080", "on", "http://", "ftp://proxy"],
    ("VIRIDIAN_SCRAPE_INTERVAL", "prometheus.scrapeInterval"): ["", "15", "-1s", "999ms", "5m1s"],
    ("VIRIDIAN_SERVING_IMAGE", "servingImage"): [
        *[None, "", "serving", "serving:", "serving:latest", "localhost:5000/serving", "serving:1 2"],
        *["serving@sha256:0a", f"serving@sha256:{'0A' * 32}", "serving@md5:0a"],
    ],
    ("VIRIDIAN_ALLOW_MODEL_CODE", "serving.allowModelCode"): ["no", "False", ""],
    ("VIRIDIAN_SMOKE", "checks.smoke"): ["no", "False", ""],
    ("VIRIDIAN_MODEL_CACHE_VOLUME", "serving.modelCache"): [
        *["on", '{"hostPath": "models"}', '{"claim": "No"}', '{"maxSize": "2GB"}', '{"hostPath": "/a/../b"}'],
        '{"hostPath": "/srv", "claim": "models"}',
    ],
    ("VIRIDIAN_DEFAULT_RESOURCES", "serving.defaultResources"): [
        *["100m", '{"tritons": {}}', '{"api": {"requests": {"cpu": 0.5}}}', '{"api": {"requests": {"cpu": "-1"}}}'],
        *['{"triton": {"limits": {"memory": "1GB"}}}', '{"api": {"requests": {"cpu": 2}, "limits": {"cpu": "1999m"}}}'],
    ],
    ("VIRIDIAN_NAMESPACES", "watch.namespaces"): ["Team", "a,b c", "a,-b", "*", "a" * 64],
    ("VIRIDIAN_SWEEP_PERIOD", "watch.sweepPeriod"): ["", "10", "999ms", "24h1s"],
    ("VIRIDIAN_LOG_LEVEL", "logLevel"): ["", "LOUD", "10"],
    ("VIRIDIAN_PROBE_PORT", ""): ["", "0", "65536", "-1", "http", "²"],
    ("VIRIDIAN_METRICS_PORT", ""): ["0", "65536", "-1", "http", "²"],
    ("VIRIDIAN_LEASE_NAMESPACE", "the chart"): [None, "", "Team", "a b", "-a"],
    ("VIRIDIAN_LEASE_NAME", ""): ["", "Viridian", "a/b", "a-", "a" * 254],
}


@pytest.mark.parametrize(
    ("variable", "chart_value", "value"),
    [(variable, chart_value, value) for (variable, chart_value), values in BAD.items() for value in values],
)
def test_what_cannot_be_used_is_told_by_the_name_that_people_set(
    variable: str, chart_value: str, value: str | None
) -> None:
    # given a setting that is missing or makes no sense
    environment = {**GIVEN, variable: value}
    given = {name: text for name, text in environment.items() if text is not None}

    # when it is read, then one sentence names the variable, what is wrong, and where it comes from
    with pytest.raises(ConfigurationError) as error:
        Configuration.from_environment(given)
    assert str(error.value).startswith(variable)
    assert chart_value in str(error.value)
    assert (value or "").split(",")[-1] in str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        "on",
        '{"receivers": [{"url": "TOKEN"}]}',
        '{"receivers": [{"variable": "VIRIDIAN_NOTIFY_URL_0"}]}',
        '{"receivers": [{"url": "https://example.com/", "events": ["Broken"]}]}',
    ],
)
def test_receivers_that_cannot_be_used_are_told_without_their_addresses(value: str) -> None:
    # given an address that may be a secret
    environment = {**GIVEN, "VIRIDIAN_NOTIFICATIONS": value, "VIRIDIAN_NOTIFY_URL_0": "TOKEN"}
    # when it is read, then the sentence names the setting alone
    with pytest.raises(ConfigurationError, match=r"^VIRIDIAN_NOTIFICATIONS.*chart value notifications") as error:
        Configuration.from_environment(environment)
    assert "TOKEN" not in str(error.value)
