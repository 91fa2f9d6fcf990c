"""Real Triton, real API: where the prediction log goes, and that nothing of it is lost on the way."""

import itertools
import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as tritongrpc
import tritonclient.http as tritonhttp
from tests.serving import models
from tests.serving.collector import Collector, log_to, running_collector
from tests.serving.files import log_secret, settings_file
from tests.serving.pod import Pod, log_lines, nonzero, post_many, running_pod
from tests.serving.two_pods import two_pods
from tests.waiting import DEADLINE, eventually
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.serving


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with running_collector(tmp_path) as made:
        yield made


def stdout(directory: Path, **log: Any) -> dict[str, str]:
    return settings_file(directory / "live", log=log)


def test_predictions_are_logged_to_standard_output_and_redacted(tmp_path: Path) -> None:
    settings = stdout(tmp_path, redact=[{"name": "s", "action": "Hash"}])
    settings |= log_secret(tmp_path / "secret", hash_key="a key of some length")
    with running_pod(tmp_path, models.mixed, **settings) as pod:
        # when
        pod.predict({"a": [1, 2], "s": "Ada Lovelace"}, Viridian_Via="split", X_Request_Id="one")
        pod.predict({"a": "x", "sss": "Ada Lovelace"}, X_Request_Id="two")
        eventually(lambda: len(log_lines(pod)) == 2, pod.log)
        # then
        valid, invalid = log_lines(pod)
        assert (valid["request_id"], valid["via"], valid["outcome"], valid["answered_by"]) == (
            "one", "split", "ok", "model",
        )  # fmt: skip
        assert valid["inputs"]["a"] == [1, 2]
        assert valid["inputs"]["s"].startswith("hmac-sha256:")
        assert valid["outputs"]["prediction"]["same"] == [1, 2]
        assert (invalid["request_id"], invalid["outcome"], invalid["inputs"]) == ("two", "rejected", None)


def test_what_triton_s_own_clients_ask_is_logged_as_well(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup, **stdout(tmp_path)) as pod:
        # given a request over HTTP, the same over gRPC, and one of each that the model fails
        for number in (3, 99):
            for client, port in ((tritonhttp, "HTTP_PORT"), (tritongrpc, "GRPC_PORT")):
                given = client.InferInput("i", [1, 1], "INT64")
                given.set_data_from_numpy(np.array([[number]]))
                ends = pytest.raises(InferenceServerException) if number == 99 else nullcontext()
                with client.InferenceServerClient(f"127.0.0.1:{pod.ports[port]}") as asking, ends:
                    asking.infer("m", [given], headers={"x-request-id": f"{port} {number}"})
        # then
        eventually(lambda: len(log_lines(pod)) == 4, pod.log)
        told = [(line["request_id"], line["outcome"], line["inputs"], line["outputs"]) for line in log_lines(pod)]
        assert told == [
            ("HTTP_PORT 3", "ok", {"i": [[3]]}, {"y": [[30.0]]}),
            ("GRPC_PORT 3", "ok", {"i": [[3]]}, {"y": [[30.0]]}),
            ("HTTP_PORT 99", "error", {"i": [[99]]}, None),
            ("GRPC_PORT 99", "error", {"i": [[99]]}, None),
        ]


async def test_every_prediction_arrives_at_a_collector(tmp_path: Path, collector: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector)) as pod:
        # given good ones and failing ones
        await post_many(pod, [{"i": i if i % 10 else 99} for i in range(100)], Viridian_Via="split")
        # then
        eventually(lambda: len(collector.records()) == 100, pod.log)
        outcomes = Counter((record["outcome"], record["answered_by"]) for record in collector.records())
        assert outcomes[("error", "pod")] == 90 + 1
        path, headers, body = collector.taken[0]
        assert (path, headers["authorization"]) == ("/v1/logs", "Bearer abc")
        resource = json.loads(body)["resourceLogs"][0]["resource"]["attributes"]
        assert {"key": "service.name", "value": {"stringValue": "m"}} in resource
        eventually(lambda: nonzero(pod, "viridian_log_records") == {("viridian_log_records_total",): 100})
        assert nonzero(pod, "viridian_log_dropped") == {}


