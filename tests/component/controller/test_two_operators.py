"""Two operators over one Lease: one leads, the other follows it, and nothing that a former leader sends late lands."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.component.harness.api_proxy import ApiProxy, Fault, Hold, Request
from tests.component.harness.chart import operator_kubeconfig
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import open_url
from tests.component.harness.operator import OperatorProcess
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.stage import LONG, Stage, stage_in
from tests.waiting import eventually

AT_FIRST_STEP = {**LONG, "steps": [{"weight": 20, "hold": "1h"}, {"weight": 50, "hold": "1s"}]}
AT_SECOND_STEP = {**LONG, "steps": [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1h"}]}
"""Where a rollout stays until it is told to go on, so that it is under way whoever takes over when."""
LIMIT = 300.0


class Pair:
    """A stage with two operators, each with its own proxy that keeps what it sends."""

    def __init__(self, stage: Stage, second: OperatorProcess, folder: Path, *proxies: ApiProxy) -> None:
        self.folder = folder
        self.stage, self.first, self.second = stage, stage.operator, second
        self.of_first, self.of_second = proxies

    @property
    def holder(self) -> str:
        """Whom the Lease names."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.stage.namespace}/leases"
        leases = self.stage.control_plane.get(path)["items"]
        return str(leases[0]["spec"]["holderIdentity"]) if leases else ""

    @property
    def log_of_first(self) -> str:
        """What the first has written to its log."""
        return self.first.log

    def leads(self, operator: OperatorProcess) -> None:
        """Wait until an operator leads.

        Raises:
            RuntimeError: it does not run any more.
        """

        def why() -> str:
            return f"{operator.name} to lead; the Lease names {self.holder!r}, and its log says:\n{operator.log}"

        eventually(lambda: operator.pid and self.holder == operator.name, why, LIMIT)


@contextmanager
def pair_in(
    namespace: str, control_plane: ControlPlane, prometheus: Prometheus, folder: Path, prometheus_of_second: str = ""
) -> Iterator[Pair]:
    with (
        ApiProxy(control_plane.url, control_plane.certificate) as first,
        ApiProxy(control_plane.url, control_plane.certificate) as second,
        stage_in(namespace, control_plane, prometheus, folder, first, forked=True) as stage,
    ):
        kubeconfig = second.kubeconfig(operator_kubeconfig(control_plane, namespace))
        other = OperatorProcess(kubeconfig, prometheus, namespace, folder, name="second", forked=True)
        if prometheus_of_second:
            other.environment["VIRIDIAN_PROMETHEUS_URL"] = prometheus_of_second
        made = Pair(stage, other, folder, first, second)
        made.leads(stage.operator)
        with other:
            eventually(
                lambda: other.pid and any(looks_at_lease(request) for request in second.requests),
                lambda: f"the second to follow; its log says:\n{other.log}",
            )
            yield made


@pytest.fixture
def pair(
    control_plane: ControlPlane, crd: str, gateway_api: list[str], prometheus: Prometheus, namespace: str, logs: Path
) -> Iterator[Pair]:
    with pair_in(namespace, control_plane, prometheus, logs / namespace) as made:
        yield made


def looks_at_lease(request: Request) -> bool:
    return request.method == "GET" and request.resource == "leases" and request.status is not None


def is_write(request: Request) -> bool:
    """Anything but the Lease, Events too."""
    return request.method != "GET" and request.resource != "leases"


def landed(request: Request) -> bool:
    return is_write(request) and request.forwarded and request.status is not None and request.status < 300


def in_the_middle(pair: Pair) -> None:
    """A rollout at its first step, where it stays."""
    pair.stage.apply("v1.0.0")
    pair.stage.reaches("Stable", "v1.0.0", within=LIMIT)
    pair.stage.apply("v2.0.0", rollout=AT_FIRST_STEP)
    eventually(lambda: pair.stage.weights["iris-green"] == 20, "the first step", LIMIT)


