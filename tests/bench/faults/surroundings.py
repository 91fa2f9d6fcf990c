"""What Viridian depends on, away in mid-rollout: Prometheus, the gateway's controller, the API server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.harness.cluster import Cluster, KubectlError
from tests.e2e.harness.stage import GATEWAY
from tests.waiting import eventually

from . import node
from .scene import BETTER, FAILING, STABLE, Fault, Scene

_AWAY = 20.0
"""Seconds, several times a step's hold, and several scrapes."""
_STILL_FRESH = 10.0
"""Seconds after which the last counters are surely too old to go forward on, at a scrape interval of two."""
_START_SECONDS = 120.0


def faults() -> Iterator[Fault]:
    """All of them."""
    yield Fault("Prometheus stopped", _prometheus, f"Stable {BETTER}", spares_clients=True, alone=True)
    yield Fault("Contour stopped while a weight moves", _contour, f"Stable {BETTER}", spares_clients=True, alone=True)
    yield Fault("kube-apiserver killed", _api_server, f"Stable {BETTER}", spares_clients=True, alone=True)
    yield Fault(
        "Contour stopped before a rollback",
        _contour_before_a_rollback,
        f"RolledBack {STABLE}",
        # The gateway goes on sending to pods that are gone when drainMax is over, and nobody can tell it.
        spares_clients=False,
        alone=True,
        candidate=FAILING,
    )


def _prometheus(scene: Scene) -> None:
    scene.roll_out(BETTER)
    scene.await_step(10, verified=True)
    with _stopped(scene.stage.cluster, "monitoring", "prometheus"):
        time.sleep(_STILL_FRESH)
        _hold_still(scene, "without metrics")
    scene.stage.reaches("Stable", BETTER)


def _contour(scene: Scene) -> None:
    scene.roll_out(BETTER)
    scene.await_step(10, verified=True)
    with _stopped(scene.stage.cluster, GATEWAY["namespace"], "contour"):
        scene.await_step(50, verified=False)
        _hold_still(scene, "though the gateway did not follow", verified=False)
        message = scene.stage.condition("Reconciling").get("message", "")
        if "gateway's controller" not in message:
            scene.remarks.append(f"the status does not say that the gateway stays behind: {message}")
    scene.stage.reaches("Stable", BETTER)


def _api_server(scene: Scene) -> None:
    scene.roll_out(BETTER)
    scene.await_step(10, verified=True)
    node.kill_program("kube-apiserver")
    eventually(lambda: _answers(scene.stage.cluster), "the API server to answer again", _START_SECONDS)
    scene.stage.reaches("Stable", BETTER)


def _answers(cluster: Cluster) -> bool:
    try:
        return bool(cluster.kubectl("get", "--raw=/readyz"))
    except KubectlError as error:
        raise AssertionError(str(error)) from error


def _contour_before_a_rollback(scene: Scene) -> None:
    scene.roll_out(FAILING, drainMax="10s")
    scene.await_step(10, verified=False)
    eventually(lambda: scene.clients.by(FAILING), f"the first answer of {FAILING}")
    with _stopped(scene.stage.cluster, GATEWAY["namespace"], "contour"):
        scene.await_phase("RollingBack")
        scene.stage.reaches("RolledBack", STABLE)
    eventually(lambda: scene.settled("RolledBack"), "the rollback to be over")


def _hold_still(scene: Scene, why: str, *, verified: bool = True) -> None:
    """Hold that for a while nothing goes forward."""
    before = _state(scene)
    end = time.monotonic() + _AWAY
    while time.monotonic() < end:
        now = _state(scene)
        if now[:2] != before[:2] or (not verified and now[2]):
            scene.remarks.append(f"went on {why}: from {before} to {now}")
            return
        time.sleep(0.5)


def _state(scene: Scene) -> tuple[int, int, bool]:
    """Number and weight of the step, and whether it is verified."""
    step = scene.stage.status.get("step") or {}
    return step.get("index", 0), step.get("weight", 0), "verifiedAt" in step


@contextmanager
def _stopped(cluster: Cluster, namespace: str, deployment: str) -> Iterator[None]:
    """A Deployment without pods for as long as the context lasts."""
    here = (f"deployment/{deployment}", f"--namespace={namespace}")
    selector = f"--selector=app={deployment}"
    cluster.kubectl("scale", *here, "--replicas=0")
    try:
        cluster.kubectl("delete", "pods", selector, here[1], "--grace-period=1", "--timeout=30s")
        yield
    finally:
        cluster.kubectl("scale", *here, "--replicas=1")
        cluster.kubectl("rollout", "status", *here, f"--timeout={_START_SECONDS:.0f}s")
