"""Pods that Kubernetes does not create, or does not let go: what status says, and what goes on all the same."""

from datetime import timedelta

from tests.component.harness.pods import wait_for_pods
from tests.component.harness.stage import LONG, Stage
from tests.waiting import eventually

GREEN = "viridian.dev/color=green"
FINALIZER = "example.com/audit"


def allow(stage: Stage, pods: int) -> None:
    """Set a quota of pods, as its controller would: the API server goes by what the quota's status says."""
    core, used = stage.control_plane.core, len(stage.control_plane.core.list_namespaced_pod(stage.namespace).items)
    hard = {"pods": str(pods)}
    if not core.list_namespaced_resource_quota(stage.namespace).items:
        core.create_namespaced_resource_quota(stage.namespace, {"metadata": {"name": "few"}, "spec": {"hard": hard}})
    core.patch_namespaced_resource_quota("few", stage.namespace, {"spec": {"hard": hard}})
    status = {"hard": hard, "used": {"pods": str(used)}}
    core.patch_namespaced_resource_quota_status("few", stage.namespace, {"status": status})


def test_pods_beyond_a_quota_are_told_in_the_api_servers_words(stage: Stage) -> None:
    # given a namespace with room for one of a model's two pods
    allow(stage, 1)
    stage.apply("v1.0.0")
    # then status says so
    eventually(lambda: stage.condition("Stalled").get("reason") == "PodsCannotStart", "the condition")
    assert "exceeded quota: few" in stage.condition("Stalled")["message"]
    assert stage.condition("Ready")["status"] == "False"
    # and when there is room, the model goes on by itself
    allow(stage, 10)
    stage.reaches("Stable", "v1.0.0")
    eventually(lambda: stage.condition("Ready").get("status") == "True", "it to be ready")


def test_a_finalizer_on_a_pod_holds_up_no_rollback_but_the_next_rollout_which_names_it(stage: Stage) -> None:
    # given an operator that soon finds a pod stuck, a minute after it should have been gone otherwise
    stage.operator.hurried["viridian.controller.children.pods.PAST_GRACE"] = timedelta(seconds=5)
    stage.operator.restart()
    # and a candidate with traffic, one pod of which has a finalizer that nobody removes
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=LONG)
    stage.reaches("Progressing", "v1.0.0")
    core = stage.control_plane.core
    name = wait_for_pods(core, stage.namespace, GREEN, 2)[0].metadata.name
    core.patch_namespaced_pod(name, stage.namespace, {"metadata": {"finalizers": [FINALIZER]}})
    # when it is aborted, then it is back at stable
    stage.annotate(command="abort/iris-2/1")
    stage.reaches("RolledBack", "v1.0.0")
    # and the next rollout says what it waits for
    stage.apply("v3.0.0", rollout=LONG)
    eventually(lambda: stage.condition("Stalled").get("reason") == "PodStuckTerminating", "the condition")
    message = stage.condition("Stalled")["message"]
    assert all(words in message for words in (name, FINALIZER, f"kubectl edit pod {name}"))
    assert stage.condition("Available")["status"] == "True"
    # and goes on when the finalizer is removed
    core.patch_namespaced_pod(name, stage.namespace, {"metadata": {"finalizers": None}})
    stage.reaches("Progressing", "v1.0.0")
