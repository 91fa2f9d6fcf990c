"""The prediction log while its settings change: what is written, by which rules, and where it goes."""

import asyncio
import json
from typing import Any

import pytest
from tests.serving.contexts import context_of
from tests.serving.pages import samples
from tests.serving.settings.test_config import GIVEN
from tests.waiting import DEADLINE, until

from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.feature_metadata import FeatureMetadata
from viridian_serving.http1.messages import Request
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.settings.config import load
from viridian_serving.settings.dynamic import LogSettings, RedactSettings
from viridian_serving.telemetry import export_queue, log_pipeline
from viridian_serving.telemetry.log_pipeline import LiveLog
from viridian_serving.telemetry.log_secret import LogSecret
from viridian_shared.counts.via import Via
from viridian_shared.prediction_log import RedactAction

NAME = Tensor("name", DataType.BYTES, (1,))
PEOPLE = ModelSchema((NAME,), (Tensor("y", DataType.INT64, (1,)),), 8)
EVERYTHING = LogSettings()
NOBODY_LISTENS = LogSettings(sink="OTLP", endpoint="http://127.0.0.1:1/v1/logs")
UNKNOWN = FeatureMetadata()
NOTHING = LogSecret()
KEY = LogSecret(hash_key="a key of sixteen characters or more")


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_queue, "_LINGER", 0.01)
    monkeypatch.setattr(log_pipeline, "_FAREWELL", 0.05)


def hiding(action: RedactAction) -> LogSettings:
    return LogSettings(redact=(RedactSettings(name="name", action=action),))


def a_log(
    settings: LogSettings | None, secret: LogSecret | None = NOTHING, metadata: FeatureMetadata = UNKNOWN
) -> LiveLog:
    log = LiveLog(load(GIVEN))
    if secret is not None:
        log.use(secret)
    log.apply(settings)
    log.begin(PEOPLE, metadata)
    return log


def seen_with(*names: str, via: Via = Via.SPLIT) -> list[RequestContext]:
    requests = [Request(b"POST", b"/predict", {}, json.dumps({"name": name}).encode(), 0.0) for name in names]
    return [context_of(request, "id", via, 0, instances=[Encoded((), 1, ())]) for request in requests]


def write(log: LiveLog, name: str) -> None:
    log.write(seen_with(name))


async def written(log: LiveLog, capfd: pytest.CaptureFixture[str]) -> list[Any]:
    """The inputs of all records, once they are written."""
    await log.close(5)
    return [json.loads(line)["inputs"] for line in capfd.readouterr().out.splitlines()]


def dropped(log: LiveLog) -> dict[str, float]:
    page = samples(lambda: log.families(("model",), ("m",)), "reason")
    return {key[1]: value for key, value in page.items() if key[0] == "viridian_log_dropped_total" and value}


async def test_it_is_off_until_it_is_asked_for_and_again_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    log = a_log(None)
    write(log, "Ada")
    log.apply(EVERYTHING)
    write(log, "Bob")
    log.apply(None)
    write(log, "Cleo")
    assert await written(log, capfd) == [{"name": "Bob"}]


async def test_what_checks_ask_is_no_prediction_of_the_models_users(capfd: pytest.CaptureFixture[str]) -> None:
    log = a_log(EVERYTHING)
    for via in Via:
        log.write(seen_with(via, via=via))
    assert await written(log, capfd) == [{"name": via} for via in Via if via is not Via.CHECK]


async def test_what_waits_was_redacted_by_the_rules_of_its_time(capfd: pytest.CaptureFixture[str]) -> None:
    # given rules that are set, and taken back before anything of it is written
    log = a_log(hiding(RedactAction.MASK))
    write(log, "Ada")
    log.apply(EVERYTHING)
    write(log, "Bob")
    log.apply(hiding(RedactAction.DROP))
    write(log, "Cleo")
    # then
    assert await written(log, capfd) == [{"name": "***"}, {"name": "Bob"}, {}]


async def test_a_request_that_cannot_be_written_costs_no_other_its_record(capfd: pytest.CaptureFixture[str]) -> None:
    # given one that by a defect was found to be valid, and is not
    log = a_log(EVERYTHING)
    broken = Request(b"POST", b"/predict", {}, b"\xff", 0.0)
    log.write([context_of(broken, "broken", Via.SPLIT, 0, instances=[Encoded((), 1, ())]), *seen_with("Ada")])
    # then
    assert dropped(log) == {"unreadable": 1}
    assert await written(log, capfd) == [{"name": "Ada"}]


async def test_what_is_hashed_is_masked_until_there_is_a_key(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    log = a_log(hiding(RedactAction.HASH))
    assert "there is no key to hash by" in caplog.text
    write(log, "Ada")
    log.use(KEY)
    write(log, "Ada")
    masked, hashed = await written(log, capfd)
    assert masked == {"name": "***"}
    assert hashed["name"].startswith("hmac-sha256:")


async def test_nothing_is_written_before_the_secret_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    log = a_log(EVERYTHING, secret=None)
    write(log, "Ada")
    log.use(LogSecret())
    write(log, "Bob")
    assert await written(log, capfd) == [{"name": "Bob"}]


async def test_what_schema_yaml_calls_sensitive_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    log = a_log(EVERYTHING, metadata=FeatureMetadata(sensitive=frozenset({"name"})))
    write(log, "Ada")
    assert await written(log, capfd) == [{}]


@pytest.mark.parametrize("then", [EVERYTHING, None])
async def test_what_the_former_receiver_does_not_take_in_time_is_lost_and_counted_and_nobody_else_gets_it(
    then: LogSettings | None, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    # given a collector that is away
    log = a_log(NOBODY_LISTENS)
    write(log, "Ada")
    # when the records go elsewhere, or nowhere
    log.apply(then)
    write(log, "Bob")
    await until(lambda: dropped(log))
    # then
    assert dropped(log) == {"changed": 1}
    assert "1 record(s) could not be delivered" in caplog.text
    assert await written(log, capfd) == ([] if then is None else [{"name": "Bob"}])
    assert dropped(log) == {"changed": 1}


async def test_the_end_of_the_pod_does_not_wait_longer_for_a_former_receiver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_pipeline, "_FAREWELL", 10 * DEADLINE)
    log = a_log(NOBODY_LISTENS)
    write(log, "Ada")
    log.apply(None)
    async with asyncio.timeout(DEADLINE):
        await log.close(0.05)
    assert dropped(log) == {"shutdown": 1}
