"""Drills against a real API server: a separate twin is made, judged by real counters, turned back and deleted."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client
from tests.component.harness import chart
from tests.component.harness.operator import Users
from tests.component.harness.pods import end, list_pods
from tests.component.harness.stage import Stage
from tests.waiting import eventually

DRILL = {"schedule": "weekly", "objective": "5m"}
"""How fast a busy machine turns the twin back proves nothing."""
MODELS = ("viridian.dev", "v1alpha1")
TRAFFIC = "viridian.dev/drill-of=iris-drill"


@pytest.fixture
def drilling(stage: Stage) -> Iterator[Stage]:
    """A stable model on a stage where drills may run, and requests to its twin, whose second version fails."""
    chart.operator_kubeconfig(stage.control_plane, stage.namespace, drills__enabled="true")
    stage.apply("v1.0.0", drill=DRILL)
    stage.reaches("Stable", "v1.0.0")
    with Users(stage.control_plane, stage.prometheus, stage.namespace, "iris-drill") as users:
        users.rate = 20
        users.outcome = lambda revision: ("error" if revision == "iris-drill-2" else "ok", 0.02)
        yield stage


def drill_of(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = stage.status.get("drill") or {}
    return found


def twin_of(stage: Stage) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = stage.control_plane.custom.get_namespaced_custom_object(
            *MODELS, stage.namespace, "modeldeployments", "iris-drill"
        )
    except client.ApiException as error:
        if error.status == 404:
            return None
        raise
    return found


def is_failing(stage: Stage) -> bool:
    return (drill_of(stage).get("running") or {}).get("stage") == "Failing"


def is_turned_back(stage: Stage) -> bool:
    twin = twin_of(stage)
    return twin is not None and (twin.get("status") or {}).get("phase") == "RolledBack"


def last_result(stage: Stage) -> str:
    return str((drill_of(stage).get("last") or {}).get("result", ""))


def report(stage: Stage, since: datetime) -> None:
    """The container that sends requests ends, as it does when failures are over."""
    (pod,) = list_pods(stage.control_plane.core, stage.namespace, TRAFFIC)
    told = {"requests": 300, "failed": 41, "firstFailureAt": since.isoformat(), "example": "status 500: it fails"}
    end(stage.control_plane.core, pod, 0, json.dumps(told))


def nothing_is_left(stage: Stage) -> bool:
    core, apps, namespace = stage.control_plane.core, stage.control_plane.apps, stage.namespace
    mine = {"label_selector": "viridian.dev/model=iris-drill"}
    kinds = (
        core.list_namespaced_pod(namespace, **mine).items,
        core.list_namespaced_pod(namespace, label_selector=TRAFFIC).items,
        core.list_namespaced_service(namespace, **mine).items,
        apps.list_namespaced_deployment(namespace, **mine).items,
        apps.list_namespaced_controller_revision(namespace, **mine).items,
    )
    return twin_of(stage) is None and not any(kinds) and "running" not in drill_of(stage)


def test_a_twin_that_fails_is_turned_back_measured_and_deleted(drilling: Stage) -> None:
    # given a model at rest, with its route and its pods
    stage = drilling
    pods = {pod.metadata.uid for pod in list_pods(stage.control_plane.core, stage.namespace, "viridian.dev/model=iris")}
    weights = stage.weights

    # when a drill is asked for
    stage.annotate(command="drill/iris-1:Failing/1", **{"command-by": "ann"})
    eventually(lambda: is_failing(stage), "the version that fails to be rolled out")
    began = datetime.now(UTC)
    twin = twin_of(stage)
    assert twin is not None
    assert twin["spec"]["traffic"]["parentRefs"] == []
    assert twin["metadata"]["ownerReferences"][0]["name"] == "iris"

    # then the twin turns it back, and that is measured
    eventually(lambda: is_turned_back(stage), "the twin to be turned back")
    report(stage, began)
    eventually(lambda: last_result(stage) != "", "the result")
    last = drill_of(stage)["last"]
    assert (last["result"], last["kind"], last["by"], last["failed"]) == ("Passed", "Failing", "ann", 41), last
    assert "within the objective of 5m" in last["message"]

    # and nothing is left of it, and the model has not noticed
    eventually(lambda: nothing_is_left(stage), "everything to be deleted")
    assert stage.weights == weights
    assert stage.status["phase"] == "Stable"
    now = {pod.metadata.uid for pod in list_pods(stage.control_plane.core, stage.namespace, "viridian.dev/model=iris")}
    assert now == pods
    events = {event.reason for event in stage.control_plane.core.list_namespaced_event(stage.namespace).items}
    assert {"DrillStarted", "DrillPassed"} <= events


def test_a_killed_operator_ends_the_drill_that_it_finds(drilling: Stage) -> None:
    # given a drill in the middle, and an operator that is killed there
    stage = drilling
    stage.annotate(command="drill/iris-1:Failing/1")
    eventually(lambda: is_failing(stage), "the version that fails to be rolled out")
    began = datetime.now(UTC)
    stage.operator.kill()
    stage.operator.start()

    # when the next one runs
    eventually(lambda: is_turned_back(stage), "the twin to be turned back")
    report(stage, began)

    # then the drill ends as it would have
    eventually(lambda: last_result(stage) == "Passed", "the result")
    eventually(lambda: nothing_is_left(stage), "everything to be deleted")


def test_a_rollout_cancels_the_drill(drilling: Stage) -> None:
    stage = drilling
    stage.annotate(command="drill/iris-1:Failing/1")
    eventually(lambda: twin_of(stage) is not None, "the twin")
    stage.apply("v2.0.0", drill=DRILL)
    eventually(lambda: last_result(stage) == "Cancelled", "the drill to be cancelled")
    assert "v2.0.0 is being rolled out" in drill_of(stage)["last"]["message"]
    eventually(lambda: nothing_is_left(stage), "everything to be deleted")
    stage.reaches("Stable", "v2.0.0")


def test_a_deleted_model_takes_its_drill_with_it(drilling: Stage) -> None:
    stage = drilling
    stage.annotate(command="drill/iris-1:Failing/1")
    eventually(lambda: is_failing(stage), "the version that fails to be rolled out")
    stage.control_plane.custom.delete_namespaced_custom_object(*MODELS, stage.namespace, "modeldeployments", "iris")
    eventually(lambda: twin_of(stage) is None, "the twin to go")


def test_without_the_rights_the_drill_says_so_and_the_model_is_well(stage: Stage) -> None:
    stage.apply("v1.0.0", drill=DRILL)
    stage.reaches("Stable", "v1.0.0")
    stage.annotate(command="drill/iris-1:Failing/1")
    eventually(lambda: last_result(stage) == "CouldNotRun", "the result")
    assert "drills.enabled" in drill_of(stage)["last"]["message"]
    assert stage.condition("Ready")["status"] == "True"


def test_nobody_makes_a_model_fail_on_purpose(stage: Stage) -> None:
    # given what a user might copy from a twin
    bad = {"replicas": 1, "drill": {"kind": "Failing"}}
    with pytest.raises(client.ApiException, match=r"only the operator sets it"):
        stage.apply("v1.0.0", serving=bad)

    # when the name is a twin's, the API server accepts it, and the operator does not
    model = stage.apply("v1.0.0")
    model = {"apiVersion": model["apiVersion"], "kind": model["kind"], "spec": {**model["spec"], "serving": bad}}
    stage.control_plane.apply({**model, "metadata": {"name": "rose-drill", "namespace": stage.namespace}})

    def refused() -> bool:
        found = stage.control_plane.custom.get_namespaced_custom_object(
            *MODELS, stage.namespace, "modeldeployments", "rose-drill"
        )
        said = {each["type"]: each for each in (found.get("status") or {}).get("conditions", [])}
        return "only the operator sets it" in said.get("Stalled", {}).get("message", "")

    # then it runs nowhere
    eventually(refused, "the operator to refuse")
    assert not list_pods(stage.control_plane.core, stage.namespace, "viridian.dev/model=rose-drill")
