"""Real Triton, real API: what the pod tells about its predictions."""

import itertools
import json
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.serving import models
from tests.serving.collector import Collector, Span, running_collector
from tests.serving.files import log_secret, settings_file
from tests.serving.pod import Pod, eventually, post_many, running_pod
from tests.serving.test_config import GIVEN
from tests.serving.test_two_pods import two_pods

from viridian_serving.config import load
from viridian_serving.contract import Contract
from viridian_serving.http_messages import Request
from viridian_serving.joiner import Stats
from viridian_serving.metrics import Via
from viridian_serving.schema import DataType, ModelSchema, Tensor
from viridian_serving.seen import Seen
from viridian_serving.telemetry import Telemetry, open_tracing
from viridian_serving.wire import Encoded

pytestmark = pytest.mark.component

KEYS = {"FEEDBACK_KEY": "a key of this model and of no other\n"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("digits"), models.digits, **KEYS) as pod:
        yield pod


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """Another revision of the same model, which predicts numbers."""
    with running_pod(tmp_path_factory.mktemp("lookup"), models.lookup, REVISION="m-2", **KEYS) as pod:
        yield pod


def feedback(pod: Pod, family: str = "viridian_feedback") -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[name] for name in ("revision", "via", "result") if name in sample.labels)): (
            sample.value
        )
        for sample in pod.samples(family)
        if sample.value
    }


# -- feedback


def test_any_pod_of_the_model_counts_what_another_one_predicted(digits: Pod, lookup: Pod) -> None:
    # given a label from one revision, and numbers from the other
    answer = digits.predict([0.0] * 64, Viridian_Via="split").json
    (first, second) = lookup.predict([{"i": 3}, {"i": 4}], Viridian_Via="pin").json["predictions"]
    # when the truth is told to the pods that did not predict it
    told = lookup.feedback({"token": answer["feedback_token"], "actual": answer["prediction"]})
    numbers = digits.feedback(
        [{"token": first["feedback_token"], "actual": 31}, {"token": second["feedback_token"], "actual": 38.5}]
    )
    # then each is counted for the revision that predicted
    assert (told.status, told.json) == (200, {"counted": 1, "repeated": 0})
    assert (numbers.status, numbers.json) == (200, {"counted": 2, "repeated": 0})
    assert feedback(lookup) == {("viridian_feedback_total", "m-1", "split", "correct"): 1}
    assert feedback(digits, "viridian_feedback_absolute_error") == {
        ("viridian_feedback_absolute_error_sum", "m-2", "pin"): 2.5,
        ("viridian_feedback_absolute_error_count", "m-2", "pin"): 2,
    }


def test_a_pod_s_own_series_of_feedback_are_there_at_zero(lookup: Pod) -> None:
    own = [sample for sample in lookup.samples("viridian_feedback") if sample.labels["revision"] == "m-2"]
    assert len(own) == 6 * 2
    assert {sample.value for sample in own} == {0}


def test_the_token_of_a_rescued_answer_is_stable_s(tmp_path: Path) -> None:
    with two_pods(tmp_path, both=KEYS) as pair:
        pair.wait_until_known()
        # given an answer that stable gave in the candidate's stead
        answer = pair.candidate.predict({"i": 9}, Viridian_Via="split").json
        # when the candidate is told the truth
        assert pair.candidate.feedback({"token": answer["feedback_token"], "actual": 91}).json["counted"] == 1
        # then it counts it for stable, apart from what stable was asked by the route
        assert feedback(pair.candidate, "viridian_feedback_absolute_error") == {
            ("viridian_feedback_absolute_error_sum", "m-1", "fallback"): 1,
            ("viridian_feedback_absolute_error_count", "m-1", "fallback"): 1,
        }


