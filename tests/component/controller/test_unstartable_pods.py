"""Pods that cannot start for what the spec names, and ControllerRevisions that are not the operator's."""

from typing import Any

from tests.component.harness.pods import cannot_mount, wait_for_pods
from tests.component.harness.stage import Stage
from tests.waiting import eventually, stays

GREEN = "viridian.dev/color=green"
SERVING = {"replicas": 2, "timeout": "2s"}


def test_a_missing_service_account_is_told_with_its_field_and_the_model_goes_on_once_it_is_there(stage: Stage) -> None:
    # given a model whose pods are to run under an account that nobody has made
    stage.apply("v1.0.0", serving={**SERVING, "podTemplate": {"serviceAccountName": "robot"}})
    # then status has the API server's words and the field
    eventually(lambda: stage.condition("Stalled").get("reason") == "PodsCannotStart", "the condition")
    message = stage.condition("Stalled")["message"]
    assert "spec.serving.podTemplate.serviceAccountName" in message
    assert 'serviceaccount "robot" not found' in message
    # and when it is made, the model starts by itself
    stage.control_plane.core.create_namespaced_service_account(stage.namespace, {"metadata": {"name": "robot"}})
    stage.reaches("Stable", "v1.0.0")
    eventually(lambda: stage.condition("Stalled")["status"] == "False", "the condition to go")


def test_a_volume_that_cannot_be_mounted_is_told_in_the_words_of_the_event(stage: Stage) -> None:
    # given a candidate whose pods wait for their volumes
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.keeper.unready.append(GREEN)
    stage.apply("v2.0.0")
    core = stage.control_plane.core
    words = 'MountVolume.SetUp failed for volume "tmp" : no space left on device'
    cannot_mount(core, wait_for_pods(core, stage.namespace, GREEN, 2), words)
    # then status has them, which the operator may read with the chart's rights
    eventually(lambda: words in stage.condition("Stalled").get("message", ""), "the Event's words")
    assert stage.condition("Stalled")["reason"] == "PodsCannotStart"
    assert stage.condition("Available")["status"] == "True"


def test_a_revision_that_only_carries_our_label_is_left_alone_and_keeps_no_model_from_serving(stage: Stage) -> None:
    # given a ControllerRevision of nobody's with the label of a model, which cannot be read
    metadata = {"name": "iris-4", "namespace": stage.namespace, "labels": {"viridian.dev/model": "iris"}}
    theirs = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "revision": 4}
    stage.control_plane.apply({**theirs, "data": {"theirs": True}})

    def now() -> Any:
        found = stage.control_plane.apps.read_namespaced_controller_revision("iris-4", stage.namespace)
        return found.metadata.uid, found.metadata.owner_references, found.metadata.resource_version

    before = now()
    # when the model is made
    stage.apply("v1.0.0")
    # then its revisions have numbers beyond, and the object is as it was, also when the model is gone
    assert stage.reaches("Stable", "v1.0.0")["stable"]["revision"] == "iris-5"
    assert now() == before
    stage.control_plane.custom.delete_namespaced_custom_object(
        "viridian.dev", "v1alpha1", stage.namespace, "modeldeployments", "iris"
    )
    stays(lambda: now() == before, "their object", during=5)
