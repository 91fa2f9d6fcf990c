"""Replicas that a HorizontalPodAutoscaler owns; its decisions are the test's, written where it would write them."""

from typing import Any

from kubernetes import client
from tests.component.harness.stage import LONG, Stage
from tests.waiting import eventually, stays

CPU = {"resources": {"requests": {"cpu": "100m"}}}
SERVING = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 6, "cpuPercent": 60},
    "timeout": "2s",
    "triton": CPU,
    "api": CPU,
}


def autoscalers(stage: Stage) -> dict[str, tuple[int, int]]:
    api: Any = client.AutoscalingV2Api(stage.control_plane.api)
    found = api.list_namespaced_horizontal_pod_autoscaler(stage.namespace).items
    return {one.metadata.name: (one.spec.min_replicas, one.spec.max_replicas) for one in found}


def scale(stage: Stage, color: str, replicas: int) -> None:
    body = {"spec": {"replicas": replicas}}
    stage.control_plane.apps.patch_namespaced_deployment_scale(f"iris-{color}", stage.namespace, body)


def test_replicas_are_the_autoscalers_and_its_floors_follow_the_rollout(stage: Stage) -> None:
    # given a model whose autoscaler has scaled it up
    stage.apply("v1.0.0", serving=SERVING)
    stage.reaches("Stable", "v1.0.0")
    eventually(lambda: autoscalers(stage) == {"iris-blue": (2, 6)}, "the autoscaler of stable")
    scale(stage, "blue", 5)
    stays(lambda: stage.deployment("blue").spec.replicas == 5, "what the autoscaler wrote", during=3)

    # when another version is rolled out
    stage.apply("v2.0.0", serving=SERVING, rollout=LONG)
    stage.reaches("Progressing")

    # then stable may not fall below its count, and the candidate not below its share
    eventually(lambda: autoscalers(stage) == {"iris-blue": (5, 6), "iris-green": (2, 6)}, "the floors")
    assert stage.deployment("blue").spec.replicas == 5

    # and when it has ended, the floors have gone, and the empty color has none
    stage.apply("v1.0.0", serving=SERVING)
    stage.reaches("Stable", "v1.0.0")
    eventually(lambda: autoscalers(stage) == {"iris-blue": (2, 6)}, "the floors to go")
    assert stage.deployment("green").spec.replicas == 0
    assert stage.deployment("blue").spec.replicas == 5


def test_both_colors_have_a_disruption_budget(stage: Stage) -> None:
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    api: Any = client.PolicyV1Api(stage.control_plane.api)
    found = api.list_namespaced_pod_disruption_budget(stage.namespace).items
    assert {one.metadata.name: one.spec.max_unavailable for one in found} == {"iris-blue": 1, "iris-green": 1}
    eventually(
        lambda: api.read_namespaced_pod_disruption_budget("iris-blue", stage.namespace).status.current_healthy == 2,
        "the budget to count stable's pods",
    )