def test_a_token_that_was_altered_is_a_problem_document(digits: Pod) -> None:
    # given
    token = digits.predict([0.0] * 64).json["feedback_token"]
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    # when
    answer = digits.feedback({"token": altered, "actual": 0})
    # then
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json["errors"]] == ["/token"]


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405)])
def test_feedback_is_posted(digits: Pod, method: str, status: int) -> None:
    assert digits.request(method, "/feedback").status == status


def test_feedback_is_no_inference(digits: Pod) -> None:
    before = digits.counts()
    assert digits.feedback({}).status == 400
    assert digits.counts() == before


def test_without_a_key_there_are_no_tokens(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as pod:
        assert "feedback_token" not in pod.predict({"i": 3}).json
        answer = pod.feedback({"token": "v1.x", "actual": 1})
        assert (answer.status, answer.json["type"]) == (404, "urn:viridian:problem:no-feedback-key")
        assert "m-feedback" in answer.json["detail"]


# -- metrics


def nonzero(pod: Pod, family: str) -> dict[tuple[str, ...], float]:
    """Values that are not zero, by name and by the labels that are not the pod's own."""
    labels = ("via", "class", "feature", "le", "route", "code", "reason")
    return {
        (sample.name, *(sample.labels[name] for name in labels if name in sample.labels)): sample.value
        for sample in pod.samples(family)
        if sample.value
    }


async def test_what_is_asked_and_answered_is_counted(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.digits) as pod:
        # given a pod that has answered nothing but its trial
        for family in ("predictions", "prediction_confidence", "feature_value"):
            assert nonzero(pod, f"viridian_{family}") == {}
        # when
        answers = await post_many(pod, [{"X": [float(i)] * 64} for i in range(40)], Viridian_Via="split")
        pod.predict({"X": "?"})
        # then
        labels = Counter(answer.json["prediction"] for answer in answers)
        assert nonzero(pod, "viridian_predictions") == {
            ("viridian_predictions_total", "split", str(label)): number for label, number in labels.items()
        }
        confidences = [answer.json["confidence"] for answer in answers]
        assert nonzero(pod, "viridian_prediction_confidence")["viridian_prediction_confidence_sum",] == pytest.approx(
            sum(confidences)
        )
        features = nonzero(pod, "viridian_feature_value")
        assert features["viridian_feature_value_bucket", "X[31]", "+Inf"] == 40
        assert features["viridian_feature_value_bucket", "X[0]", "1.0"] == 2
        assert ("viridian_feature_value_bucket", "X[32]", "+Inf") not in features
        # and so is how: every call's size and wait, the trial's included
        assert nonzero(pod, "viridian_call_size")["viridian_call_size_sum",] == 41
        assert nonzero(pod, "viridian_queue_seconds")["viridian_queue_seconds_count",] == 41
        assert nonzero(pod, "viridian_responses")["viridian_responses_total", "predict", "200"] == 40
        assert nonzero(pod, "viridian_responses")["viridian_responses_total", "predict", "400"] == 1


def test_what_is_no_request_is_counted_as_well(digits: Pod) -> None:
    with socket.create_connection(("127.0.0.1", digits.ports["HTTP_PORT"])) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        assert b"400" in connection.recv(1000)
    assert nonzero(digits, "viridian_responses")["viridian_responses_total", "none", "400"] == 1


async def test_what_cannot_be_told_costs_nobody_the_metrics(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a model whose answers are observed wrongly
    telemetry = Telemetry(load(GIVEN), {})
    schema = ModelSchema((Tensor("x", DataType.FP32, (1,)),), (Tensor("y", DataType.FP32, (1,)),), 8)
    telemetry.begin(Contract.derived(schema), Stats())
    request = Request(b"POST", b"/predict", {}, b"", 0.0)
    wrong = Encoded(((1,),), 1, (b"too short",))
    telemetry.observe(Seen(request, "id", Via.SPLIT, 0, instances=[wrong], predictions=[{"prediction": 1.0}]))
    # when
    families = {family.name for family in telemetry.collect()}
    # then
    assert "viridian_responses" in families
    assert "what was seen of 1 request(s) could not all be told" in caplog.text


# -- the prediction log


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with running_collector(tmp_path) as made:
        yield made


def stdout(directory: Path, **log: Any) -> dict[str, str]:
    return settings_file(directory / "live", log=log)


def otlp(directory: Path, collector: Collector, **log: Any) -> dict[str, str]:
    log = {"sink": "OTLP", "endpoint": collector.endpoint, **log}
    secret = {"ca": collector.certificate.read_text(), "headers": "authorization=Bearer%20abc"}
    return settings_file(directory / "live", log=log) | log_secret(directory / "secret", **secret)


def lines(pod: Pod) -> list[dict[str, Any]]:
    """The records on the pod's standard output, which the tests keep in one file with standard error."""
    text = (pod.directory / "api.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_predictions_are_logged_to_standard_output_and_redacted(tmp_path: Path) -> None:
    settings = stdout(tmp_path, redact=[{"name": "s", "action": "Hash"}])
    settings |= log_secret(tmp_path / "secret", hash_key="a key of some length")
    with running_pod(tmp_path, models.mixed, **settings) as pod:
        # when
        pod.predict({"a": [1, 2], "s": "Ada Lovelace"}, Viridian_Via="split", X_Request_Id="one")
        pod.predict({"a": "x", "sss": "Ada Lovelace"}, X_Request_Id="two")
        eventually(lambda: len(lines(pod)) == 2, 10, pod.log)
        # then
        valid, invalid = lines(pod)
        assert (valid["request_id"], valid["via"], valid["outcome"], valid["answered_by"]) == (
            "one", "split", "ok", "model",
        )  # fmt: skip
        assert valid["inputs"]["a"] == [1, 2]
        assert valid["inputs"]["s"].startswith("hmac-sha256:")
        assert valid["outputs"]["prediction"]["same"] == [1, 2]
        assert (invalid["request_id"], invalid["outcome"], invalid["inputs"]) == ("two", "rejected", None)


async def test_every_prediction_arrives_at_a_collector(tmp_path: Path, collector: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **otlp(tmp_path, collector)) as pod:
        # given good ones and failing ones
        await post_many(pod, [{"i": i if i % 10 else 99} for i in range(100)], Viridian_Via="split")
        # then
        eventually(lambda: len(collector.records()) == 100, 10, pod.log)
        outcomes = Counter((record["outcome"], record["answered_by"]) for record in collector.records())
        assert outcomes[("error", "pod")] == 90 + 1
        path, headers, body = collector.taken[0]
        assert (path, headers["authorization"]) == ("/v1/logs", "Bearer abc")
        resource = json.loads(body)["resourceLogs"][0]["resource"]["attributes"]
        assert {"key": "service.name", "value": {"stringValue": "m"}} in resource
        eventually(lambda: nonzero(pod, "viridian_log_records") == {("viridian_log_records_total",): 100}, 5)
        assert nonzero(pod, "viridian_log_dropped") == {}


def test_a_collector_that_is_down_costs_no_answer_and_gets_everything_when_it_is_back(
    tmp_path: Path, collector: Collector
) -> None:
    with running_pod(tmp_path, models.lookup, **otlp(tmp_path, collector)) as pod:
        # given
        collector.stop()
        # when
        assert {pod.predict({"i": i % 10}).status for i in range(50)} == {200}
        eventually(lambda: "does not answer" in pod.log(), 10, pod.log)
        assert {pod.predict({"i": i % 10}).status for i in range(50)} == {200}
        collector.verdicts = [(503, {}, b""), (429, {"Retry-After": "1"}, b"")]
        collector.start()
        # then
        eventually(lambda: len(collector.records()) == 100, 20, pod.log)
        assert collector.asked > 2
        assert nonzero(pod, "viridian_log_dropped") == {}
        assert "answers again" in pod.log()


def test_what_a_collector_refuses_is_counted(tmp_path: Path, collector: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **otlp(tmp_path, collector)) as pod:
        # given
        collector.verdicts = [
            (400, {}, b"no such tenant"),
            (200, {}, b'{"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "too old"}}'),
        ]
        # when
        for number in range(2):
            pod.predict({"i": number})
            eventually(lambda: collector.asked == number + 1, 10, pod.log)  # noqa: B023  is called here
        # then
        refused = {("viridian_log_dropped_total", "refused"): 2}
        eventually(lambda: nonzero(pod, "viridian_log_dropped") == refused, 5, pod.log)
        assert "no such tenant" in pod.log()


def test_records_go_to_nobody_whose_certificate_is_not_trusted(tmp_path: Path, collector: Collector) -> None:
    settings = otlp(tmp_path, collector)
    log_secret(tmp_path / "secret")
    with running_pod(tmp_path, models.lookup, **settings) as pod:
        pod.predict({"i": 1})
        eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in pod.log(), 10, pod.log)
        assert collector.asked == 0
        # when there is a Secret with its authority
        otlp(tmp_path, collector)
        # then what waited arrives
        eventually(lambda: len(collector.records()) == 1, 30, pod.log)


def test_the_log_is_delivered_before_the_pod_ends(tmp_path: Path, collector: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **otlp(tmp_path, collector)) as pod:
        # given records that a batch still waits for
        for number in range(5):
            pod.predict({"i": number})
        # when
        assert pod.api is not None
        pod.api.send_signal(signal.SIGTERM)
        assert pod.api.wait(15) == 0
        # then
        assert len(collector.records()) == 5


def test_a_collector_that_is_down_keeps_no_pod_from_ending(tmp_path: Path, collector: Collector) -> None:
    collector.stop()
    with running_pod(tmp_path, models.lookup, **otlp(tmp_path, collector)) as pod:
        pod.predict({"i": 1})
        assert pod.api is not None
        pod.api.send_signal(signal.SIGTERM)
        assert pod.api.wait(15) == 0
        assert "1 record(s) could not be delivered" in pod.log()


def test_a_rescued_request_is_logged_as_what_it_was(tmp_path: Path, collector: Collector) -> None:
    with two_pods(tmp_path, **otlp(tmp_path, collector)) as pair:
        pair.wait_until_known()
        # when
        pair.candidate.predict({"i": 9}, Viridian_Via="split", X_Request_Id="rescued")
        # then
        eventually(lambda: any(r["request_id"] == "rescued" for r in collector.records()), 10, pair.candidate.log)
        (record,) = (r for r in collector.records() if r["request_id"] == "rescued")
        assert (record["revision"], record["outcome"], record["answered_by"]) == ("m-2", "error", "stable")
        assert (record["inputs"], record["outputs"]) == ({"i": 9}, None)


@contextmanager
def asked_all_the_time(pod: Pod, clients: int = 4) -> Iterator[list[int]]:
    """Clients that name themselves and count their requests, while the block runs; gives the answers' statuses."""
    statuses: list[int] = []
    enough = threading.Event()

    def ask(client: int) -> None:
        number = 0
        while not enough.is_set():
            statuses.append(pod.predict({"a": [client, number], "s": f"client {client}"}).status)
            number += 1

    with ThreadPoolExecutor(clients) as threads:
        asking = [threads.submit(ask, client) for client in range(clients)]
        try:
            yield statuses
        finally:
            enough.set()
    for each in asking:
        each.result()


def test_the_log_is_turned_on_changed_and_turned_off_while_requests_run(tmp_path: Path, collector: Collector) -> None:
    # given
    def said() -> str:
        return (tmp_path / "api.log").read_text()

    def follows(log: object) -> None:
        before = said().count(" settings: ")
        settings_file(tmp_path / "live", log=log)
        eventually(lambda: said().count(" settings: ") > before, 10, said)

    here = {"sink": "Stdout"}
    masked = {**here, "redact": [{"name": "s"}, {"name": "text"}]}
    dropped = {"redact": [{"name": "s", "action": "Drop"}, {"name": "text", "action": "Drop"}]}
    there = {"sink": "OTLP", "endpoint": collector.endpoint, **dropped}
    files = settings_file(tmp_path / "live", log=None)
    files |= log_secret(tmp_path / "secret", ca=collector.certificate.read_text())
    with running_pod(tmp_path, models.mixed, **files) as pod:
        with asked_all_the_time(pod) as statuses:
            # when it is turned on, then masks, is set by mistake, goes to a collector, and is turned off
            follows(here)
            eventually(lambda: len(lines(pod)) > 10, 10, said)
            follows(masked)
            eventually(lambda: lines(pod)[-1]["inputs"]["s"] == "***", 10, said)
            settings_file(tmp_path / "live", log={"sink": "Everywhere"})
            eventually(lambda: "log.sink: Input should be" in said(), 10, said)
            follows(there)
            eventually(lambda: len(collector.records()) > 10, 10, said)
            follows(None)
            answered = len(statuses)
            eventually(lambda: len(statuses) > answered + 10, 10, said)
        eventually(lambda: nonzero(pod, "viridian_log_queue_bytes") == {}, 10, said)
        # then every request was answered, and those between have a record each, at one of the two
        assert set(statuses) == {200}
        records = lines(pod) + collector.records()
        assert nonzero(pod, "viridian_log_records") == {("viridian_log_records_total",): len(records)}
        assert nonzero(pod, "viridian_log_dropped") == {}
        for client in range(4):
            numbers = [record["inputs"]["a"][1] for record in records if record["inputs"]["a"][0] == client]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
        # each redacted as it was to be at its time
        shown = [(record["inputs"].get("s", "")[:6], "client" in json.dumps(record)) for record in records]
        assert [key for key, _ in itertools.groupby(shown)] == [("client", True), ("***", False), ("", False)]
        assert len(records) < len(statuses)


# -- traces

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TRACED = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "a=b"}


@pytest.fixture
def traced(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.root)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(collector.certificate))
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    for elsewhere in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # the exporter's client believes these first
        monkeypatch.delenv(elsewhere, raising=False)
    return collector


