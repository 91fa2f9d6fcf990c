"""Notifications and metrics of the real operator: a receiver that hangs holds up no rollback; nothing comes twice."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.component.harness.loopback import open_url
from tests.component.harness.stage import LONG_BAKE, Stage
from tests.waiting import eventually, stays


class Receiver(ThreadingHTTPServer):
    """A receiver of CloudEvents that answers nobody until it is let go."""

    daemon_threads = True

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.asked = 0
        self.let_go = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def ids(self, event: str) -> list[str]:
        """Of the notifications of one event that it has accepted."""
        return [name for kind, name in self.events if kind == event]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, Receiver)
        receiver.asked += 1
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        receiver.let_go.wait()
        try:
            self.send_response(204)
            self.end_headers()
        except OSError:
            return  # the operator waits no longer
        receiver.events.append((event["data"]["event"], event["id"]))

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.let_go.set()
    server.shutdown()
    thread.join()
    server.server_close()


def figures(stage: Stage) -> dict[tuple[str, str], float]:
    """The operator's metrics, by their names and the values of their labels in the order of the labels' names."""
    with open_url(f"http://127.0.0.1:{stage.operator.metrics_port}/metrics") as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    return {
        (sample.name, " ".join(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def settled(stage: Stage) -> int:
    """How many deliveries the operator has written down."""
    selector = "metadata.name=viridian-notifications"
    found = stage.control_plane.core.list_namespaced_config_map(stage.namespace, field_selector=selector).items
    return sum(len(each.data or {}) for each in found)


def test_a_rollback_is_notified_of_after_it_was_made_and_once(stage: Stage, receiver: Receiver) -> None:
    # given an operator that may send to a receiver, which hangs
    stage.operator.environment["VIRIDIAN_NOTIFICATIONS"] = json.dumps({"allowedHosts": [receiver.host]})
    stage.operator.restart()
    notify = [{"url": f"http://{receiver.host}/", "events": ["RolloutStarted", "RolledBack"]}]
    stage.apply("v1.0.0", notify=notify)
    stage.reaches("Stable", "v1.0.0")

    # when a candidate fails
    stage.users.outcome = lambda revision: ("error" if revision == "iris-2" else "ok", 0.02)
    stage.apply("v2.0.0", notify=notify, rollout=LONG_BAKE)

    # then it is rolled back while the receiver hangs
    stage.reaches("RolledBack", "v1.0.0")
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}
    assert (receiver.asked > 0, receiver.events) == (True, [])
    # and the metrics tell of it
    ended = ("viridian_operator_rollouts_ended_total", "GuardBreached RolledBack")
    eventually(lambda: figures(stage).get(ended) == 1, "the rollback to be counted")
    told = figures(stage)
    assert told["viridian_operator_leader", ""] == 1
    assert told["viridian_operator_models", "RolledBack"] == 1
    assert told["viridian_operator_revert_seconds_count", ""] == 1
    assert told["viridian_operator_prometheus_query_seconds_count", "guards ok"] > 0
    assert told["viridian_operator_api_writes_total", "ok create"] > 0
    assert told["viridian_operator_notifications_waiting", ""] > 0

    # when the operator is killed, the receiver comes back, and another one leads
    stage.operator.kill()
    receiver.let_go.set()
    stage.operator.start()

    # then how the rollout ended arrives, and that is written down
    eventually(lambda: len(receiver.ids("RolledBack")) == 1, "the rollback to be notified of")
    eventually(lambda: settled(stage) == 1, "what was delivered to be written down")

    # and when yet another one leads, it does not come again
    stage.operator.restart()
    stage.answers()
    stays(lambda: len(receiver.ids("RolledBack")) == 1, "nothing to be sent again", 5.0)
