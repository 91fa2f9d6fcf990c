"""Settings that change while the pod runs."""

import json
from pathlib import Path

import pytest

from viridian_serving.live_settings import (
    CacheSettings,
    LiveSettings,
    LiveSettingsError,
    LiveWatch,
    RateLimitSettings,
    read,
)


def test_what_is_not_there_is_off(tmp_path: Path):
    assert read(tmp_path / "serving.json") == LiveSettings(cache=None, rate_limit=None)


def test_names_are_those_of_the_manifest(tmp_path: Path):
    file = tmp_path / "serving.json"
    file.write_text(
        json.dumps(
            {
                "cache": {"ttl": "30s", "staleIfError": "5m", "maxSize": "16Mi"},
                "rateLimit": {"requestsPerSecond": "0.5", "burst": 3, "clientHeader": "x-client"},
                "ofTomorrow": {"a": 1},
            }
        )
    )
    assert read(file) == LiveSettings(
        cache=CacheSettings(ttl=30.0, stale_if_error=300.0, max_size=16 << 20),
        rate_limit=RateLimitSettings(requests_per_second=0.5, burst=3, client_header="x-client"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "the file: Invalid JSON"),
        ("[]", "the file: Input should be an object"),
        ('{"cache": {"ttl": "soon"}}', "cache.ttl: 'soon' is not a duration; write it like 500ms, 30s or 1m30s"),
        (
            '{"cache": {"ttl": "30s", "maxSize": "big"}}',
            "cache.maxSize: 'big' is not a size; write it like 512Mi or 2Gi",
        ),
        ('{"rateLimit": {"requestsPerSecond": "0"}}', "rateLimit.requestsPerSecond: Input should be greater than 0"),
        ('{"rateLimit": {"requestsPerSecond": "many"}}', "rateLimit.requestsPerSecond: could not convert string"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, told: str):
    file = tmp_path / "serving.json"
    file.write_text(text)
    with pytest.raises(LiveSettingsError) as raised:
        read(file)
    assert told in str(raised.value)


def test_changes_are_applied_once_and_a_broken_file_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    # given a file as the kubelet keeps it: a link to what it swaps
    file = tmp_path / "serving.json"
    applied: list[LiveSettings] = []
    watch = LiveWatch(file, applied.append)

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
