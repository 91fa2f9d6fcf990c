"""Real Triton, real API: spans of predictions."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.collector import CALLER, TRACE, TRACED, Collector, Span, running_collector, trace_to
from tests.serving.files import settings_file
from tests.serving.pod import Pod, log_lines, running_pod
from tests.serving.settings.test_config import GIVEN
from tests.serving.two_pods import two_pods
from tests.waiting import DEADLINE, eventually

from viridian_serving.settings.config import load
from viridian_serving.telemetry.telemetry import open_tracing

pytestmark = pytest.mark.serving


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with running_collector(tmp_path) as made:
        yield made


@pytest.fixture
def traced(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    trace_to(collector, monkeypatch)
    return collector


def of_trace(collector: Collector, trace: str = TRACE) -> list[Span]:
    return [span for span in collector.spans() if span.raw.trace_id.hex() == trace]


def test_a_request_is_a_span_of_its_caller_s_trace(tmp_path: Path, traced: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **settings_file(tmp_path, log={})) as pod:
        # when
        assert pod.predict([{"i": 1}, {"i": 2}], Viridian_Via="split", **TRACED).status == 200
        eventually(lambda: len(of_trace(traced)) == 3, pod.log)
        # then
        spans = {span.raw.name: span for span in of_trace(traced)}
        request, queue, triton = (spans[name] for name in ("POST /predict", "queue", "triton"))
        assert request.raw.parent_span_id.hex() == CALLER
        assert queue.raw.parent_span_id == triton.raw.parent_span_id == request.raw.span_id
        assert request.raw.start_time_unix_nano <= queue.raw.start_time_unix_nano
        assert queue.raw.end_time_unix_nano == triton.raw.start_time_unix_nano
        assert triton.raw.end_time_unix_nano <= request.raw.end_time_unix_nano
        assert 0 < triton.seconds < request.seconds < 10
        assert request.attributes.items() >= {
            ("viridian.via", "split"), ("viridian.outcome", "ok"), ("viridian.answered_by", "model"),
            ("viridian.instances", 2), ("http.response.status_code", 200),
        }  # fmt: skip
        assert request.pod.items() >= {("service.name", "m"), ("viridian.revision", "m-1")}
        # and the prediction log names the trace
        eventually(lambda: len(log_lines(pod)) == 2, pod.log)
        assert {record["trace_id"] for record in log_lines(pod)} == {TRACE}


def test_a_rescue_is_one_trace_through_both_pods(tmp_path: Path, traced: Collector) -> None:
    with two_pods(tmp_path) as pair:
        pair.wait_until_known()
        # when
        assert pair.candidate.predict({"i": 9}, Viridian_Via="split", **TRACED).headers["viridian-revision"] == "m-1"
        # then
        eventually(lambda: len(of_trace(traced)) == 7, pair.candidate.log)
        (fallback,) = (span for span in of_trace(traced) if span.raw.name == "fallback")
        requests = {span.pod["viridian.revision"]: span for span in of_trace(traced) if "POST" in span.raw.name}
        assert fallback.attributes["viridian.reason"] == "error"
        assert requests["m-2"].raw.parent_span_id.hex() == CALLER
        assert fallback.raw.parent_span_id == requests["m-2"].raw.span_id
        assert requests["m-1"].raw.parent_span_id == fallback.raw.span_id
        assert requests["m-2"].attributes["viridian.answered_by"] == "stable"
        assert requests["m-2"].raw.status.code == 2
        assert requests["m-1"].raw.status.code == 0


def test_a_caller_that_does_not_sample_is_obeyed_and_triton_s_protocol_is_traced_as_well(
    tmp_path: Path, traced: Collector
) -> None:
    with running_pod(tmp_path, models.lookup) as pod:
        # given
        assert pod.predict({"i": 1}, traceparent=f"00-{TRACE}-{CALLER}-00").status == 200
        # when
        body = {"inputs": [{"name": "i", "shape": [1, 1], "datatype": "INT64", "data": [3]}]}
        assert pod.request("POST", "/v2/models/m/infer", json.dumps(body).encode()).status == 200
        eventually(lambda: len(traced.spans()) == 2, pod.log)
        # then
        assert {span.raw.name for span in traced.spans()} == {"POST /v2/models/m/infer", "triton"}
        assert of_trace(traced) == []


def test_the_last_spans_are_sent_before_the_pod_ends(
    tmp_path: Path, traced: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    with running_pod(tmp_path, models.lookup) as pod:
        pod.predict({"i": 1}, **TRACED)
        assert pod.api is not None
        pod.api.send_signal(signal.SIGTERM)
        assert pod.api.wait(DEADLINE) == 0
        assert len(of_trace(traced)) == 3


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "set it to http/protobuf"),
        ("OTEL_SDK_DISABLED", "true", ""),
        ("OTEL_TRACES_EXPORTER", "none", ""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "", ""),
    ],
)
def test_traces_are_only_made_when_they_are_asked_for(
    caplog: pytest.LogCaptureFixture, variable: str, value: str, said: str
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://localhost:4318", variable: value}
    assert open_tracing(load(GIVEN), environ) is None
    assert said in caplog.text


def test_nothing_of_opentelemetry_is_imported_when_nobody_asks(tmp_path: Path) -> None:
    code = "import sys, viridian_serving.commands.api; print([name for name in sys.modules if 'opentelemetry' in name])"
    environment = Pod.create(tmp_path).environment
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True) == "[]\n"
