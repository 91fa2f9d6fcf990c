"""What a kubelet would do to pods, by a test's word."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.waiting import DEADLINE, eventually

from .repeated import Repeated
from .watched import Watched

# By the client's types every attribute of every object may be None; tests would check for nothing else.
Pod = Any
Core = Any

_CREATING = "ContainerCreating"
NODE = "component"
"""The one Node. Nothing runs on it; the EndpointSlice controller leaves out pods that are on no Node."""

_addresses = itertools.count(1)


def list_pods(core: Core, namespace: str, selector: str = "") -> list[Pod]:
    """The pods with these labels that are not being deleted."""
    pods = core.list_namespaced_pod(namespace, label_selector=selector).items
    return [pod for pod in pods if pod.metadata.deletion_timestamp is None]


def wait_for_pods(core: Core, namespace: str, selector: str, count: int, within: float = DEADLINE) -> list[Pod]:
    """Wait until there are exactly this many pods with these labels."""

    def look() -> list[Pod]:
        pods = list_pods(core, namespace, selector)
        assert len(pods) == count, f"there are {len(pods)}"
        return pods

    return eventually(look, f"{count} pods with {selector}", within) if count else _none_left(core, namespace, selector)


def make_ready(core: Core, pods: list[Pod], address: str = "") -> None:
    """The pods run and are ready: the EndpointSlice controller then publishes them.

    Args:
        core: the administrator's client.
        pods: the pods.
        address: one on loopback, where something answers; such a pod is not published.
    """
    for pod in pods:
        _set(core, pod, ready=True, address=address)


def make_unready(core: Core, pods: list[Pod]) -> None:
    """The pods run and are not ready."""
    for pod in pods:
        _set(core, pod, ready=False)


def crash(core: Core, pods: list[Pod], exit_code: int = 1, times: int = 1) -> None:
    """All containers of the pods have died with an error so many times, and wait to be started again."""
    for pod in pods:
        _set(core, pod, ready=False, crashes=times, exit_code=exit_code)


def cannot_pull(core: Core, pods: list[Pod]) -> None:
    """The pods wait for an image that cannot be pulled."""
    for pod in pods:
        _set(core, pod, ready=False, waiting="ImagePullBackOff")


def cannot_mount(core: Core, pods: list[Pod], message: str) -> None:
    """The pods have had a node for two minutes, which cannot mount their volumes, and says so in an Event."""
    now = datetime.now(UTC)
    for pod in pods:
        if not pod.spec.node_name:
            _bind(core, pod)
        came = (now - timedelta(minutes=2)).isoformat()
        waiting = {"restartCount": 0, "ready": False, "imageID": "", "state": {"waiting": {"reason": _CREATING}}}
        status = {
            "conditions": [
                {"type": kind, "status": value, "lastTransitionTime": came}
                for kind, value in (("PodScheduled", "True"), ("PodReadyToStartContainers", "False"))
            ],
            "containerStatuses": [{"name": each.name, "image": each.image, **waiting} for each in pod.spec.containers],
        }
        core.patch_namespaced_pod_status(pod.metadata.name, pod.metadata.namespace, {"status": status})
        about = {"kind": "Pod", "name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid}
        event = {
            "metadata": {"generateName": f"{pod.metadata.name}.", "namespace": pod.metadata.namespace},
            "involvedObject": {"apiVersion": "v1", **about},
            "reason": "FailedMount",
            "message": message,
            "type": "Warning",
            "source": {"component": "kubelet", "host": NODE},
            "firstTimestamp": now.isoformat(),
            "lastTimestamp": now.isoformat(),
            "count": 1,
        }
        core.create_namespaced_event(pod.metadata.namespace, event)


def end(core: Core, pod: Pod, exit_code: int, message: str) -> None:
    """The pod's only container has ended, and so has the pod; its last words are this message."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if not pod.spec.node_name:
        _bind(core, pod)
    terminated = {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "message": message}
    terminated |= {"startedAt": now, "finishedAt": now}
    container = pod.spec.containers[0]
    state = {"restartCount": 0, "ready": False, "imageID": "", "state": {"terminated": terminated}}
    status = {
        "phase": "Failed" if exit_code else "Succeeded",
        "startTime": now,
        "containerStatuses": [{"name": container.name, "image": container.image, **state}],
    }
    core.patch_namespaced_pod_status(pod.metadata.name, pod.metadata.namespace, {"status": status})


