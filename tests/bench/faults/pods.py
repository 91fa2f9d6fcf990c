"""A serving pod of a model at rest comes to an end, gently or not."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.e2e.harness.stage import NAME

from . import node
from .scene import SERVING, STABLE, Fault, Scene

_STUB = "triton_python_backend_stub"


def faults() -> Iterator[Fault]:
    """All of them."""
    yield _fault("serving pod deleted", _delete, spares_clients=True)
    for name, container, program in (
        ("API", "api", ""),
        ("tritonserver", "triton", "bin/tritonserver"),
        ("the model's process", "triton", _STUB),
    ):
        yield _fault(f"SIGKILL of {name}", _kill(container, program), spares_clients=False)


def _fault(name: str, end: Callable[[Scene, dict[str, Any]], None], *, spares_clients: bool) -> Fault:
    def play(scene: Scene) -> None:
        pods = _ready_pods(scene)
        end(scene, pods[0])
        scene.await_repair(lambda: _is_whole(scene, pods[0]), "the pod")

    return Fault(name, play, f"Stable {STABLE}", spares_clients=spares_clients)


def _delete(scene: Scene, pod: dict[str, Any]) -> None:
    scene.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")


def _kill(container: str, program: str) -> Callable[[Scene, dict[str, Any]], None]:
    def kill(_: Scene, pod: dict[str, Any]) -> None:
        node.kill(pod, container, program)

    return kill


def _is_whole(scene: Scene, hit: dict[str, Any]) -> bool:
    """Whether as many pods as wanted are ready, and the one that was hit is gone or was started again."""
    now = {pod["metadata"]["uid"]: pod for pod in _ready_pods(scene)}
    same = now.get(hit["metadata"]["uid"])
    return len(now) == SERVING["replicas"] and (same is None or _restarts(same) > _restarts(hit))


def _ready_pods(scene: Scene) -> list[dict[str, Any]]:
    pods = scene.stage.read("pods", f"--selector=viridian.dev/model={NAME}")["items"]
    return [
        pod
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    ]


def _restarts(pod: dict[str, Any]) -> int:
    return sum(one["restartCount"] for one in pod["status"].get("containerStatuses", []))
