"""Reading pods."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.controller.pod_manifests import (
    INITIALIZING,
    RUNNING,
    condition,
    container,
    ended,
    pod,
    stage,
    unmade,
)

from viridian.controller.children.pods import is_over, read_pod
from viridian.rollout.observed import FetchFailure, Pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POD = Pod(uid="p1", revision="iris-2", ready=False, deleting=False, name="iris-green-1")


def fetching(**state: Any) -> dict[str, Any]:
    """A pod whose model is being fetched, while the other containers wait."""
    waiting = [container(name, waiting={"reason": "PodInitializing"}) for name in ("triton", "api")]
    return pod(*waiting, initContainerStatuses=[container("fetch", **state)])


WRONG = "spec.model.digest: https://models.example.com/iris has another digest"


BACK_OFF = {"reason": "CrashLoopBackOff", "message": "back-off 10s"}
READY_AFTER_A_TRY = {
    **condition("Ready", "True"),
    "initContainerStatuses": [container("fetch", 1, ended(1, message=WRONG), waiting=BACK_OFF)],
}


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
        pytest.param([container("triton", terminated=ended(86))], 0, "", id="ended under a request"),
        pytest.param([container("triton", 1, ended(86), **RUNNING)], 0, "", id="ended under a request, and runs again"),
        pytest.param(
            [container("triton", 1, ended(86), terminated=ended(139))],
            1,
            "container triton: Error, exit code 139",
            id="ended under a request, and then by itself",
        ),
    ],
)
def test_deaths(containers: list[dict[str, Any]], deaths: int, death: str) -> None:
    read = read_pod(pod(*containers), NOW)
    assert (read.deaths, read.death, read.trouble) == (deaths, death, "")


SANDBOX = "PodReadyToStartContainers"


def since(kind: str, moment: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": moment}]}


def dead(finished: str = "2026-01-01T00:00:30Z", **more: Any) -> dict[str, Any]:
    """A container of ours that died twice, last at this moment."""
    return container("triton", 2, ended(143, finishedAt=finished), **{**RUNNING, **more})


@pytest.mark.parametrize(
    ("manifest", "deaths"),
    [
        pytest.param(pod(dead()), 2, id="it died by itself"),
        pytest.param(pod(dead(), **condition("DisruptionTarget", "False")), 2, id="a disruption that did not come"),
        pytest.param(pod(dead(), **condition("DisruptionTarget", "True")), 0, id="evicted, preempted or tainted"),
        *(
            pytest.param(pod(dead(), reason=reason), 0, id=reason)
            for reason in ("Evicted", "NodeLost", "NodeShutdown", "Preempting", "Shutdown", "Terminated")
        ),
        pytest.param(pod(dead(), reason="Other"), 2, id="another reason"),
        pytest.param(pod(dead(), **since(SANDBOX, "2026-01-01T00:00:00Z")), 2, id="died in its sandbox"),
        pytest.param(pod(dead(), **since(SANDBOX, "2026-01-01T00:00:30Z")), 2, id="died as soon as it was started"),
        pytest.param(pod(dead(), **since(SANDBOX, "2026-01-01T00:01:00Z")), 0, id="went down with an earlier sandbox"),
        pytest.param(pod(dead(), **condition(SANDBOX, "False")), 2, id="no sandbox yet"),
        pytest.param(pod(container("istio-proxy", 5, ended(1), **RUNNING)), 0, id="an injected sidecar"),
        pytest.param(
            pod(container(**RUNNING), initContainerStatuses=[container("istio-proxy", 5, ended(1), **RUNNING)]),
            0,
            id="a native sidecar",
        ),
        pytest.param(pod(container("istio-proxy", 5, ended(1), **RUNNING), dead()), 2, id="ours beside a sidecar"),
    ],
)
def test_whose_deaths_count(manifest: dict[str, Any], deaths: int) -> None:
    read = read_pod(manifest, NOW)
    assert (read.deaths, read.trouble) == (deaths, "")
    assert bool(read.death) is bool(deaths)


def test_when_a_pod_died_last() -> None:
    api = container("api", 1, ended(1, finishedAt="2026-01-01T00:02:00Z"), **RUNNING)
    assert read_pod(pod(dead(), api), NOW).died_at == datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    assert read_pod(pod(container(**RUNNING)), NOW).died_at is None


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (77, FetchFailure.CREDENTIALS),
        (73, FetchFailure.NO_ROOM),
        (1, FetchFailure.OTHER),
        (137, FetchFailure.OTHER),
        (0, None),
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["ended", "runs again"])
def test_why_a_model_is_not_fetched(code: int, failure: FetchFailure | None, again: bool) -> None:
    fetch = container("fetch", 1, ended(code), **RUNNING) if again else container("fetch", terminated=ended(code))
    assert read_pod(pod(initContainerStatuses=[fetch]), NOW).fetch_failure is failure


def test_a_pod_that_is_ready_has_fetched_its_model() -> None:
    fetch = container("fetch", 1, ended(77), terminated=ended(0))
    ready = pod(container(**RUNNING), initContainerStatuses=[fetch], **condition("Ready", "True"))
    assert read_pod(ready, NOW).fetch_failure is None


def test_last_words_are_cut_to_what_a_status_can_hold() -> None:
    assert len(read_pod(pod(container(terminated=ended(1, message="x" * 9999))), NOW).death) < 1100


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
        (fetching(terminated=ended(255, "Unknown")), ""),
        (fetching(terminated=ended(2, message="no environment")), "container fetch: no environment"),
        (
            fetching(waiting={"reason": "ImagePullBackOff", "message": "not found"}),
            "spec.serving.image: ImagePullBackOff for registry.example.com/iris:1.0: not found",
        ),
        (
            fetching(waiting={"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}),
            'container fetch: CreateContainerConfigError for registry.example.com/iris:1.0: secret "s" not found',
        ),
        (
            pod(container("triton", 4, ended(0, "Completed"), waiting=BACK_OFF)),
            "container triton: it keeps ending without an error (Completed, exit code 0), but should keep running;"
            " check its logs (kubectl logs POD -c triton --previous)",
        ),
        (pod(container("triton", 4, ended(0, "Completed"), **RUNNING)), ""),
        (
            pod(
                conditions=[
                    {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gates"}
                ]
            ),
            "it is not scheduled (SchedulingGated): gates",
        ),
        # Containers that are not ours keep a pod from starting, but are never taken for the model's.
        (pod(initContainerStatuses=[container("istio-init", 3, ended(1), **RUNNING)]), ""),
        (pod(initContainerStatuses=[container("istio-init", 3, ended(1), terminated=ended(0))]), ""),
        (
            pod(initContainerStatuses=[container("istio-init", 3, ended(1), waiting=BACK_OFF)]),
            "container istio-init, which something has added to the pod, keeps failing: back-off 10s; look at its logs",
        ),
        (
            pod(container("istio-proxy", 3, ended(1), waiting=BACK_OFF)),
            "container istio-proxy, which something has added to the pod, keeps failing: back-off 10s"
            "; look at its logs",
        ),
        (
            pod(container("istio-proxy", waiting={"reason": "ErrImagePull", "message": "not found"})),
            "container istio-proxy: ErrImagePull for registry.example.com/iris:1.0: not found",
        ),
        # What a pod had trouble with before it got ready is over.
        (pod(**READY_AFTER_A_TRY), ""),
    ],
    ids=str,
)
def test_what_keeps_a_pod_from_starting(manifest: dict[str, Any], trouble: str) -> None:
    read = read_pod(manifest, NOW)
    assert (read.trouble, read.deaths) == (trouble, 0)


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        pytest.param(
            unmade(), "for 1 min or more: its containers wait for volumes, Secrets or the network", id="no word of why"
        ),
        pytest.param(
            unmade(stage(SANDBOX, "False"), stage("Ready", "False", message="containers with unready status: [api]")),
            "for 1 min or more: its containers wait for volumes, Secrets or the network",
            id="no sandbox",
        ),
        pytest.param(
            unmade(stage("example.com/Attached", "False", message="volume v1 is at node n9 ")),
            "for 1 min or more: its containers wait for volumes, Secrets or the network"
            "; example.com/Attached: volume v1 is at node n9",
            id="with a condition's own words",
        ),
        pytest.param(
            unmade(containerStatuses=[container(waiting=INITIALIZING)]),
            "for 1 min or more: its containers wait for volumes, Secrets or the network",
            id="before the fetching",
        ),
        pytest.param(
            unmade(containerStatuses=None), "for 1 min or more: its node has not started it yet", id="a silent node"
        ),
        pytest.param(unmade(stage(SANDBOX)), "for 10 min or more: its image is still being pulled", id="a slow pull"),
        pytest.param(unmade(stage(SANDBOX, at="2025-12-31T23:51:00Z")), None, id="a large image"),
        pytest.param(unmade(conditions=[stage("PodScheduled", at="2025-12-31T23:59:30Z")]), None, id="a new pod"),
        pytest.param(unmade(stage("Initialized", at="2025-12-31T23:59:30Z")), None, id="got further lately"),
        pytest.param(unmade(conditions=[]), None, id="nobody knows since when"),
        pytest.param(unmade(conditions=[stage("Initialized")]), None, id="nobody knows whether it has a node"),
        pytest.param(unmade(containerStatuses=[container(**RUNNING)]), None, id="runs and is not ready"),
        pytest.param(
            unmade(initContainerStatuses=[container("fetch", **RUNNING)]), None, id="the model is being fetched"
        ),
        pytest.param(unmade(containerStatuses=[container(waiting={"reason": "Other"})]), None, id="something else"),
        pytest.param(unmade(stage("Ready")), None, id="ready"),
    ],
)
def test_a_pod_of_which_no_container_is_made_for_long_says_so(manifest: dict[str, Any], why: str | None) -> None:
    trouble = f"pod iris-green-1 on node n1 does not start, {why}; see its Events: kubectl describe pod iris-green-1"
    assert read_pod(manifest, NOW).trouble == ("" if why is None else trouble)


@pytest.mark.parametrize(
    ("manifest", "ready", "deleting"),
    [
        ({"metadata": pod()["metadata"]}, False, False),
        (pod(**condition("Ready", "True")), True, False),
        (pod(**condition("Ready", "False")), False, False),
        (pod(**condition("Ready", "Unknown")), False, False),
        (pod(**condition("ContainersReady", "True")), False, False),
        (pod() | {"metadata": {**pod()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}, False, True),
    ],
    ids=str,
)
def test_whether_a_pod_serves(manifest: dict[str, Any], ready: bool, deleting: bool) -> None:
    assert read_pod(manifest, NOW) == replace(POD, ready=ready, deleting=deleting)


def test_a_pod_without_our_label_is_of_no_revision() -> None:
    assert read_pod({"metadata": {"uid": "p1"}}, NOW).revision == ""


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


AN_HOUR_AGO = "2025-12-31T23:00:00Z"
OVERDUE = f"pod iris-green-1 on node n1 should have been gone since {AN_HOUR_AGO}, but "


def going(end: str, *finalizers: str, node: str = "n1") -> dict[str, Any]:
    """A pod that is deleted, and was to be gone at this moment."""
    metadata = {**pod()["metadata"], "deletionTimestamp": end, "finalizers": list(finalizers) or None}
    return pod() | {"metadata": metadata, "spec": {"nodeName": node} if node else {}}


@pytest.mark.parametrize(
    ("manifest", "stuck"),
    [
        pytest.param(pod(), "", id="not deleted"),
        pytest.param(going("2026-01-01T00:00:30Z"), "", id="within its grace period"),
        pytest.param(going("2025-12-31T23:59:01Z"), "", id="a little late"),
        pytest.param(
            going(AN_HOUR_AGO),
            f"{OVERDUE}its node does not confirm that it has stopped; bring the node back; if it is gone for good:"
            " kubectl delete pod iris-green-1 --force",
            id="its node is dead",
        ),
        pytest.param(
            going(AN_HOUR_AGO, "example.com/a", "example.com/b"),
            f"{OVERDUE}the finalizers example.com/a, example.com/b keep it; let their controllers remove them, or"
            " remove them from metadata.finalizers: kubectl edit pod iris-green-1",
            id="finalizers",
        ),
        pytest.param(
            going(AN_HOUR_AGO, "example.com/a", node=""),
            f"{OVERDUE.replace('n1', '(none)')}the finalizers example.com/a keep it; let their controllers remove them,"
            " or remove them from metadata.finalizers: kubectl edit pod iris-green-1",
            id="never had a node",
        ),
    ],
)
def test_a_pod_that_should_have_been_gone_says_what_to_do(manifest: dict[str, Any], stuck: str) -> None:
    read = read_pod(manifest, NOW)
    assert (read.stuck, read.name) == (stuck, "iris-green-1")


def test_what_is_stuck_from_one_minute_past_its_grace_has_a_node_and_no_trouble() -> None:
    late = going("2025-12-31T23:59:00Z") | {"status": pod(container(waiting={"reason": "ErrImagePull"}))["status"]}
    read = read_pod(late, NOW)
    assert (bool(read.stuck), read.node, read.deleting, read.trouble) == (True, "n1", True, "")
