"""Read a pod: is it ready, did it die, why can it not start."""

from typing import Any

from viridian.api.names import LABEL_REVISION
from viridian.rollout.observed import Pod

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

_LOST = frozenset({"Unknown", "ContainerStatusUnknown"})
"""How the kubelet calls the end of a container that it did not see, because the node went down meanwhile."""


def is_over(manifest: dict[str, Any]) -> bool:
    """Whether a pod has ended for good; nobody deletes such an object, so nothing may wait until it is gone."""
    return (manifest.get("status") or {}).get("phase") in _OVER


def read_pod(manifest: dict[str, Any]) -> Pod:
    """What matters of a pod."""
    status = manifest.get("status") or {}
    containers = status.get("containerStatuses") or []
    deaths = [death for container in containers if (death := _death(container)) is not None]
    return Pod(
        uid=manifest["metadata"]["uid"],
        revision=(manifest["metadata"].get("labels") or {}).get(LABEL_REVISION, ""),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or []),
        deleting="deletionTimestamp" in manifest["metadata"],
        # What ends a pod's containers together, as a probe that all of them miss, is one death.
        deaths=max((count for count, _ in deaths), default=0),
        death=deaths[0][1] if deaths else "",
        trouble=_trouble(status),
    )


def _death(container: dict[str, Any]) -> tuple[int, str] | None:
    """How often a container ended with an error, and how it did last."""
    now = (container.get("state") or {}).get("terminated")
    before = (container.get("lastState") or {}).get("terminated")
    failed_now, failed_before = _failed(now), _failed(before)
    count = (container.get("restartCount", 0) if failed_before else 0) + failed_now
    if not count:
        return None
    last = (now if failed_now else before) or {}
    message = str(last.get("message", "")).strip() or f"{last.get('reason', 'Error')}, exit code {last.get('exitCode')}"
    return count, f"container {container['name']}: {message[:1024]}"


def _failed(ended: dict[str, Any] | None) -> bool:
    """Whether a container ended with an error of its own; the node's, as when it reboots, is none."""
    return ended is not None and ended.get("exitCode", 0) != 0 and ended.get("reason") not in _LOST


def _trouble(status: dict[str, Any]) -> str:
    for container in status.get("initContainerStatuses") or []:
        if failure := _failed_fetch(container):
            return failure
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _CANNOT_START:
            message = str(waiting.get("message", "")).strip()
            field = "spec.serving.image" if "Image" in waiting["reason"] else f"container {container['name']}"
            return f"{field}: {waiting['reason']} for {container.get('image', '?')}: {message[:1024]}"
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = str(condition.get("message", ""))[:1024]
            # A claim that does not exist, or is bound to another node, is the scheduler's business too.
            return (
                f"spec.model.uri: {message}" if "persistentvolumeclaim" in message else f"no node has room: {message}"
            )
    return ""


def _failed_fetch(container: dict[str, Any]) -> str:
    """Why the model could not be fetched. It is no death of the model: it never ran, and the next try may succeed."""
    state, before = container.get("state") or {}, container.get("lastState") or {}
    now = state.get("terminated")
    ended = now if now is not None else before.get("terminated")
    if ended is None or ended.get("exitCode", 0) == 0:
        return ""
    message = str(ended.get("message", "")).strip() or f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}"
    return message[:1024] if message.startswith("spec.") else f"container {container['name']}: {message[:1024]}"
