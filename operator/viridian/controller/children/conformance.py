"""Are the Services, the budgets, the autoscalers and the live settings of a model as they should be? Pure."""

from viridian.api.names import LABEL_COLOR, Color
from viridian.controller.cache.models import Model
from viridian.kube.client import Manifest
from viridian.rollout.context import full_replicas
from viridian.rollout.observed import Autoscaler
from viridian.workloads.live_settings import asks_for_live_settings, build_live_settings
from viridian.workloads.scaling import build_budget, read_cpu_percent
from viridian.workloads.services import build_color_service

_DEFAULTS = {"sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
"""What the API server itself says of a Service that says nothing about it."""
_TELLING = (
    *_DEFAULTS,
    "publishNotReadyAddresses",
    "sessionAffinityConfig",
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "trafficDistribution",
)
"""What we leave out of a Service, and what changes whom it reaches once somebody sets it."""


def is_color_service(model: Model, color: Color, live: Manifest | None) -> bool:
    """Whether a color's Service is there and as we made it."""
    return live is not None and is_as_made(live, build_color_service(model.owner, color))


def is_budget(model: Model, color: Color, live: Manifest | None) -> bool:
    """Whether a color's PodDisruptionBudget is there and as we made it."""
    return live is not None and is_as_made(live, build_budget(model.owner, color))


def are_live_settings(model: Model, live: Manifest | None) -> bool:
    """Whether the pods are told what the spec has for them to reload; where there is nothing, nobody need tell them."""
    if live is None:
        return not asks_for_live_settings(model.spec)
    return bool(live.get("data") == build_live_settings(model.owner, model.spec)["data"])


def selected_by(service: Manifest | None) -> Color | None:
    """The color that a Service selects, if it selects one."""
    if service is None:
        return None
    color = (service["spec"].get("selector") or {}).get(LABEL_COLOR)
    return Color(color) if color in set(Color) else None


def read_autoscaler(manifest: Manifest | None) -> Autoscaler | None:
    """The settings of an autoscaler; its CPU is 0 where it uses another metric."""
    if manifest is None:
        return None
    spec = manifest["spec"]
    return Autoscaler(spec.get("minReplicas", 1), spec["maxReplicas"], read_cpu_percent(manifest))


def scaling_at_rest(model: Model) -> Autoscaler | None:
    """The settings of stable's autoscaler while no rollout runs; None without autoscaling."""
    scaling = model.spec.serving.autoscaling
    if scaling is None:
        return None
    fewest = full_replicas(model.spec.serving, model.status.floor)
    return Autoscaler(fewest, scaling.max_replicas, scaling.cpu_percent)


def is_as_made(live: Manifest, wanted: Manifest) -> bool:
    """Whether an object is as we made it; what the API server adds by itself is."""
    spec, labels = live["spec"], live["metadata"].get("labels") or {}
    as_made = all(spec.get(field) == value for field, value in wanted["spec"].items())
    untouched = all(not spec.get(field) or spec[field] == _DEFAULTS.get(field) for field in _TELLING)
    return as_made and untouched and bool(wanted["metadata"]["labels"].items() <= labels.items())