def of_trace(collector: Collector, trace: str = TRACE) -> list[Span]:
    return [span for span in collector.spans() if span.raw.trace_id.hex() == trace]


def test_a_request_is_a_span_of_its_caller_s_trace(tmp_path: Path, traced: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **stdout(tmp_path)) as pod:
        # when
        assert pod.predict([{"i": 1}, {"i": 2}], Viridian_Via="split", **TRACED).status == 200
        eventually(lambda: len(of_trace(traced)) == 3, 10, pod.log)
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
        eventually(lambda: len(lines(pod)) == 2, 10, pod.log)
        assert {record["trace_id"] for record in lines(pod)} == {TRACE}


def test_a_rescue_is_one_trace_through_both_pods(tmp_path: Path, traced: Collector) -> None:
    with two_pods(tmp_path) as pair:
        pair.wait_until_known()
        # when
        assert pair.candidate.predict({"i": 9}, Viridian_Via="split", **TRACED).headers["viridian-revision"] == "m-1"
        # then
        eventually(lambda: len(of_trace(traced)) == 7, 10, pair.candidate.log)
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
        eventually(lambda: len(traced.spans()) == 2, 10, pod.log)
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
        assert pod.api.wait(15) == 0
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


def test_nothing_of_opentelemetry_is_imported_when_nobody_asks(digits: Pod) -> None:
    code = "import sys, viridian_serving.api; print([name for name in sys.modules if 'opentelemetry' in name])"
    assert subprocess.check_output([sys.executable, "-c", code], env=digits.environment, text=True) == "[]\n"
