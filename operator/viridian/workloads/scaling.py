"""What keeps enough pods of a color: a PodDisruptionBudget, and a HorizontalPodAutoscaler where one is asked for."""

from typing import Any

from viridian.api.names import LABEL_COLOR, LABEL_MODEL, Color, color_name

from .owner import Owner, build_metadata


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
            "selector": {"matchLabels": {LABEL_MODEL: owner.name, LABEL_COLOR: str(color)}},
        },
    }

            "unhealthyPodEvictionPolicy": "AlwaysAllow",

def build_autoscaler(owner: Owner, color: Color, *, fewest: int, most: int, cpu_percent: int) -> dict[str, Any]:
    """The HorizontalPodAutoscaler of a color: between so many pods, aiming at this much of the requested CPU."""
    name = color_name(owner.name, color)
    target = {"type": "Utilization", "averageUtilization": cpu_percent}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": build_metadata(owner, name, {LABEL_COLOR: str(color)}),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": fewest,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