def test_a_collector_that_is_down_costs_no_answer_and_gets_everything_when_it_is_back(
    tmp_path: Path, collector: Collector
) -> None:
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector)) as pod:
        # given
        collector.stop()
        # when
        assert {pod.predict({"i": i % 10}).status for i in range(50)} == {200}
        eventually(lambda: "does not answer" in pod.log(), pod.log)
        assert {pod.predict({"i": i % 10}).status for i in range(50)} == {200}
        collector.verdicts = [(503, {}, b""), (429, {"Retry-After": "1"}, b"")]
        collector.start()
        # then
        eventually(lambda: len(collector.records()) == 100, pod.log)
        assert collector.asked > 2
        assert nonzero(pod, "viridian_log_dropped") == {}
        assert "answers again" in pod.log()


def test_what_a_collector_refuses_is_counted(tmp_path: Path, collector: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector)) as pod:
        # given
        collector.verdicts = [
            (400, {}, b"no such tenant"),
            (200, {}, b'{"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "too old"}}'),
        ]
        # when
        for number in range(2):
            pod.predict({"i": number})
            eventually(lambda: collector.asked == number + 1, pod.log)  # noqa: B023  is called here
        # then
        refused = {("viridian_log_dropped_total", "refused"): 2}
        eventually(lambda: nonzero(pod, "viridian_log_dropped") == refused, pod.log)
        assert "no such tenant" in pod.log()


def test_records_go_to_nobody_whose_certificate_is_not_trusted(tmp_path: Path, collector: Collector) -> None:
    settings = log_to(tmp_path, collector)
    log_secret(tmp_path / "secret")
    with running_pod(tmp_path, models.lookup, **settings) as pod:
        pod.predict({"i": 1})
        eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in pod.log(), pod.log)
        assert collector.asked == 0
        # when there is a Secret with its authority
        log_to(tmp_path, collector)
        # then what waited arrives
        eventually(lambda: len(collector.records()) == 1, pod.log)


def test_the_log_is_delivered_before_the_pod_ends(tmp_path: Path, collector: Collector) -> None:
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector)) as pod:
        # given records that a batch still waits for
        for number in range(5):
            pod.predict({"i": number})
        # when
        assert pod.api is not None
        pod.api.send_signal(signal.SIGTERM)
        assert pod.api.wait(DEADLINE) == 0
        # then
        assert len(collector.records()) == 5


def test_a_collector_that_is_down_keeps_no_pod_from_ending(tmp_path: Path, collector: Collector) -> None:
    collector.stop()
    with running_pod(tmp_path, models.lookup, **log_to(tmp_path, collector)) as pod:
        pod.predict({"i": 1})
        assert pod.api is not None
        pod.api.send_signal(signal.SIGTERM)
        assert pod.api.wait(DEADLINE) == 0
        assert "1 record(s) could not be delivered" in pod.log()


def test_a_rescued_request_is_logged_as_what_it_was(tmp_path: Path, collector: Collector) -> None:
    with two_pods(tmp_path, **log_to(tmp_path, collector)) as pair:
        pair.wait_until_known()
        # when
        pair.candidate.predict({"i": 9}, Viridian_Via="split", X_Request_Id="rescued")
        # then
        eventually(lambda: any(r["request_id"] == "rescued" for r in collector.records()), pair.candidate.log)
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
        eventually(lambda: said().count(" settings: ") > before, said)

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
            eventually(lambda: len(log_lines(pod)) > 10, said)
            follows(masked)
            eventually(lambda: log_lines(pod)[-1]["inputs"]["s"] == "***", said)
            settings_file(tmp_path / "live", log={"sink": "Everywhere"})
            eventually(lambda: "log.sink: Input should be" in said(), said)
            follows(there)
            eventually(lambda: len(collector.records()) > 10, said)
            follows(None)
            answered = len(statuses)
            eventually(lambda: len(statuses) > answered + 10, said)
        eventually(lambda: nonzero(pod, "viridian_log_queue_bytes") == {}, said)
        # then every request was answered, and those between have a record each, at one of the two
        assert set(statuses) == {200}
        records = log_lines(pod) + collector.records()
        assert nonzero(pod, "viridian_log_records") == {("viridian_log_records_total",): len(records)}
        assert nonzero(pod, "viridian_log_dropped") == {}
        for client in range(4):
            numbers = [record["inputs"]["a"][1] for record in records if record["inputs"]["a"][0] == client]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
        # each redacted as it was to be at its time
        shown = [(record["inputs"].get("s", "")[:6], "client" in json.dumps(record["inputs"])) for record in records]
        assert [key for key, _ in itertools.groupby(shown)] == [("client", True), ("***", False), ("", False)]
        assert len(records) < len(statuses)
