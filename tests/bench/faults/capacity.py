"""Less room than a rollout needs, or more load than it began with."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import ceil

from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually

from .placement import nodes
from .scene import BETTER, SERVING, Fault, Scene, Serving

_FEWEST, _MOST, _GROWN = 2, 4, 4
"""Pods of an autoscaled color: at least, at most, and after stable has grown."""
_SAID_SECONDS = 60.0
_RETRY_SECONDS = 180.0
"""The longest that a ReplicaSet waits, after a minute of refusals, before it tries again."""
_LONG_STEP = {"steps": [{"weight": 10, "hold": "15s"}, {"weight": 50, "hold": "3s"}], "bake": {"duration": "5s"}}
_BAKE_WEIGHT = 95
_QUOTA = "as-many-as-there-are"
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def faults() -> Iterator[Fault]:
    """All of them."""
    yield Fault("quota too small for the candidate", _quota, f"Stable {BETTER}", spares_clients=True)
    yield Fault(
        "autoscaled stable grows in mid-rollout",
        _growing,
        f"Stable {BETTER}",
        spares_clients=True,
        around=_autoscaled,
    )
    yield Fault("node drained in mid-rollout", _drained, f"Stable {BETTER}", spares_clients=True, alone=True, nodes=2)


def _autoscaled(_: Stage) -> AbstractContextManager[Serving]:
    return nullcontext(lambda _: {"autoscaling": {"minReplicas": _FEWEST, "maxReplicas": _MOST, "cpuPercent": 80}})


def _quota(scene: Scene) -> None:
    """The status names the quota within a minute, stable serves on, and the rollout goes on when there is room."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": _QUOTA},
        "spec": {"hard": {"pods": str(SERVING["replicas"])}},
    }
    here = f"--namespace={scene.stage.namespace}"
    scene.stage.cluster.kubectl("apply", here, "--filename=-", stdin=json.dumps(quota))
    try:
        eventually(
            lambda: scene.child("resourcequota", name=_QUOTA).get("status", {}).get("used"), "the quota to count"
        )
        scene.roll_out(BETTER, **_LONG_STEP)
        scene.note_unless(lambda: _names_the_quota(scene), "word in the status of the quota", _SAID_SECONDS)
        scene.note_blame()
    finally:
        scene.kubectl("delete", "resourcequota", _QUOTA)
    scene.await_step(10, verified=True, within=_RETRY_SECONDS)
    scene.stage.reaches("Stable", BETTER)


def _names_the_quota(scene: Scene) -> bool:
    return any("quota" in one.get("message", "") for one in scene.stage.status.get("conditions", []))


def _growing(scene: Scene) -> None:
    """The candidate grows with stable before its weight does, and nobody writes over the autoscaler's count."""
    scene.roll_out(BETTER, **_LONG_STEP)
    scene.await_step(10, verified=True)
    # As an autoscaler does it; a cluster without a metrics server has none that would.
    scene.kubectl("scale", "deployment", f"{NAME}-blue", f"--replicas={_GROWN}")
    eventually(lambda: _ready(scene, "blue") == _GROWN, "stable to grow", 60)
    scene.await_step(_BAKE_WEIGHT, verified=True)
    needed = ceil(_GROWN * _BAKE_WEIGHT / 100)
    if _ready(scene, "green") < needed:
        scene.remarks.append(f"{_ready(scene, 'green')} ready pods at {_BAKE_WEIGHT} %, {needed} are needed")
    if _ready(scene, "blue") != _GROWN:
        scene.remarks.append(f"stable has {_ready(scene, 'blue')} pods instead of the autoscaler's {_GROWN}")
    scene.stage.reaches("Stable", BETTER)


def _ready(scene: Scene, color: str) -> int:
    return int(scene.child("deployment", f"-{color}").get("status", {}).get("readyReplicas", 0))


def _drained(scene: Scene) -> None:
    """Pods move to the other node one after the other, and no client notices."""
    scene.roll_out(BETTER, **_LONG_STEP)
    scene.await_step(10, verified=True)
    with _cordoned(scene) as node:
        pods = scene.stage.read("pods", f"--field-selector=spec.nodeName={node}")["items"]
        if not pods:
            scene.remarks.append(f"none of the model's pods was on {node}, so nothing was tried")
        scene.stage.cluster.kubectl(
            *("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=100s")
        )
        scene.stage.reaches("Stable", BETTER)
    scene.note_blame()


@contextmanager
def _cordoned(scene: Scene) -> Iterator[str]:
    """A node other than the one that the gateway runs on, without new pods for as long as the context lasts."""
    cluster = scene.stage.cluster
    first = {node["metadata"]["name"] for node in cluster.read("nodes", f"--selector={_CONTROL_PLANE}")["items"]}
    node = next(name for name in nodes(cluster) if name not in first)
    cluster.kubectl("cordon", node)
    try:
        yield node
    finally:
        cluster.kubectl("uncordon", node)
