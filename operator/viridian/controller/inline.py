"""Are the Services, the budgets, the live settings and the route of a model as they should be? Pure."""

from dataclasses import replace

from viridian.api.names import Color
from viridian.kube.client import Manifest
from viridian.rollout.observed import RouteFacts
from viridian.traffic.route import RouteView, build_route_spec, read_route, traffic_of
from viridian.workloads.live_settings import asks_for_live_settings, build_live_settings
from viridian.workloads.scaling import build_budget
from viridian.workloads.services import build_color_service, build_stable_service

from . import flip
from .models import Model

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
    return live is not None and _is_as_made(live, build_color_service(model.owner, color))


def is_budget(model: Model, color: Color, live: Manifest | None) -> bool:
    """Whether a color's PodDisruptionBudget is there and as we made it."""
    return live is not None and _is_as_made(live, build_budget(model.owner, color))


def are_live_settings(model: Model, live: Manifest | None) -> bool:
    """Whether the pods are told what the spec has for them to reload; where there is nothing, nobody need tell them."""
    if live is None:
        return not asks_for_live_settings(model.spec.serving)
    return bool(live.get("data") == build_live_settings(model.owner, model.spec.serving)["data"])


def selected(model: Model, service: Manifest | None) -> Color | None:
    """The color that NAME selects; none if somebody made anything else of it."""
    if service is None:
        return None
    made = (color for color in Color if _is_as_made(service, build_stable_service(model.owner, color)))
    return next(made, None)


def read_weights(model: Model, route: RouteView | None, service: Manifest | None) -> RouteFacts | None:
    """What carries the weights: the route, or the Service NAME where there is no gateway."""
    if not model.spec.has_route:
        facts = flip.read_flip(service)
        return replace(facts, follows_spec=selected(model, service) is not None) if facts is not None else None
    if route is None:
        return None
    any_weights = {Color.BLUE: 100, Color.GREEN: 0}
    traffic, timeout = model.spec.traffic, model.spec.serving.timeout
    wanted = build_route_spec(model.owner.name, traffic, timeout, any_weights, any_weights)
    follows = traffic_of(wanted) == route.traffic
    return RouteFacts(rules=route.weights, aborted=route.aborted, problem=route.problem, follows_spec=follows)


def rests_on(model: Model, stable: Color, live: Manifest) -> bool:
    """Whether the route of a model at rest gives everything to stable, as the spec has it, and is accepted."""
    facts = read_weights(model, read_route(model.owner.name, live), None)
    at_rest = {stable: 100, stable.other: 0}
    return facts is not None and facts.follows_spec and facts.problem is None and facts.gives(at_rest, at_rest)


def _is_as_made(live: Manifest, wanted: Manifest) -> bool:
    """Whether an object is as we made it; what the API server adds by itself is."""
    spec, labels = live["spec"], live["metadata"].get("labels") or {}
    as_made = all(spec.get(field) == value for field, value in wanted["spec"].items())
    untouched = all(not spec.get(field) or spec[field] == _DEFAULTS.get(field) for field in _TELLING)
    return as_made and untouched and bool(wanted["metadata"]["labels"].items() <= labels.items())
