"""What belongs to a model at rest, edited, deleted or orphaned by hand, is put back; no pod changes needlessly."""

from typing import Any

import pytest
from kubernetes import client
from tests.component.harness.stage import Stage
from tests.waiting import eventually, stays

GATEWAY_API = ("gateway.networking.k8s.io", "v1")
ROUTES, MODELS = (*GATEWAY_API, "httproutes"), ("viridian.dev", "v1alpha1", "modeldeployments")


def pods(stage: Stage) -> set[str]:
    """The pods that are not ending, by UID."""
    found = stage.control_plane.core.list_namespaced_pod(stage.namespace).items
    return {pod.metadata.uid for pod in found if pod.metadata.deletion_timestamp is None}


def service(stage: Stage, name: str) -> dict[str, Any]:
    path = f"/api/v1/namespaces/{stage.namespace}/services/{name}"
    found: dict[str, Any] = stage.control_plane.get(path)
    return found


def at_rest(stage: Stage) -> set[str]:
    """A model that serves; returns its pods."""
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    eventually(lambda: stage.status["stable"]["ready"] == 2, "both pods to be told of")
    return pods(stage)


def test_services_route_and_budget_that_somebody_edits_are_put_back(stage: Stage) -> None:
    # given a model at rest
    before = at_rest(stage)
    core, custom = stage.control_plane.core, stage.control_plane.custom
    policy: Any = client.PolicyV1Api(stage.control_plane.api)
    where = (stage.namespace, "httproutes", "iris")
    made = {name: service(stage, name)["spec"] for name in ("iris", "iris-blue", "iris-green")}
    route = stage.route["spec"]

    # when each of its Services, its route and its budget are edited
    core.patch_namespaced_service("iris-blue", stage.namespace, {"spec": {"selector": {"tier": "gold"}}})
    core.patch_namespaced_service("iris", stage.namespace, {"spec": {"selector": {"viridian.dev/color": "green"}}})
    core.patch_namespaced_service("iris-green", stage.namespace, {"spec": {"publishNotReadyAddresses": True}})
    policy.patch_namespaced_pod_disruption_budget("iris-blue", stage.namespace, {"spec": {"maxUnavailable": "100%"}})
    custom.patch_namespaced_custom_object(*GATEWAY_API, *where, {"spec": {"rules": []}})

    # then all are as they were
    eventually(lambda: {name: service(stage, name)["spec"] for name in made} == made, "the Services")
    eventually(lambda: stage.route["spec"] == route, "the route")
    eventually(
        lambda: policy.read_namespaced_pod_disruption_budget("iris-blue", stage.namespace).spec.max_unavailable == 1,
        "the budget",
    )

    # and a weight, and another type, too
    refs = [{**ref, "weight": 50} for ref in route["rules"][0]["backendRefs"]]
    rules = [{**route["rules"][0], "backendRefs": refs}]
    custom.patch_namespaced_custom_object(*GATEWAY_API, *where, {"spec": {"rules": rules}})
    core.patch_namespaced_service("iris-blue", stage.namespace, {"spec": {"type": "NodePort"}})
    eventually(lambda: stage.route["spec"] == route, "the weights")
    eventually(lambda: service(stage, "iris-blue")["spec"] == made["iris-blue"], "the type")
    assert pods(stage) == before
    assert stage.status["lastRevision"] == 1


def test_services_and_route_are_put_back_at_once_and_not_by_the_sweep(stage: Stage) -> None:
    # given an operator that has swept once, and will not again
    before = at_rest(stage)
    stage.operator.stop()
    stage.operator.environment["VIRIDIAN_SWEEP_PERIOD"] = "5h"
    stage.operator.start()
    stage.patch({"metadata": {"annotations": {"viridian.dev/command": "nonsense/iris-1/1"}}})
    eventually(lambda: stage.status.get("lastCommand") == "nonsense/iris-1/1", "the operator to lead")
    core, custom = stage.control_plane.core, stage.control_plane.custom
    where = (stage.namespace, "httproutes", "iris")
    made, route = service(stage, "iris-blue")["spec"], stage.route["spec"]

    # when a Service and the route are edited
    core.patch_namespaced_service("iris-blue", stage.namespace, {"spec": {"selector": {"tier": "gold"}}})
    custom.patch_namespaced_custom_object(*GATEWAY_API, *where, {"spec": {"rules": []}})

    # then both are as they were
    eventually(lambda: service(stage, "iris-blue")["spec"] == made, "the Service")
    eventually(lambda: stage.route["spec"] == route, "the route")

    # and when they are deleted, they come again
    uid = service(stage, "iris")["metadata"]["uid"]
    core.delete_namespaced_service("iris", stage.namespace)
    custom.delete_namespaced_custom_object(*GATEWAY_API, *where)

    def both_there() -> bool:
        try:
            return service(stage, "iris")["metadata"]["uid"] != uid and stage.weights["iris-blue"] == 100
        except (OSError, client.ApiException) as error:
            raise AssertionError(str(error)) from None

    eventually(both_there, "NAME and the route")
    assert pods(stage) == before


