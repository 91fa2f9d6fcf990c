"""Models that go and come again, while the operator or the garbage collector is away; names that are taken."""

from typing import Any

import pytest
from kubernetes import client
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.pods import wait_for_pods
from tests.component.harness.stage import Stage
from tests.waiting import eventually, stays

BRIEF = {
    "steps": [{"weight": 20, "hold": "1s"}],
    "bake": {"duration": "1s", "holdback": 10},
    "deadline": "30m",
    "drainMax": "5s",
}
_KINDS = {
    "Deployment": ("apps/v1", "deployments"),
    "ReplicaSet": ("apps/v1", "replicasets"),
    "ControllerRevision": ("apps/v1", "controllerrevisions"),
    "Pod": ("v1", "pods"),
    "Service": ("v1", "services"),
    "HTTPRoute": ("gateway.networking.k8s.io/v1", "httproutes"),
    "PodDisruptionBudget": ("policy/v1", "poddisruptionbudgets"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
}


def _path(kind: str, namespace: str) -> str:
    version, plural = _KINDS[kind]
    return f"/{'apis' if '/' in version else 'api'}/{version}/namespaces/{namespace}/{plural}"


def children(stage: Stage) -> dict[tuple[str, str], tuple[str, str]]:
    """UID and resourceVersion of everything that a model has made in the stage's namespace."""
    found = {}
    for kind in _KINDS:
        for child in stage.control_plane.get(_path(kind, stage.namespace))["items"]:
            metadata = child["metadata"]
            found[kind, metadata["name"]] = (metadata["uid"], metadata["resourceVersion"])
    return found


def delete(stage: Stage) -> str:
    """Delete the model and wait until it is gone; returns its UID."""
    uid: str = stage.model["metadata"]["uid"]
    stage.control_plane.custom.delete_namespaced_custom_object(
        "viridian.dev", "v1alpha1", stage.namespace, "modeldeployments", "iris"
    )

    def gone() -> bool:
        try:
            return bool(stage.model["metadata"]["uid"] != uid)
        except client.ApiException as error:
            return bool(error.status == 404)

    eventually(gone, "the model to be gone")
    return uid


def test_a_model_deleted_while_the_operator_is_away_leaves_nothing_and_nothing_is_made(stage: Stage) -> None:
    # given a model in the middle of a rollout, whose operator is away
    slow = {**BRIEF, "steps": [{"weight": 20, "hold": "10m"}]}
    stage.apply("v1.0.0", rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=slow)
    eventually(lambda: stage.weights == {"iris-blue": 80, "iris-green": 20}, "the first step")
    stage.operator.kill()

    # when it is deleted
    delete(stage)

    # then everything goes, with nobody there to help
    eventually(lambda: children(stage) == {}, "all children to go")

    # and nothing comes again when the operator does
    stage.operator.start()
    stage.answers()
    stays(lambda: children(stage) == {}, "nothing to be made", during=3)


@pytest.mark.parametrize("away", [False, True], ids=["operator there", "operator away"])
def test_a_model_made_again_waits_until_its_predecessors_children_are_gone(
    stage: Stage, control_plane: ControlPlane, away: bool
) -> None:
    # given a model that serves, and a garbage collector that has not begun
    stage.apply("v1.0.0", rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    with control_plane.frozen_controllers():
        before = children(stage)
        if away:
            stage.operator.kill()

        # when it is deleted, and one of the same name is made at once
        old = delete(stage)
        stage.apply("v2.0.0", rollout=BRIEF)
        if away:
            stage.operator.start()

        # then the new one waits, says for what, and touches nothing
        eventually(lambda: stage.condition("Stalled").get("reason") == "ForeignChild", "the condition")
        assert old in stage.condition("Stalled")["message"]
        assert "Kubernetes removes it" in stage.condition("Stalled")["message"]
        stays(lambda: children(stage) == before, "what the predecessor left", during=6)

    # and goes on by itself as soon as it is all gone
    status = stage.reaches("Stable", "v2.0.0")
    assert status["stable"]["color"] == "blue"
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}
    uids = {uid for uid, _ in before.values()}
    assert not uids & {uid for uid, _ in children(stage).values()}
    assert stage.condition("Stalled")["status"] == "False"


def test_pods_that_a_predecessor_left_are_not_taken_for_the_models_own(
    stage: Stage, control_plane: ControlPlane
) -> None:
    # given a garbage collector that has come as far as the pods
    stage.apply("v1.0.0", rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    old = {pod.metadata.uid for pod in wait_for_pods(control_plane.core, stage.namespace, "", 2)}
    stage.operator.kill()
    with control_plane.frozen_controllers():
        delete(stage)
        _delete_all_but(stage, "Pod")

        # when a model of the same name is made, whose first revision would have the name of theirs
        stage.apply("v2.0.0", rollout=BRIEF)
        stage.operator.start()
        eventually(lambda: stage.status.get("phase") == "Starting", "the new model to start")

        # then it neither counts them as its own nor sends them anything
        stays(lambda: stage.status["phase"] == "Starting" and not stage.has_route, "no traffic", during=4)
        assert not stage.status["candidate"]["ready"]

    # and serves from its own pods once they are there
    stage.reaches("Stable", "v2.0.0")
    now = {pod.metadata.uid for pod in wait_for_pods(control_plane.core, stage.namespace, "", 2)}
    assert not old & now


def _delete_all_but(stage: Stage, kept: str) -> None:
    """What the garbage collector does first, and only that."""
    for kind, name in children(stage):
        if kind != kept:
            metadata = {"name": name, "namespace": stage.namespace}
            stage.control_plane.delete({"apiVersion": _KINDS[kind][0], "kind": kind, "metadata": metadata})


def _foreign(kind: str, namespace: str) -> dict[str, Any]:
    """Somebody else's object under one of our names, without a label or an owner."""
    metadata = {"namespace": namespace}
    pods = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [{"name": "x", "image": "x:1"}]}}
    match kind:
        case "Deployment":
            spec: dict[str, Any] = {"selector": {"matchLabels": {"app": "theirs"}}, "template": pods, "replicas": 0}
            return {
                "apiVersion": "apps/v1",
                "kind": kind,
                "metadata": {**metadata, "name": "iris-blue"},
                "spec": spec,
            }
        case "Service":
            spec = {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}
            return {"apiVersion": "v1", "kind": kind, "metadata": {**metadata, "name": "iris"}, "spec": spec}
        case "HTTPRoute":
            return {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": kind,
                "metadata": {**metadata, "name": "iris"},
                "spec": {"rules": [{"backendRefs": [{"name": "theirs", "port": 80}]}]},
            }
        case _:
            return {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": {**metadata, "name": "iris-1"},
                "revision": 7,
                "data": {"theirs": True},
            }


