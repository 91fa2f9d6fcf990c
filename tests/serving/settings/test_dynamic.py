"""Settings that change while the pod runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.live_settings import build_live_settings
from viridian.workloads.owner import Owner
from viridian_serving.settings.dynamic import (
    CacheSettings,
    LiveSettings,
    LogSettings,
    ObjectiveSettings,
    RateLimitSettings,
    RedactAction,
    RedactSettings,
    read,
)
from viridian_serving.settings.file_watch import FileWatch, LiveFileError


def test_what_is_not_there_is_off(tmp_path: Path):
    assert read(tmp_path / "serving.json") == LiveSettings(cache=None, rate_limit=None, log=None)


def test_names_are_those_of_the_manifest(tmp_path: Path):
    file = tmp_path / "serving.json"
    file.write_text(
        json.dumps(
            {
                "cache": {"ttl": "30s", "staleIfError": "5m", "maxSize": "16Mi"},
                "rateLimit": {"requestsPerSecond": "0.5", "burst": 3, "clientHeader": "x-client"},
                "log": {
                    "sink": "OTLP",
                    "endpoint": "https://collector.example:4318/v1/logs",
                    "sample": "0.5",
                    "redact": [{"name": "age"}, {"name": "customer_id", "action": "Hash"}],
                    "queueSize": "8Mi",
                },
                "ofTomorrow": {"a": 1},
            }
        )
    )
    assert read(file) == LiveSettings(
        cache=CacheSettings(ttl=30.0, stale_if_error=300.0, max_size=16 << 20),
        rate_limit=RateLimitSettings(requests_per_second=0.5, burst=3, client_header="x-client"),
        log=LogSettings(
            sink="OTLP",
            endpoint="https://collector.example:4318/v1/logs",
            sample=0.5,
            redact=(
                RedactSettings(name="age", action=RedactAction.MASK),
                RedactSettings(name="customer_id", action=RedactAction.HASH),
            ),
            queue_size=8 << 20,
        ),
    )


@pytest.mark.parametrize(
    "serving",
    [
        {},
        {"log": {}},
        {"log": {"sink": "OTLP", "endpoint": "https://[fd00::1]:4318/v1/logs", "redact": [{"name": "a"}]}},
        {"cache": {"ttl": "1s"}, "rateLimit": {"requestsPerSecond": 1}, "log": {"sample": "0", "queueSize": "1Gi"}},
    ],
)
def test_what_the_operator_writes_is_read(tmp_path: Path, serving: dict[str, Any]):
    # given
    made = build_live_settings(Owner("m", "ml", "u"), _spec(serving=serving))
    file = tmp_path / "serving.json"
    file.write_text(made["data"][file.name])
    # when
    settings = read(file)
    # then
    said = settings.model_dump(by_alias=True, exclude_none=True, exclude={"objectives"})
    assert said.keys() == serving.keys()
    assert settings.log == (LogSettings.model_validate(serving["log"]) if "log" in serving else None)


def test_objectives_are_read_and_have_defaults(tmp_path: Path) -> None:
    # given
    file = tmp_path / "serving.json"
    assert read(file).objectives == ObjectiveSettings(availability=0.99, latency={"p95": 0.5})
    spec = _spec(objectives={"availability": "99.9%", "latency": {"p50": "100ms", "p99": "2s"}})
    # when
    file.write_text(build_live_settings(Owner("m", "ml", "u"), spec)["data"][file.name])
    # then
    assert read(file).objectives == ObjectiveSettings(availability=0.999, latency={"p50": 0.1, "p95": 0.5, "p99": 2.0})


def _spec(**parts: Any) -> ModelDeploymentSpec:
    return ModelDeploymentSpec.model_validate({"model": {"version": "v1", "uri": "image:///m"}, **parts})


def test_a_collector_on_the_same_machine_may_be_asked_in_the_open() -> None:
    LogSettings(sink="OTLP", endpoint="http://127.0.0.1:4318/v1/logs")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "the file: Invalid JSON"),
        ("[]", "the file: Input should be an object"),
        ('{"cache": {"ttl": "soon"}}', "cache.ttl: 'soon' is not a duration: write whole numbers with units"),
        (
            '{"cache": {"ttl": "30s", "maxSize": "big"}}',
            "cache.maxSize: 'big' is not a size: write a whole number with Mi or Gi",
        ),
        ('{"rateLimit": {"requestsPerSecond": "0"}}', "rateLimit.requestsPerSecond: Input should be greater than 0"),
        ('{"rateLimit": {"requestsPerSecond": "many"}}', "rateLimit.requestsPerSecond: Input should be a valid number"),
        ('{"rateLimit": {"requestsPerSecond": []}}', "rateLimit.requestsPerSecond: Input should be a valid number"),
        ('{"log": {"sink": "OTLP"}}', "log: sink OTLP, and only that, needs an endpoint"),
        ('{"log": {"endpoint": "https://c/v1/logs"}}', "log: sink OTLP, and only that, needs an endpoint"),
        ('{"log": {"sink": "file"}}', "log.sink: Input should be 'Stdout' or 'OTLP'"),
        ('{"log": {"sink": "OTLP", "endpoint": "http://c:4318/v1/logs"}}', "log.endpoint: what clients send must be"),
        ('{"log": {"sink": "OTLP", "endpoint": "https://c:4318/"}}', "write https://HOST:PORT/v1/logs"),
        ('{"log": {"sink": "OTLP", "endpoint": "collector"}}', "write https://HOST:PORT/v1/logs"),
        ('{"log": {"sample": "1.5"}}', "log.sample: Input should be less than or equal to 1"),
        ('{"log": {"sample": "nan"}}', "log.sample: Input should be a finite number"),
        ('{"log": {"sample": null}}', "log.sample: Input should be a valid number"),
        ('{"log": {"redact": [{"name": "a", "action": "Shred"}]}}', "log.redact.0.action: Input should be 'Drop'"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, told: str):
    file = tmp_path / "serving.json"
    file.write_text(text)
    with pytest.raises(LiveFileError) as raised:
        read(file)
    assert told in str(raised.value)


def test_changes_are_applied_once_and_a_broken_file_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    # given a file as the kubelet keeps it: a link to what it swaps
    file = tmp_path / "serving.json"
    applied: list[LiveSettings] = []
    watch = FileWatch([file], lambda: read(file), applied.append)

    def swap(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        (tmp_path / "link").symlink_to(tmp_path / name)
        (tmp_path / "link").replace(file)
        watch.look()
        watch.look()

    watch.look()
    swap("one", '{"cache": {"ttl": "30s"}}')
    swap("two", '{"cache": {"ttl": 1, "staleIfError": "soon"}}')
    swap("three", '{"cache": {"ttl": "30s"}}')
    swap("four", "{}")
    # then
    assert [settings.cache.ttl if settings.cache else None for settings in applied] == [None, 30.0, None]
    assert "cache.staleIfError" in caplog.text
