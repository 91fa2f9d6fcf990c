"""Real Triton, real API, and the OpenTelemetry Collector: prediction log and traces as it reads them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.collector import CALLER, TRACE, TRACED, log_to, trace_to
from tests.serving.open_telemetry import OpenTelemetryCollector, attributes, open_telemetry_collector
from tests.serving.pod import nonzero, running_pod
from tests.waiting import eventually

pytestmark = pytest.mark.serving

TOKEN = "c2VjcmV0+/=="  # noqa: S105


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[OpenTelemetryCollector]:
    with open_telemetry_collector(tmp_path, TOKEN) as running:
        yield running


def test_predictions_are_log_records(tmp_path: Path, collector: OpenTelemetryCollector) -> None:
    masked = [{"name": "i", "action": "Mask"}]
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector, TOKEN, redact=masked)) as pod:
        # when one succeeds and one fails
        pod.predict({"i": 3}, X_Request_Id="good", Viridian_Via="split", **TRACED)
        pod.predict({"i": 99}, X_Request_Id="bad")
        eventually(lambda: len(collector.log_records()) == 2, pod.log)
        # then both are there, with who sent them, and redacted
        good, bad = collector.log_records()
        assert good.resource.items() >= {("service.name", "m"), ("viridian.revision", "m-1")}
        assert (good.raw["severityText"], good.raw["traceId"]) == ("INFO", TRACE)
        said = json.loads(good.raw["body"]["stringValue"])
        assert (said["request_id"], said["outcome"], said["inputs"]) == ("good", "ok", {"i": "***"})
        assert json.loads(bad.raw["body"]["stringValue"])["outcome"] == "error"
        assert int(good.raw["timeUnixNano"]) <= int(bad.raw["timeUnixNano"])


def test_records_wait_for_a_collector_that_is_away(tmp_path: Path, collector: OpenTelemetryCollector) -> None:
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector, TOKEN)) as pod:
        # given
        collector.stop()
        assert {pod.predict({"i": i % 10}, X_Request_Id=str(i)).status for i in range(50)} == {200}
        eventually(lambda: "does not answer" in pod.log(), pod.log)
        # when it is back
        collector.start()
        # then each arrives, once
        eventually(lambda: len(collector.log_records()) == 50, pod.log)
        asked = [json.loads(record.raw["body"]["stringValue"])["request_id"] for record in collector.log_records()]
        assert asked == [str(i) for i in range(50)]
        assert nonzero(pod, "viridian_log_dropped") == {}


def test_a_collector_that_knows_no_such_token_is_named_and_its_refusals_are_counted(
    tmp_path: Path, collector: OpenTelemetryCollector
) -> None:
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector, "another")) as pod:
        assert pod.predict({"i": 1}).status == 200
        refused = {("viridian_log_dropped_total", "refused"): 1}
        eventually(lambda: nonzero(pod, "viridian_log_dropped") == refused, pod.log)
        assert f"{collector.root}/v1/logs answers 401" in pod.log()
        assert collector.log_records() == []


def test_a_prediction_is_a_trace(
    tmp_path: Path, collector: OpenTelemetryCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_to(collector, monkeypatch, TOKEN)
    with running_pod(tmp_path, models.lookup) as pod:
        # when
        assert pod.predict({"i": 1}, Viridian_Via="split", **TRACED).status == 200
        eventually(lambda: len(collector.spans()) == 3, pod.log)
        # then
        spans = {span.raw["name"]: span for span in collector.spans()}
        request = spans["POST /predict"]
        assert {span.raw["traceId"] for span in spans.values()} == {TRACE}
        assert request.raw["parentSpanId"] == CALLER
        assert {spans[name].raw["parentSpanId"] for name in ("queue", "triton")} == {request.raw["spanId"]}
        assert attributes(request.raw).items() >= {("viridian.via", "split"), ("viridian.outcome", "ok")}
        assert request.resource.items() >= {("service.name", "m"), ("viridian.revision", "m-1")}
