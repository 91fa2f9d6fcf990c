"""Read pods: are they ready, did they die, why can they not start."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from viridian.api.names import LABEL_MODEL, LABEL_REVISION
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import POD
from viridian.rollout.observed import FetchFailure, Pod
from viridian.workloads.pod import FETCH_CONTAINER, SERVING_CONTAINERS
from viridian_shared.pod.exit_codes import ENDED_UNDER_REQUEST, FETCH_NO_ROOM, FETCH_REFUSED

from .pod_events import find_events, trouble_in
from .spec_fields import field_of_image, field_of_variables, mounted_image

_OVER = frozenset({"Failed", "Succeeded"})
"""Phases of what is a pod no more: it was evicted, shut down with its node or rejected, and never runs again."""

_CANNOT_START = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)

PAST_GRACE = timedelta(minutes=1)
"""How long after its grace period a pod that is deleted may still be there, before somebody has to look after it."""

MAKING, PULLING = timedelta(minutes=1), timedelta(minutes=10)
"""How long a pod may wait for its volumes and its network, and then for its image, which may be large."""
_PULLS = frozenset({"ErrImagePull", "ImagePullBackOff"})
_BEING_MADE = frozenset({"ContainerCreating", "PodInitializing"})
_STAGES = frozenset({"PodScheduled", "PodReadyToStartContainers", "Initialized"})
"""Conditions that change when a pod gets further on its way to its first container."""
_SAYS_NOTHING = frozenset({"Ready", "ContainersReady", "Initialized"})
"""Conditions whose messages only list the containers that are not ready."""

_DISRUPTIONS = frozenset({"Evicted", "NodeLost", "NodeShutdown", "Preempting", "Shutdown", "Terminated"})
"""How the kubelet and the controllers call it when they end a pod for the cluster's sake."""

_FETCH_FAILURES = {FETCH_REFUSED: FetchFailure.CREDENTIALS, FETCH_NO_ROOM: FetchFailure.NO_ROOM}

_LOST = frozenset({"Unknown", "ContainerStatusUnknown"})
"""How the kubelet calls the end of a container that it did not see, because the node went down meanwhile."""


async def find_pods(client: KubeClient, key: tuple[str, str], now: datetime) -> list[Pod]:
    """All pods of a model, by its namespace and name; `now` is the time, with a zone."""
    namespace, name = key
    return [read_pod(manifest, now) for manifest in await client.find(POD, namespace, {LABEL_MODEL: name})]


async def read_pods(client: KubeClient, manifests: Iterable[Manifest], now: datetime) -> tuple[Pod, ...]:
    """What matters of the pods of one color that run, or may run yet; `now` is the time, with a zone.

    Of those that do not start and do not say why, one is looked up in its Events: mostly all wait for the same.
    """
    live = [manifest for manifest in manifests if not is_over(manifest)]
    pods = [read_pod(manifest, now) for manifest in live]
    index = next((index for index, manifest in enumerate(live) if _needs_events(manifest, now)), None)
    if index is not None:
        told = trouble_in(await find_events(client, live[index]), live[index])
        pods[index] = replace(pods[index], trouble=told or pods[index].trouble)
    return tuple(pods)


def is_over(manifest: dict[str, Any]) -> bool:
    """Whether a pod has ended for good; nobody deletes such an object, so nothing may wait until it is gone."""
    return (manifest.get("status") or {}).get("phase") in _OVER


