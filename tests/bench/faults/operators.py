"""The operator killed in each phase of a rollout, during its checks and its shadow step, in two ways."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.e2e.harness.cluster import Cluster
from tests.waiting import eventually

from . import node
from .scene import BETTER, FAILING, STABLE, Fault, Scene

_PHASES = ("Starting", "Progressing", "Baking", "Finishing", "RollingBack")
_CHECKED = {"checks": {"load": {"requests": 200, "rate": 10, "p99": "5s", "maxErrors": "5%"}}}
_SHADOWED = {"steps": [{"shadow": "50%", "hold": "15s", "minRequests": 100}, {"weight": 50, "hold": "5s"}]}
Kill = Callable[[Cluster], None]
Look = Callable[[Scene], bool]


def faults() -> Iterator[Fault]:
    """All of them."""
    ways: dict[str, Kill] = {"pod deleted": _delete_leader, "process killed": _kill_leader}
    for way, kill in ways.items():
        for phase in _PHASES:
            yield _fault(f"operator's {way} in {phase}", phase, kill)
        yield _before_users(f"operator's {way} in a check", _CHECKED, _check_runs, kill)
        yield _before_users(f"operator's {way} in a shadow step", _SHADOWED, _copies_flow, kill)
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


def _before_users(name: str, changes: dict[str, Any], reached: Look, kill: Kill) -> Fault:
    """While a candidate is judged that no user has met; the other way to the same end would be to judge it twice."""

    def play(scene: Scene) -> None:
        scene.roll_out(BETTER, **changes)
        eventually(lambda: reached(scene), name, within=120)
        kill(scene.stage.cluster)
        scene.stage.reaches("Stable", BETTER)
        jobs = [job["metadata"]["name"] for job in scene.stage.read("jobs")["items"]]
        if len(jobs) != len(scene.stage.status.get("checks", [])):
            scene.remarks.append(f"other Jobs than checks: {', '.join(jobs)}")

    return Fault(name, play, expected=f"Stable {BETTER}", spares_clients=True, alone=True)


def _check_runs(scene: Scene) -> bool:
    checks = scene.stage.status.get("checks", [])
    return bool(checks) and checks[-1]["name"] == "load" and checks[-1]["result"] == "Running"


def _copies_flow(scene: Scene) -> bool:
    step = scene.stage.status.get("step") or {}
    return "shadow" in step and "verifiedAt" in step


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