class ReadyKeeper(Repeated):
    """Makes every pod of a namespace ready as it appears, for as long as the `with` block lasts.

    Attributes:
        unready: Labels, with or without a value, of pods that are to be left as they are: `viridian.dev/color=green`.
    """

    def __init__(self, core: Core, namespace: str) -> None:
        self._core = core
        self._pods = Watched(core.list_namespaced_pod, namespace)
        self.unready: list[str] = []
        super().__init__("ready-keeper", 0.1, self._keep, self._pods)

    def _keep(self) -> None:
        make_ready(self._core, _pending(self._core, self._pods, self.unready))


class CheckKeeper(Repeated):
    """Lets every check of a namespace pass as its pod appears, for as long as the `with` block lasts."""

    def __init__(self, core: Core, namespace: str) -> None:
        self._core = core
        self._pods = Watched(core.list_namespaced_pod, namespace)
        super().__init__("check-keeper", 0.1, self._keep, self._pods)

    def _keep(self) -> None:
        for pod in _pending(self._core, self._pods):
            if "viridian.dev/check" in (pod.metadata.labels or {}):
                end(self._core, pod, 0, "as expected")


def _pending(core: Core, watched: Watched, but: Sequence[str] = ()) -> list[Pod]:
    """The pods that are new, but for those with one of these labels.

    Each is read again: a test may have changed it since the watch has told of it.
    """
    new = [
        pod["metadata"]
        for pod in watched.objects
        if pod["status"].get("phase") == "Pending" and not any(_has(label, pod) for label in but)
    ]
    pods = [core.read_namespaced_pod(each["name"], each["namespace"]) for each in new]
    return [pod for pod in pods if pod.status.phase == "Pending" and pod.metadata.deletion_timestamp is None]


def _has(label: str, pod: dict[str, Any]) -> bool:
    name, _, value = label.partition("=")
    labels = pod["metadata"].get("labels", {})
    return name in labels and value in ("", labels[name])


def _none_left(core: Core, namespace: str, selector: str) -> list[Pod]:
    eventually(lambda: not list_pods(core, namespace, selector), f"no pod with {selector} to be left")
    return []


def _bind(core: Core, pod: Pod) -> None:
    """Put the pod on the Node, as the scheduler would."""
    core.create_namespaced_pod_binding(
        pod.metadata.name,
        pod.metadata.namespace,
        {"metadata": {"name": pod.metadata.name}, "target": {"kind": "Node", "name": NODE}},
        # The answer is a Status, which the client would take for a Binding and find faulty.
        _preload_content=False,
    )


def _set(
    core: Core,
    pod: Pod,
    *,
    ready: bool,
    crashes: int = 0,
    exit_code: int = 0,
    waiting: str = "",
    address: str = "",
) -> None:
    # The test's copy may be old, and what is decided below depends on the pod as it is.
    pod = core.read_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    state: dict[str, Any] = {"running": {"startedAt": now}}
    if crashes or waiting:
        state = {"waiting": {"reason": waiting or "CrashLoopBackOff"}}
    died = {"terminated": {"exitCode": exit_code, "reason": "Error", "finishedAt": now}}
    # Its own address for each: the EndpointSlice controller takes no pod without, and none on loopback.
    address = pod.status.pod_ip or address or "10.{}.{}.{}".format(*(next(_addresses) + (100 << 16)).to_bytes(3, "big"))
    if not pod.spec.node_name:
        _bind(core, pod)
    core.patch_namespaced_pod_status(
        pod.metadata.name,
        pod.metadata.namespace,
        {
            "status": {
                "phase": "Pending" if waiting else "Running",
                "podIP": address,
                "podIPs": [{"ip": address}],
                "startTime": now,
                "conditions": [
                    {"type": kind, "status": "True" if ready else "False", "lastTransitionTime": now}
                    for kind in ("Ready", "ContainersReady")
                ],
                "containerStatuses": [
                    {
                        "name": container.name,
                        "image": container.image,
                        "imageID": "",
                        "ready": ready,
                        "started": ready,
                        "restartCount": crashes,
                        "state": state,
                        "lastState": died if crashes else {},
                    }
                    for container in pod.spec.containers
                ],
            }
        },
    )
