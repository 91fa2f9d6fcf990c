"""Pods as the API server shows them."""

from typing import Any

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
CREATING, INITIALIZING = {"reason": "ContainerCreating"}, {"reason": "PodInitializing"}
STARTED = "2025-12-31T23:00:00Z"


def container(name: str = "api", restarts: int = 0, last: Any = None, **state: Any) -> dict[str, Any]:
    """One container's status; an exit code stands for a container that ended."""
    image = "registry.example.com/iris:1.0"
    return {
        "name": name,
        "image": image,
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": last} if last else {},
    }


def ended(code: int, reason: str = "Error", **more: str) -> dict[str, Any]:
    return {"exitCode": code, "reason": reason, **more}


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    metadata = {"name": "iris-green-1", "uid": "p1", "labels": {"viridian.dev/revision": "iris-2"}}
    return {"metadata": metadata, "status": {"containerStatuses": list(containers), **status}}


def condition(kind: str, value: str, message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": value, "message": message}]}


def stage(kind: str, value: str = "True", at: str = STARTED, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": value, "lastTransitionTime": at, "message": message}


def unmade(*conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A pod that has had a node for an hour, and these other conditions."""
    waiting = {"containerStatuses": [container("triton", waiting=CREATING), container("api", waiting=CREATING)]}
    scheduled = {"conditions": [stage("PodScheduled"), *conditions]}
    return pod() | {"status": {**waiting, **scheduled, **status}, "spec": {"nodeName": "n1"}}
