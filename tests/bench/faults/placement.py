"""Nodes on which one version's pods may run, and which can be lost for that version alone.

Each version asks for nodes with its own label. Without the label its pods cannot be scheduled, as if the nodes
that could run them were gone, and neither other versions nor other models notice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually

from .scene import BETTER, SERVING, STABLE, Scene, Serving

_PLACED = (STABLE, BETTER)


@contextmanager
def placed(stage: Stage) -> Iterator[Serving]:
    """Every version on its own nodes, for as long as the context lasts."""
    for version in _PLACED:
        _label(stage, version, "=here")
    try:
        yield lambda version: {**SERVING, "podTemplate": {"nodeSelector": {_key(stage, version): "here"}}}
    finally:
        for version in _PLACED:
            _label(stage, version, "-")


def lose(scene: Scene, version: str) -> None:
    """All pods of a version vanish at once, and cannot come back."""
    _label(scene.stage, version, "-")
    pods = pods_of(scene, version)
    assert pods, f"{version} has no pods that could be lost"
    names = [pod["metadata"]["name"] for pod in pods]
    scene.kubectl("delete", "pods", *names, "--grace-period=0", "--force", "--wait=false")


def give_back(scene: Scene, version: str) -> None:
    """The version's pods can run again."""
    _label(scene.stage, version, "=here")


def pods_of(scene: Scene, version: str) -> list[dict[str, Any]]:
    """The pods that ask for the nodes of this version."""
    key = _key(scene.stage, version)
    pods = scene.stage.read("pods", f"--selector=viridian.dev/model={NAME}")["items"]
    return [pod for pod in pods if key in (pod["spec"].get("nodeSelector") or {})]


def await_endpoints(scene: Scene, color: str, within: float) -> None:
    """Wait until a color has a ready endpoint."""
    eventually(lambda: scene.stage.pods_behind(f"{NAME}-{color}"), f"a ready endpoint of {color}", within)


def nodes(cluster: Cluster) -> list[str]:
    """The names of all nodes."""
    return [node["metadata"]["name"] for node in cluster.read("nodes")["items"]]


def _key(stage: Stage, version: str) -> str:
    return f"faults.viridian.test/{stage.namespace}-{version}"


def _label(stage: Stage, version: str, value: str) -> None:
    stage.cluster.kubectl("label", "nodes", "--all", "--overwrite", f"{_key(stage, version)}{value}")