def goes_on(pair: Pair) -> dict[str, Any]:
    """Let the rollout go on, and wait for its end."""
    pair.stage.apply("v2.0.0")
    return pair.stage.reaches("Stable", "v2.0.0", within=LIMIT)


def test_a_follower_is_healthy_and_writes_and_asks_nothing(
    control_plane: ControlPlane, crd: str, gateway_api: list[str], prometheus: Prometheus, namespace: str, logs: Path
) -> None:
    # given two operators, of which the second has a Prometheus that would hear of any question
    with socket.create_server(("127.0.0.1", 0)) as ear:
        ear.setblocking(False)
        url = f"http://127.0.0.1:{ear.getsockname()[1]}"
        with pair_in(namespace, control_plane, prometheus, logs / namespace, url) as pair:
            # when the first rolls a model out
            pair.stage.apply("v1.0.0")
            pair.stage.reaches("Stable", "v1.0.0", within=LIMIT)
            pair.stage.apply("v2.0.0")
            pair.stage.reaches("Stable", "v2.0.0", within=LIMIT)

            # then the second has sent no write, not even for the Lease, and asked nobody
            assert [str(request) for request in pair.of_second.requests if request.method != "GET"] == []
            with pytest.raises(BlockingIOError):
                ear.accept()
            # and both are well
            assert health(pair.second)["leads"] is False
            eventually(lambda: health(pair.first)["leads"] is True, "the first to say that it leads")


def health(operator: OperatorProcess) -> dict[str, Any]:
    with open_url(f"http://127.0.0.1:{operator.probe_port}/healthz") as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_a_leader_that_is_killed_is_followed_and_the_rollout_finished(pair: Pair) -> None:
    # given a rollout
    in_the_middle(pair)
    before = pair.stage.model["status"]["epoch"]

    # when its leader is killed
    pair.first.kill()

    # then the other goes on where it stood, in its own term, after a fence
    pair.leads(pair.second)
    status = goes_on(pair)
    assert (status["lastRevision"], status["epoch"] != before) == (2, True)
    assert pair.stage.weights == {"iris-blue": 0, "iris-green": 100}
    fence = [request for request in pair.of_second.requests if is_write(request)][:5]
    assert [request.resource for request in fence] == [
        "httproutes",
        "services",
        "deployments",
        "deployments",
        "modeldeployments/status",
    ]
    # and what it found was marked with that term
    annotations = pair.stage.deployment("green").metadata.annotations
    assert annotations["viridian.dev/epoch"] == status["epoch"]


def test_a_leader_that_is_told_to_end_gives_the_lease_back_and_the_other_follows(pair: Pair) -> None:
    # given a rollout
    in_the_middle(pair)

    # when its leader ends, as in an update of the operator
    pair.first.stop()

    # then its last word is that the lease is free, after which it has written nothing
    [*_, last] = [request for request in pair.of_first.requests if request.method != "GET"]
    assert (last.resource, json.loads(last.body)["spec"]["holderIdentity"], last.status) == ("leases", "", 200)
    # and the other finishes the rollout
    pair.leads(pair.second)
    goes_on(pair)


def test_a_leader_that_was_frozen_changes_nothing_when_it_thaws(pair: Pair) -> None:
    # given a leader that stands still in the middle of a rollout, until the other has gone on
    in_the_middle(pair)
    pair.first.freeze()
    pair.leads(pair.second)
    pair.stage.apply("v2.0.0", rollout=AT_SECOND_STEP)
    eventually(lambda: pair.stage.weights["iris-green"] == 50, "the other to take the next step", LIMIT)

    # when it thaws
    sent = len(pair.of_first.requests)
    pair.first.thaw()

    # then it looks at the Lease, and follows
    eventually(
        lambda: any(looks_at_lease(request) for request in pair.of_first.requests[sent:]), "it to look at the Lease"
    )
    goes_on(pair)
    assert pair.holder == "second"
    late = [request for request in pair.of_first.requests if request.number > sent and is_write(request)]
    assert [str(request) for request in late if landed(request)] == []
    assert health(pair.first)["leads"] is False

    # and is there when it is needed
    pair.second.stop()
    pair.leads(pair.first)
    pair.stage.apply("v3.0.0")
    pair.stage.reaches("Stable", "v3.0.0", within=LIMIT)