def test_children_that_somebody_deletes_are_made_again(stage: Stage) -> None:
    # given a model at rest
    before = at_rest(stage)
    core, apps, custom = stage.control_plane.core, stage.control_plane.apps, stage.control_plane.custom
    policy: Any = client.PolicyV1Api(stage.control_plane.api)

    # when all that it owns but its Deployment is deleted
    names = ("iris", "iris-blue", "iris-green")
    uids = {name: service(stage, name)["metadata"]["uid"] for name in names}
    for name in names:
        core.delete_namespaced_service(name, stage.namespace)
    apps.delete_namespaced_controller_revision("iris-1", stage.namespace)
    policy.delete_namespaced_pod_disruption_budget("iris-green", stage.namespace)
    custom.delete_namespaced_custom_object(*GATEWAY_API, stage.namespace, "httproutes", "iris")

    # then it is made again, and the same pods serve
    def all_there() -> bool:
        try:
            there = all(service(stage, name)["metadata"]["uid"] != uid for name, uid in uids.items())
            apps.read_namespaced_controller_revision("iris-1", stage.namespace)
            policy.read_namespaced_pod_disruption_budget("iris-green", stage.namespace)
            weights = stage.weights
        except (OSError, client.ApiException) as error:
            raise AssertionError(str(error)) from None
        return there and weights == {"iris-blue": 100, "iris-green": 0}

    eventually(all_there, "all of it")
    assert pods(stage) == before

    # and a Deployment that is deleted with its pods comes again, of the same revision
    apps.delete_namespaced_deployment("iris-blue", stage.namespace)
    eventually(lambda: len(pods(stage) - before) == 2, "two new pods")
    assert stage.deployment("blue").metadata.labels["viridian.dev/revision"] == "iris-1"
    stage.reaches("Stable", "v1.0.0")
    assert stage.status["lastRevision"] == 1