def read_pod(manifest: dict[str, Any], now: datetime) -> Pod:
    """What matters of a pod; `now` is the time, with a zone."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    ready, deleting = _holds(status, "Ready"), "deletionTimestamp" in metadata
    deaths = [] if _is_disrupted(status) else _deaths(status)
    return Pod(
        uid=metadata["uid"],
        revision=(metadata.get("labels") or {}).get(LABEL_REVISION, ""),
        ready=ready,
        deleting=deleting,
        # What ends a pod's containers together, as a probe that all of them miss, is one death.
        deaths=max((death.count for death in deaths), default=0),
        death=deaths[0].words if deaths else "",
        died_at=max((death.at for death in deaths if death.at is not None), default=None),
        trouble="" if ready or deleting else _trouble(manifest, now),
        name=metadata.get("name", ""),
        node=(manifest.get("spec") or {}).get("nodeName", ""),
        stuck=_stuck(manifest, now),
        fetch_failure=None if ready or deleting else _fetch_failure(status),
    )


def _stuck(manifest: dict[str, Any], now: datetime) -> str:
    """Why a pod that should have been gone is still there, and what to do; empty while it may take its time."""
    metadata = manifest["metadata"]
    end = _moment(metadata.get("deletionTimestamp"))  # the moment of the deletion and the grace period together
    if end is None or now - end < PAST_GRACE:
        return ""
    name, finalizers = metadata["name"], metadata.get("finalizers") or []
    where = f"pod {name} on node {(manifest.get('spec') or {}).get('nodeName', '(none)')}"
    if finalizers:
        why = f"the finalizers {', '.join(finalizers)} keep it"
        way = f"let their controllers remove them, or remove them from metadata.finalizers: kubectl edit pod {name}"
    else:
        why = "its node does not confirm that it has stopped"
        way = f"bring the node back; if it is gone for good: kubectl delete pod {name} --force"
    return f"{where} should have been gone since {metadata['deletionTimestamp']}, but {why}; {way}"


def _holds(status: dict[str, Any], kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in status.get("conditions") or [])


def _is_disrupted(status: dict[str, Any]) -> bool:
    """Whether the cluster ends the pod: a drain, a preemption, a taint, a node that shuts down or is lost."""
    return status.get("reason") in _DISRUPTIONS or _holds(status, "DisruptionTarget")


@dataclass(frozen=True)
class _Death:
    """How often a container ended with an error, how it did last, and when."""

    count: int
    words: str
    at: datetime | None


def _deaths(status: dict[str, Any]) -> list[_Death]:
    """The deaths of our own containers; what others inject into our pods says nothing about a model."""
    sandbox = _changed_at(status, "PodReadyToStartContainers")
    ours = (one for one in status.get("containerStatuses") or [] if one["name"] in SERVING_CONTAINERS)
    return [death for container in ours if (death := _death(container, sandbox)) is not None]


def _death(container: dict[str, Any], sandbox: datetime | None) -> _Death | None:
    now = (container.get("state") or {}).get("terminated")
    before = (container.get("lastState") or {}).get("terminated")
    failed_now, failed_before = _failed(now, sandbox), _failed(before, sandbox)
    count = (container.get("restartCount", 0) if failed_before else 0) + failed_now
    if not count:
        return None
    last = (now if failed_now else before) or {}
    message = str(last.get("message", "")).strip() or f"{last.get('reason', 'Error')}, exit code {last.get('exitCode')}"
    return _Death(count, f"container {container['name']}: {message[:1024]}", _moment(last.get("finishedAt")))


def _failed(ended: dict[str, Any] | None, sandbox: datetime | None) -> bool:
    """Whether a container ended with its own error; the node's, as when it reboots, or a request's is none.

    Args:
        ended: how it ended.
        sandbox: since when the pod has the sandbox that it has now. A crash leaves the sandbox as it is; what ended
            before it was made went down with the one before, and with the node.
    """
    if ended is None or ended.get("exitCode", 0) in {0, ENDED_UNDER_REQUEST} or ended.get("reason") in _LOST:
        return False
    at = _moment(ended.get("finishedAt"))
    return at is None or sandbox is None or at >= sandbox


def _changed_at(status: dict[str, Any], kind: str) -> datetime | None:
    """Since when a condition holds; None when it does not."""
    conditions = (c for c in status.get("conditions") or [] if c["type"] == kind and c["status"] == "True")
    return next((_moment(condition.get("lastTransitionTime")) for condition in conditions), None)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _trouble(manifest: dict[str, Any], now: datetime) -> str:
    """Why a pod that is not ready cannot start; empty while it may only need its time."""
    status = manifest.get("status") or {}
    if (ended := _failed_fetch(status)) is not None:
        return _words_of_fetch(ended)
    first, then = status.get("initContainerStatuses") or [], status.get("containerStatuses") or []
    for container in [*first, *then]:
        if failure := _waits(container, manifest):
            return failure
    return _unscheduled(status) or _unmade(manifest, [*first, *then], now)


def _unscheduled(status: dict[str, Any]) -> str:
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message, reason = str(condition.get("message", ""))[:1024], condition.get("reason", "Unschedulable")
            if reason != "Unschedulable":
                return f"it is not scheduled ({reason}): {message}"
            # A claim that does not exist, or is bound to another node, is the scheduler's business too.
            return (
                f"spec.model.uri: {message}" if "persistentvolumeclaim" in message else f"no node has room: {message}"
            )
    return ""


def _needs_events(manifest: dict[str, Any], now: datetime) -> bool:
    """Whether only its Events can say why a pod does not start: it has had a node for long, and nothing is made of it.

    They also say which Secret for its registry does not exist.
    """
    status = manifest.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    if "deletionTimestamp" in manifest["metadata"] or _holds(status, "Ready"):
        return False
    reasons = {((container.get("state") or {}).get("waiting") or {}).get("reason") for container in containers}
    if reasons & _PULLS:
        last = _last_stage(status)
        secrets = (manifest.get("spec") or {}).get("imagePullSecrets")
        return bool(secrets) and last is not None and now - last >= MAKING
    return bool(_unmade(manifest, containers, now))


def _last_stage(status: dict[str, Any]) -> datetime | None:
    """When a pod last got further on its way to its first container."""
    conditions = [c for c in status.get("conditions") or [] if c["type"] in _STAGES]
    return max((at for c in conditions if (at := _moment(c.get("lastTransitionTime"))) is not None), default=None)


def _unmade(manifest: dict[str, Any], containers: list[dict[str, Any]], now: datetime) -> str:
    """What holds up a pod that has a node, but of which no container has been made for long."""
    name, status = manifest["metadata"].get("name", ""), manifest.get("status") or {}
    last = _last_stage(status)
    states = [container.get("state") or {} for container in containers]
    waits = not states or any((state.get("waiting") or {}).get("reason") in _BEING_MADE for state in states)
    if last is None or not waits or not _holds(status, "PodScheduled") or any("running" in state for state in states):
        return ""
    pulls = _holds(status, "PodReadyToStartContainers")
    if now - last < (PULLING if pulls else MAKING):
        return ""
    why = "its node has not started it yet"
    if states:
        why = "its image is still being pulled" if pulls else "its containers wait for volumes, Secrets or the network"
    words = "".join(
        f"; {c['type']}: {str(c['message']).strip()[:512]}"
        for c in status.get("conditions") or []
        if c["status"] == "False" and c.get("message") and c["type"] not in _SAYS_NOTHING
    )
    minutes = (PULLING if pulls else MAKING) // timedelta(minutes=1)
    where = f"pod {name} on node {(manifest.get('spec') or {}).get('nodeName', '(none)')}"
    return (
        f"{where} does not start, for {minutes} min or more: {why}{words}; see its Events: kubectl describe pod {name}"
    )


def _waits(container: dict[str, Any], manifest: dict[str, Any]) -> str:
    """What keeps one container from being started, in the kubelet's words."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", "")).strip()[:1024]
    ours = container["name"] in {*SERVING_CONTAINERS, FETCH_CONTAINER}
    if reason in _CANNOT_START:
        field = ""
        if ours:
            variables = field_of_variables(container["name"], message, manifest)
            field = field_of_image(message, manifest) if "Image" in reason else variables
        field = field or f"container {container['name']}"
        image = mounted_image(message, manifest) or container.get("image", "?")
        return f"{field}: {reason} for {image}: {message}"
    ended = (container.get("lastState") or {}).get("terminated") or {}
    if reason == "CrashLoopBackOff" and ended.get("exitCode") == 0 and container["name"] in SERVING_CONTAINERS:
        # No death, as there was no error; but a server that ends never gets ready either.
        return (
            f"container {container['name']}: it keeps ending without an error"
            f" ({ended.get('reason', 'Completed')}, exit code 0), but should keep running; check its logs"
            f" (kubectl logs POD -c {container['name']} --previous)"
        )
    if reason == "CrashLoopBackOff" and not ours:
        return (
            f"container {container['name']}, which something has added to the pod, keeps failing: {message}"
            "; look at its logs"
        )
    return ""


def _failed_fetch(status: dict[str, Any]) -> dict[str, Any] | None:
    """How the model's fetch failed last; None when it did not.

    It is no death of the model: it never ran, and the next try may succeed.
    """
    for container in status.get("initContainerStatuses") or []:
        if container["name"] == FETCH_CONTAINER:
            now = (container.get("state") or {}).get("terminated")
            ended: dict[str, Any] | None = now or (container.get("lastState") or {}).get("terminated")
            if ended is not None and ended.get("exitCode", 0) != 0 and ended.get("reason") not in _LOST:
                return ended
    return None


def _fetch_failure(status: dict[str, Any]) -> FetchFailure | None:
    ended = _failed_fetch(status)
    return None if ended is None else _FETCH_FAILURES.get(ended["exitCode"], FetchFailure.OTHER)


def _words_of_fetch(ended: dict[str, Any]) -> str:
    message = str(ended.get("message", "")).strip() or f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}"
    return message[:1024] if message.startswith("spec.") else f"container {FETCH_CONTAINER}: {message[:1024]}"