LATE: dict[str, Callable[[Request], bool]] = {
    "the route is made": lambda request: (request.method, request.resource) == ("PATCH", "httproutes"),
    "the route moves": lambda request: (
        (request.method, request.resource) == ("PATCH", "httproutes") and b"/weight" in request.body
    ),
    "a Deployment is made": lambda request: (
        (request.method, request.name) == ("POST", "iris-green") and request.resource == "deployments"
    ),
    "NAME is switched": lambda request: (request.method, request.resource, request.name) == ("PUT", "services", "iris"),
    "the status follows": lambda request: (
        (request.method, request.resource) == ("PUT", "modeldeployments/status")
        and json.loads(request.body)["status"].get("phase") == "Finishing"
        and b"v2.0.0" in request.body
    ),
}
"""A write that is under way when the leader freezes."""


@pytest.mark.parametrize("what", LATE)
def test_a_write_that_was_under_way_when_its_leader_froze_is_refused(pair: Pair, what: str) -> None:
    # given a leader that freezes while one of its writes is on the way
    released = threading.Event()
    held: list[Request] = []

    def rule(request: Request) -> Fault | None:
        if held or not LATE[what](request):
            return None
        held.append(request)
        return Hold(until=released, act=pair.first.freeze)

    if what == "the route is made":
        pair.of_first.rule = rule
        pair.stage.apply("v1.0.0")
    else:
        pair.stage.apply("v1.0.0")
        pair.stage.reaches("Stable", "v1.0.0", within=LIMIT)
        pair.of_first.rule = rule
        pair.stage.apply("v2.0.0")
    eventually(lambda: held, f"the moment at which {what}", LIMIT)

    # when the write arrives after another leader has finished the rollout
    pair.leads(pair.second)
    wanted = "v1.0.0" if what == "the route is made" else "v2.0.0"
    pair.stage.reaches("Stable", wanted, within=LIMIT)
    released.set()

    # then it is refused: the test of the route fails, or what was read is not there any more
    eventually(lambda: held[0].status is not None, "the late write to be answered")
    assert held[0].status in {409, 422}, str(held[0])
    # and nothing that its sender does afterwards lands either
    sent = len(pair.of_first.requests)
    pair.first.thaw()
    eventually(
        lambda: any(looks_at_lease(request) for request in pair.of_first.requests[sent:]), "it to look at the Lease"
    )
    assert [str(request) for request in pair.of_first.requests[sent:] if landed(request)] == []
    assert pair.stage.status["stable"]["version"] == wanted


@pytest.mark.parametrize("both", [True, False], ids=["for both", "for the leader"])
def test_an_api_that_is_away_for_longer_than_the_lease_costs_a_term_and_no_restart(pair: Pair, both: bool) -> None:
    # given a rollout whose leader loses the API
    in_the_middle(pair)
    cut = [pair.of_first, pair.of_second] if both else [pair.of_first]
    before = pair.stage.model["status"]["epoch"]
    for proxy in cut:
        proxy.go_down()

    # when that lasts until it may not lead any more
    eventually(lambda: "no longer leads" in pair.log_of_first, "the leader to step down", LIMIT)
    if not both:
        pair.leads(pair.second)
    for proxy in cut:
        proxy.come_up()

    # then one of them finishes the rollout in another term, and both still run
    status = goes_on(pair)
    assert status["epoch"] != before
    operators = (pair.first, pair.second)
    eventually(lambda: [health(operator)["leads"] for operator in operators].count(True) == 1, "one of them to lead")
    assert (pair.first.runs, pair.second.runs) == (1, 1)