def of_api(**parts: Any) -> dict[str, Any]:
    """A patch of the container `api`."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "api", **parts}]}}}}


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(of_api(env=[{"name": "EXTRA", "value": "1"}]), id="one more variable"),
        pytest.param(of_api(image="example.com/other:1"), id="another image"),
        pytest.param({"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}, id="a node selector"),
    ],
)
def test_an_edited_pod_template_is_put_back(stage: Stage, patch: dict[str, Any]) -> None:
    # given a model at rest whose new pods do not get ready, so that the edit stops at the first of them
    before = at_rest(stage)
    template = stage.deployment("blue").spec.template.to_dict()
    stage.keeper.unready.append("viridian.dev/color=blue")

    # when
    stage.control_plane.apps.patch_namespaced_deployment("iris-blue", stage.namespace, patch)

    # then the template is what it was, and so are the pods
    eventually(lambda: stage.deployment("blue").spec.template.to_dict() == template, "the template")
    eventually(lambda: pods(stage) == before, "the pods")
    assert stage.status["phase"] == "Stable"
    assert stage.status["lastRevision"] == 1


def test_what_changes_no_pod_of_a_deployment_is_put_back_too(stage: Stage) -> None:
    # given a model at rest
    before = at_rest(stage)
    apps = stage.control_plane.apps
    made = stage.deployment("blue")
    spec, labels = made.spec.to_dict(), made.metadata.labels

    # when its strategy, its replicas, and what says which revision it runs are edited, and it is paused
    patch = {
        "metadata": {"labels": {"viridian.dev/revision": "iris-7"}, "annotations": {"viridian.dev/input": "{}"}},
        "spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}, "replicas": 1, "paused": True},
    }
    apps.patch_namespaced_deployment("iris-blue", stage.namespace, patch)

    # then all of it is as it was
    eventually(lambda: stage.deployment("blue").spec.to_dict() == spec, "the Deployment")
    eventually(lambda: stage.deployment("blue").metadata.labels == labels, "the labels")
    eventually(
        lambda: (
            stage.deployment("blue").metadata.annotations["viridian.dev/input"]
            == made.metadata.annotations["viridian.dev/input"]
        ),
        "the input",
    )
    eventually(lambda: len(pods(stage) & before) >= 1 and len(pods(stage)) == 2, "its pods")

    # and a restart as kubectl does it is left alone
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    apps.patch_namespaced_deployment(
        "iris-blue", stage.namespace, {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    )
    eventually(lambda: len(pods(stage) - before) >= 2 and len(pods(stage)) == 2, "new pods")
    stays(
        lambda: stamp.items() <= stage.deployment("blue").spec.template.metadata.annotations.items(),
        "the restart",
        during=3,
    )


def test_a_model_made_again_takes_up_the_children_that_its_predecessor_left(stage: Stage) -> None:
    # given a model at its second revision, deleted without its children
    at_rest(stage)
    stage.apply("v2.0.0")
    stage.reaches("Stable", "v2.0.0")
    before, old = pods(stage), stage.model["metadata"]["uid"]
    stage.control_plane.custom.delete_namespaced_custom_object(
        *MODELS[:2], stage.namespace, MODELS[2], "iris", propagation_policy="Orphan"
    )

    def is_gone() -> bool:
        try:
            return bool(stage.model["metadata"]["uid"] != old)
        except client.ApiException as error:
            return error.status == 404

    # The garbage collector has to have heard of this kind of object first, which may take it a while.
    eventually(is_gone, "the model to go", within=180)
    assert not stage.deployment("green").metadata.owner_references

    # when it is applied again
    stage.apply("v2.0.0")

    # then the same pods go on serving, and all children are its own
    status = stage.reaches("Stable", "v2.0.0")
    assert (status["stable"]["revision"], status["stable"]["color"], status["lastRevision"]) == ("iris-2", "green", 2)
    assert pods(stage) == before
    assert stage.weights == {"iris-blue": 0, "iris-green": 100}
    uid = stage.model["metadata"]["uid"]
    for child in (stage.route, service(stage, "iris"), service(stage, "iris-blue")):
        assert [owner["uid"] for owner in child["metadata"]["ownerReferences"]] == [uid]
    assert [owner.uid for owner in stage.deployment("green").metadata.owner_references] == [uid]


def test_the_later_of_two_models_with_one_path_waits_and_goes_on_by_itself(stage: Stage) -> None:
    # given a model that serves a path, and a later one that asks for the same
    at_rest(stage)
    later = {**stage.model, "metadata": {"name": "wine", "namespace": stage.namespace}}
    later["spec"]["traffic"]["hostnames"] = ["wine.example.com"]
    later.pop("status")
    stage.control_plane.apply(later)

    def wine() -> dict[str, Any]:
        found: dict[str, Any] = stage.control_plane.custom.get_namespaced_custom_object(
            *MODELS[:2], stage.namespace, MODELS[2], "wine"
        )
        return found

    def stalled() -> dict[str, Any]:
        conditions = wine().get("status", {}).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == "Stalled"), {})

    eventually(lambda: stalled().get("reason") == "RouteTaken", "the condition")
    assert f"ModelDeployment iris in namespace {stage.namespace}" in stalled()["message"]
    routes = stage.control_plane.custom.list_namespaced_custom_object(*GATEWAY_API, stage.namespace, "httproutes")
    assert [route["metadata"]["name"] for route in routes["items"]] == ["iris"]
    assert stage.condition("Stalled")["status"] == "False"

    # when the earlier one goes, then it serves
    stage.control_plane.custom.delete_namespaced_custom_object(*MODELS[:2], stage.namespace, MODELS[2], "iris")
    eventually(lambda: wine()["status"]["phase"] == "Stable", "the later one to serve")
