"""What keeps enough pods of a color: a PodDisruptionBudget, and a HorizontalPodAutoscaler where one is asked for."""

from typing import Any, Final

from viridian.api.names import LABEL_COLOR, LABEL_MODEL, Color, color_name

from .owner import Owner, build_metadata

_MEASURED: Final = ("triton", "api")
"""The containers whose CPU decides. A sidecar that somebody injects into the pods requests none, perhaps, and then the
load of a whole pod cannot be told."""


def build_budget(owner: Owner, color: Color) -> dict[str, Any]:
    """The PodDisruptionBudget of a color: a drained node takes one pod at a time.

    Pods that are not ready may always be evicted: a candidate whose pods never become ready must not block a drain.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": build_metadata(owner, color_name(owner.name, color), {LABEL_COLOR: str(color)}),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {LABEL_MODEL: owner.name, LABEL_COLOR: str(color)}},
        },
    }


def build_autoscaler(owner: Owner, color: Color, *, fewest: int, most: int, cpu_percent: int) -> dict[str, Any]:
    """The HorizontalPodAutoscaler of a color: fewest and most pods, and its target share of the requested CPU.

    Each of our containers is measured by itself, and the busier one decides: that is the one that limits the pod.
    """
    name = color_name(owner.name, color)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": build_metadata(owner, name, {LABEL_COLOR: str(color)}),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": fewest,
            "maxReplicas": most,
            "metrics": _metrics(cpu_percent),
        },
    }


def read_cpu_percent(autoscaler: dict[str, Any]) -> int:
    """The share of the requested CPU that an autoscaler aims at, in percent; 0 where it measures anything else."""
    metrics = autoscaler["spec"].get("metrics") or [{}]
    target = metrics[0].get("containerResource", {}).get("target", {})
    percent = int(target.get("averageUtilization", 0))
    return percent if metrics == _metrics(percent) else 0


def _metrics(cpu_percent: int) -> list[dict[str, Any]]:
    target = {"type": "Utilization", "averageUtilization": cpu_percent}
    return [
        {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": container, "target": target}}
        for container in _MEASURED
    ]
