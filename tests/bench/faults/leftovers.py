"""Objects that stay behind: evicted pods, pods held by another's finalizer, the children of a deleted model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.harness.stage import NAME
from tests.waiting import eventually

from .scene import BETTER, FAILING, STABLE, Fault, Scene

_FINALIZER = "faults.viridian.test/held"
_STEP = {"steps": [{"weight": 10, "hold": "10s"}, {"weight": 50, "hold": "3s"}], "bake": {"duration": "3s"}}
_AT_ONCE = {"steps": [{"weight": 50, "hold": "1s"}], "bake": {"duration": "1s", "holdback": 10}}
_HAND_OVER_SECONDS = 3.0
"""In which the gateway hears of a pod that was evicted."""


def faults() -> Iterator[Fault]:
    """All of them."""
    yield Fault("evicted pods left behind by a rollout", _evicted_in_rollout, f"Stable {STABLE}", spares_clients=True)
    yield Fault(
        "evicted pod left behind by a rollback",
        _evicted_in_rollback,
        f"Stable {BETTER}",
        spares_clients=True,
        candidate=FAILING,
    )
    yield Fault(
        "pods held by a foreign finalizer in a rollback",
        _held_in_rollback,
        f"Stable {BETTER}",
        spares_clients=True,
        candidate=FAILING,
    )
    yield Fault("model deleted without its children, applied again", _orphaned, f"Stable {BETTER}", spares_clients=True)


def _evicted_in_rollout(scene: Scene) -> None:
    """Neither color may mistake the object of an evicted pod for a pod, nor wait for it to go."""
    scene.roll_out(BETTER, **_STEP)
    scene.await_step(10, verified=True)
    with scene.may_fail(_HAND_OVER_SECONDS):
        _evict(scene, "blue")
        _evict(scene, "green")
    scene.stage.reaches("Stable", BETTER)
    scene.note_blame()
    # The next rollout uses the color in which the first one's evicted pod is.
    scene.roll_out(STABLE, **_AT_ONCE)
    scene.stage.reaches("Stable", STABLE)


def _evicted_in_rollback(scene: Scene) -> None:
    scene.roll_out(FAILING, **_STEP)
    scene.await_step(10, verified=False)
    scene.await_phase("RollingBack")
    with scene.may_fail(_HAND_OVER_SECONDS):
        _evict(scene, "green")
    scene.stage.reaches("RolledBack", STABLE)
    scene.roll_out(BETTER, **_AT_ONCE)
    scene.stage.reaches("Stable", BETTER)


def _held_in_rollback(scene: Scene) -> None:
    """Pods that have ended hold up neither the rollback nor the next rollout, whoever keeps their objects."""
    scene.roll_out(FAILING, **_STEP)
    scene.await_step(10, verified=False)
    with _held(scene, "green"):
        scene.stage.reaches("RolledBack", STABLE)
        scene.roll_out(BETTER, **_AT_ONCE)
        scene.stage.reaches("Stable", BETTER)


def _orphaned(scene: Scene) -> None:
    """The children are taken up again with whatever they do, and the rollout comes to its end."""
    scene.roll_out(BETTER, **_STEP)
    scene.await_step(10, verified=True)
    scene.kubectl("delete", "modeldeployment", NAME, "--cascade=orphan", "--timeout=60s")
    scene.roll_out(BETTER, **_STEP)
    scene.stage.reaches("Stable", BETTER)


def _evict(scene: Scene, color: str) -> None:
    """End a pod as the kubelet does where a node runs out of memory or disk: it fails, and its object stays."""
    pod = _pods(scene, color)[0]["metadata"]["name"]
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    patch = json.dumps({"status": status})
    scene.kubectl("patch", "pod", pod, "--subresource=status", "--type=merge", f"--patch={patch}")


@contextmanager
def _held(scene: Scene, color: str) -> Iterator[None]:
    """The pods of a color with another's finalizer, for as long as the context lasts."""
    names = [pod["metadata"]["name"] for pod in _pods(scene, color)]
    for name in names:
        _set_finalizers(scene, name, [_FINALIZER])
    try:
        yield
    finally:
        for name in names:
            _set_finalizers(scene, name, [])


def _set_finalizers(scene: Scene, pod: str, finalizers: list[str]) -> None:
    patch = json.dumps({"metadata": {"finalizers": finalizers}})
    scene.kubectl("patch", "pod", pod, "--type=merge", f"--patch={patch}")


def _pods(scene: Scene, color: str) -> list[dict[str, Any]]:
    """The pods of a color that run; there is at least one."""

    def look() -> list[dict[str, Any]]:
        selector = f"--selector=viridian.dev/model={NAME},viridian.dev/color={color}"
        pods = scene.stage.read("pods", selector, "--field-selector=status.phase=Running")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    return eventually(look, f"a running pod of {color}")