@pytest.mark.parametrize("kind", ["Deployment", "Service", "HTTPRoute", "ControllerRevision"])
def test_a_taken_name_is_named_and_left_alone(stage: Stage, kind: str) -> None:
    # given somebody else's object under a name that the model needs
    theirs = stage.control_plane.apply(_foreign(kind, stage.namespace))
    name = theirs["metadata"]["name"]

    def now() -> dict[str, Any]:
        """All of it that is somebody's to write, and not a controller's to observe."""
        found = stage.control_plane.get(f"{_path(kind, stage.namespace)}/{name}")
        metadata = {key: found["metadata"].get(key) for key in ("uid", "labels", "ownerReferences")}
        return {"metadata": metadata, "spec": found.get("spec"), "data": found.get("data")}

    before = now()

    # when the model is made
    stage.apply("v1.0.0", rollout=BRIEF)

    # then it says which name is taken, and the object stays as it is
    eventually(lambda: stage.condition("Stalled").get("reason") == "ForeignChild", "the condition")
    assert f"{kind} {name} belongs to nobody" in stage.condition("Stalled")["message"]
    stays(lambda: now() == before, "their object", during=2)

    # and once it is gone, the model goes on by itself
    stage.control_plane.delete(theirs)
    stage.reaches("Stable", "v1.0.0")
