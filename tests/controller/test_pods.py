"""Reading pods."""

from typing import Any

import pytest

from viridian.controller.pods import is_over, read_pod
from viridian.rollout.observed import Pod

POD = Pod(uid="p1", revision="iris-2", ready=False, deleting=False)


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
    metadata = {"uid": "p1", "labels": {"viridian.dev/revision": "iris-2"}}
    return {"metadata": metadata, "status": {"containerStatuses": list(containers), **status}}


def fetching(**state: Any) -> dict[str, Any]:
    """A pod whose model is being fetched, while the other containers wait."""
    waiting = [container(name, waiting={"reason": "PodInitializing"}) for name in ("triton", "api")]
    return pod(*waiting, initContainerStatuses=[container("fetch", **state)])


def condition(kind: str, value: str, message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": value, "message": message}]}


WRONG = "spec.model.digest: https://models.example.com/iris has another digest"
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("containers", "deaths", "death"),
    [
        pytest.param([], 0, "", id="nothing started yet"),
        pytest.param([container(**RUNNING)], 0, "", id="running"),
        pytest.param([container(terminated=ended(0, "Completed"))], 0, "", id="ended well"),
        pytest.param([container(restarts=2, last=ended(0), **RUNNING)], 0, "", id="ended well and started again"),
        pytest.param(
            [container(terminated=ended(1))], 1, "container api: Error, exit code 1", id="dead, not started again yet"
        ),
        pytest.param(
            [container(restarts=1, last=ended(137, "OOMKilled"), **RUNNING)],
            1,
            "container api: OOMKilled, exit code 137",
            id="died once, runs again",
        ),
        pytest.param(
            [container(restarts=3, last=ended(1), waiting={"reason": "CrashLoopBackOff"})],
            3,
            "container api: Error, exit code 1",
            id="dies again and again",
        ),
        pytest.param(
            [container(restarts=2, last=ended(1), terminated=ended(1, message="no such model\n"))],
            3,
            "container api: no such model",
            id="dead for the third time, with its last words",
        ),
        pytest.param(
            [container("triton", 1, ended(139, "Segfault"), **RUNNING), container("api", 1, ended(1), **RUNNING)],
            1,
            "container triton: Segfault, exit code 139",
            id="both containers died of one thing",
        ),
        pytest.param(
            [container("triton", 2, ended(139), **RUNNING), container("api", 1, ended(1), **RUNNING)],
            2,
            "container triton: Error, exit code 139",
            id="one of them died twice",
        ),
        pytest.param(
            [container("triton", 1, ended(255, "Unknown"), **RUNNING), container("api", 1, ended(255, "Unknown"))],
            0,
            "",
            id="the node went down and came back",
        ),
        pytest.param(
            [container(terminated=ended(137, "ContainerStatusUnknown"))], 0, "", id="the node went down for good"
        ),
    ],
)
def test_deaths(containers: list[dict[str, Any]], deaths: int, death: str) -> None:
    read = read_pod(pod(*containers))
    assert (read.deaths, read.death, read.trouble) == (deaths, death, "")


def test_last_words_are_cut_to_what_a_status_can_hold() -> None:
    assert len(read_pod(pod(container(terminated=ended(1, message="x" * 9999)))).death) < 1100


@pytest.mark.parametrize(
    ("manifest", "trouble"),
    [
        (pod(container(waiting={"reason": "ContainerCreating"})), ""),
        (pod(container(waiting={"reason": "CrashLoopBackOff"})), ""),
        *(
            (
                pod(container(waiting={"reason": reason, "message": "not found "})),
                f"spec.serving.image: {reason} for registry.example.com/iris:1.0: not found",
            )
            for reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
        ),
        *(
            (
                pod(container(waiting={"reason": reason, "message": "no user"})),
                f"container api: {reason} for registry.example.com/iris:1.0: no user",
            )
            for reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
        ),
        (
            pod(**condition("PodScheduled", "False", "0/3 nodes are available")),
            "no node has room: 0/3 nodes are available",
        ),
        (pod(**condition("PodScheduled", "True")), ""),
        (
            pod(**condition("PodScheduled", "False", '0/1 nodes: persistentvolumeclaim "models" not found')),
            'spec.model.uri: 0/1 nodes: persistentvolumeclaim "models" not found',
        ),
        (fetching(**RUNNING), ""),
        (fetching(terminated=ended(0, "Completed")), ""),
        (fetching(restarts=1, last=ended(1, message=WRONG), terminated=ended(0, "Completed")), ""),
        (fetching(terminated=ended(1, message=f"{WRONG}\n")), WRONG),
        (fetching(restarts=3, last=ended(1, message=WRONG), waiting={"reason": "CrashLoopBackOff"}), WRONG),
        (fetching(restarts=3, last=ended(1, message=WRONG), **RUNNING), WRONG),
        (fetching(restarts=1, last=ended(137, "OOMKilled"), **RUNNING), "container fetch: OOMKilled, exit code 137"),
        (fetching(terminated=ended(2, message="no environment")), "container fetch: no environment"),
        (
            fetching(waiting={"reason": "ImagePullBackOff", "message": "not found"}),
            "spec.serving.image: ImagePullBackOff for registry.example.com/iris:1.0: not found",
        ),
        (
            fetching(waiting={"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}),
            'container fetch: CreateContainerConfigError for registry.example.com/iris:1.0: secret "s" not found',
        ),
    ],
    ids=str,
)
def test_what_keeps_a_pod_from_starting(manifest: dict[str, Any], trouble: str) -> None:
    read = read_pod(manifest)
    assert (read.trouble, read.deaths) == (trouble, 0)


@pytest.mark.parametrize(
    ("manifest", "ready", "deleting"),
    [
        ({"metadata": {"uid": "p1", "labels": {"viridian.dev/revision": "iris-2"}}}, False, False),
        (pod(**condition("Ready", "True")), True, False),
        (pod(**condition("Ready", "False")), False, False),
        (pod(**condition("Ready", "Unknown")), False, False),
        (pod(**condition("ContainersReady", "True")), False, False),
        (pod() | {"metadata": {**pod()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}, False, True),
    ],
    ids=str,
)
def test_whether_a_pod_serves(manifest: dict[str, Any], ready: bool, deleting: bool) -> None:
    assert read_pod(manifest) == Pod("p1", "iris-2", ready, deleting)


def test_a_pod_without_our_label_is_of_no_revision() -> None:
    assert read_pod({"metadata": {"uid": "p1"}}).revision == ""


@pytest.mark.parametrize(
    ("status", "over"),
    [
        ({}, False),
        ({"phase": "Pending"}, False),
        ({"phase": "Running"}, False),
        ({"phase": "Unknown"}, False),
        ({"phase": "Succeeded"}, True),
        ({"phase": "Failed"}, True),
        ({"phase": "Failed", "reason": "Evicted"}, True),
        (
            {"phase": "Failed", "reason": "Terminated", "message": "Pod was terminated in response to node shutdown"},
            True,
        ),
        ({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu"}, True),
        ({"phase": "Failed", "reason": "NodeAffinity"}, True),
        ({"phase": "Failed", "reason": "UnexpectedAdmissionError"}, True),
    ],
    ids=str,
)
def test_which_pods_have_ended_for_good(status: dict[str, Any], over: bool) -> None:
    assert is_over(pod(**status)) is over
