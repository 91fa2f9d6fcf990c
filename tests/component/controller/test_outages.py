"""The API server in trouble: a rollout goes on where it was, by the same process, once that is over."""

import time
from pathlib import Path

import pytest
from tests.component.harness.api_proxy import Answer, ApiProxy, Fault, Hold, Reset, WatchError, every, is_watch
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.stage import Stage, stage_in
from tests.waiting import eventually

TROUBLE = 12.0
"""Seconds of each kind of trouble: more than a call is repeated for, and less than the Lease lasts."""
STEPS = {
    "steps": [{"weight": 20, "hold": "8s"}, {"weight": 50, "hold": "1s"}],
    "bake": {"duration": "2s", "holdback": 10},
    "deadline": "1h",
    "drainMax": "10s",
}
"""A rollout whose first step ends in the middle of the trouble."""
QUIET = 8.0
"""Seconds without a request that show a model at rest."""
pytestmark = pytest.mark.usefixtures("crd", "gateway_api")


def suffer(proxy: ApiProxy, fault: Fault) -> None:
    """All requests suffer for a while, and those that are under way break."""
    proxy.rule = every(lambda _: True, fault)
    proxy.go_down()
    proxy.come_up()
    time.sleep(TROUBLE)
    proxy.rule = lambda _: None


def end_of(stage: Stage, pid: int) -> None:
    """The rollout ends well, and the operator is still the same process."""
    stage.reaches("Stable", "v2.0.0")
    assert stage.operator.pid == pid
    assert stage.status["lastRevision"] == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Answer(status=503), id="503"),
        pytest.param(Answer(status=429, retry_after=1), id="429"),
        pytest.param(Answer(status=403), id="403"),
        pytest.param(Answer(status=500, forwarded=True), id="500 after all was done"),
        pytest.param(Reset(), id="reset"),
        pytest.param(Reset(forwarded=True), id="reset after all was done"),
        pytest.param(Hold(), id="hang"),
    ],
)
def test_a_rollout_outlives_trouble_of_every_kind(
    control_plane: ControlPlane, prometheus: Prometheus, namespace: str, logs: Path, fault: Fault
) -> None:
    # given a rollout under way
    with (
        ApiProxy(control_plane.url, control_plane.certificate) as proxy,
        stage_in(namespace, control_plane, prometheus, logs / namespace, proxy, forked=True) as stage,
    ):
        stage.apply("v1.0.0")
        stage.reaches("Stable", "v1.0.0")
        stage.apply("v2.0.0", rollout=STEPS)
        stage.reaches("Progressing")
        pid = stage.operator.pid

        # when every request suffers
        suffer(proxy, fault)
        if isinstance(fault, Hold):
            fault.until.set()

        # then it goes on
        end_of(stage, pid)


@pytest.mark.parametrize("code", [410, 500, 429])
def test_an_error_in_the_watches_ends_neither_them_nor_the_operator(
    control_plane: ControlPlane, prometheus: Prometheus, namespace: str, logs: Path, code: int
) -> None:
    # given an operator whose watches all begin with an error
    with (
        ApiProxy(control_plane.url, control_plane.certificate) as proxy,
        stage_in(namespace, control_plane, prometheus, logs / namespace, proxy, forked=True) as stage,
    ):
        stage.apply("v1.0.0")
        stage.reaches("Stable", "v1.0.0")
        pid = stage.operator.pid
        proxy.rule = every(is_watch, WatchError(code=code))
        proxy.go_down()
        proxy.come_up()
        seen = len(proxy.requests)
        eventually(lambda: sum(map(is_watch, proxy.requests[seen:])) >= 4, "each watch to be tried again")

        # when they work again and a version is applied
        proxy.rule = lambda _: None
        stage.apply("v2.0.0")

        # then that is seen
        end_of(stage, pid)


def test_a_model_at_rest_costs_no_request(
    control_plane: ControlPlane, prometheus: Prometheus, namespace: str, logs: Path
) -> None:
    # given a model at rest, and a sweep that comes once a day
    with (
        ApiProxy(control_plane.url, control_plane.certificate) as proxy,
        stage_in(namespace, control_plane, prometheus, logs / namespace, proxy, forked=True) as stage,
    ):
        stage.operator.kill()
        stage.operator.environment["VIRIDIAN_SWEEP_PERIOD"] = "24h"
        stage.operator.start()
        stage.apply("v1.0.0")
        stage.reaches("Stable", "v1.0.0")

        def asked(since: int) -> list[str]:
            return [
                str(request)
                for request in proxy.requests[since:]
                if not request.is_watch and not request.resource.startswith("leases")
            ]

        def rests() -> bool:
            seen = len(proxy.requests)
            time.sleep(QUIET)
            return not asked(seen)

        # then nothing is asked for but the Lease, once what was last written has been looked at
        eventually(rests, f"{QUIET:g} quiet seconds")

        # and when it is edited in a way that changes nothing, that is one look, and quiet again
        seen = len(proxy.requests)
        stage.annotate(note="of a user")
        eventually(rests, f"{QUIET:g} quiet seconds")
        assert len(asked(seen)) <= 2
