"""What is kept of Deployments: which of them run, and what their pods reserve."""

from typing import Any

from viridian.api.names import LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, Color
from viridian.controller.cache.deployments import Deployments
from viridian.workloads.demand import Demand


def deployment(model: str, color: str, pods: int) -> dict[str, Any]:
    env = [{"name": "OTHER", "value": "x"}, {"name": "VIRIDIAN_MODEL_VERSION", "value": "v7"}]
    resources = {"requests": {"cpu": "500m", "memory": "1Gi"}}
    template = {"spec": {"containers": [{"name": "triton", "env": env, "resources": resources}]}}
    labels = {LABEL_MODEL: model, LABEL_COLOR: color, LABEL_REVISION: f"{model}-3"}
    metadata = {"name": f"{model}-{color}", "namespace": "ml", "uid": f"u-{model}-{color}", "labels": labels}
    return {"metadata": metadata, "spec": {"replicas": pods, "template": template}, "status": {"replicas": pods}}


def test_colors_with_pods_are_named_with_what_each_pod_reserves() -> None:
    # given a model whose name has a dash, with pods in one color, and one that is gone
    deployments = Deployments(lambda *_: None)
    for found in (
        deployment("credit-risk", "blue", 3),
        deployment("credit-risk", "green", 0),
        deployment("iris", "blue", 1),
    ):
        deployments.on_upsert(found)
    deployments.on_delete(("ml", "iris-blue"))
    # when
    [(key, color, slim)] = deployments.running()
    # then
    assert (key, color) == (("ml", "credit-risk"), Color.BLUE)
    assert (slim.pods, slim.revision, slim.version) == (3, "credit-risk-3", "v7")
    assert slim.demand == Demand(0.5, 2**30)


def test_equal_demands_are_one_object() -> None:
    deployments = Deployments(lambda *_: None)
    for name in ("iris", "rose"):
        deployments.on_upsert(deployment(name, "blue", 1))
    first, second = (slim.demand for *_, slim in deployments.running())
    assert first is second
