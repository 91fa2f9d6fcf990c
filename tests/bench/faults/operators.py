"""The operator killed in each phase of a rollout, in two ways."""

from collections.abc import Callable, Iterator

from tests.e2e.harness.cluster import Cluster
from tests.waiting import eventually

from . import node
from .scene import BETTER, FAILING, STABLE, Fault, Scene

_PHASES = ("Starting", "Progressing", "Baking", "Finishing", "RollingBack")
Kill = Callable[[Cluster], None]


def faults() -> Iterator[Fault]:
    """All of them."""
    ways: dict[str, Kill] = {"pod deleted": _delete_leader, "process killed": _kill_leader}
    for way, kill in ways.items():
        for phase in _PHASES:
            yield _fault(f"operator's {way} in {phase}", phase, kill)
    yield _fault("all operators' pods deleted in Progressing", "Progressing", _delete_all)


def _fault(name: str, phase: str, kill: Kill) -> Fault:
    fails = phase == "RollingBack"

    def play(scene: Scene) -> None:
        scene.roll_out(FAILING if fails else BETTER)
        scene.await_phase(phase)
        kill(scene.stage.cluster)
        scene.stage.reaches("RolledBack" if fails else "Stable", STABLE if fails else BETTER)

    return Fault(
        name,
        play,
        expected=f"RolledBack {STABLE}" if fails else f"Stable {BETTER}",
        spares_clients=True,
        alone=True,
        candidate=FAILING if fails else "",
    )


def _delete_leader(cluster: Cluster) -> None:
    _delete(cluster, [cluster.operator_pod()])


def _delete_all(cluster: Cluster) -> None:
    _delete(cluster, cluster.operator_pods())


def _delete(cluster: Cluster, pods: list[dict[str, object]]) -> None:
    metadata = [pod["metadata"] for pod in pods]
    names = [one["name"] for one in metadata]  # type: ignore[index]
    space = metadata[0]["namespace"]  # type: ignore[index]
    cluster.kubectl("delete", "pod", *names, f"--namespace={space}", "--grace-period=0", "--force", "--wait=false")


def _kill_leader(cluster: Cluster) -> None:
    pod = cluster.operator_pod()
    node.kill(pod, "operator")
    uid = pod["metadata"]["uid"]

    def restarted() -> bool:
        same = next((one for one in cluster.operator_pods() if one["metadata"]["uid"] == uid), None)
        return same is None or _restarts(same) > _restarts(pod)

    eventually(restarted, "the kubelet to start the operator again")


def _restarts(pod: dict[str, dict[str, list[dict[str, int]]]]) -> int:
    return sum(one["restartCount"] for one in pod["status"].get("containerStatuses", []))
