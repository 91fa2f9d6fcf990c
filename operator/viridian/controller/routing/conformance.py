"""Are the Services, the budgets, the live settings and the route of a model as they should be? Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from viridian.api.names import Color
from viridian.api.quantities import parse_duration
from viridian.api.revision import Revision
from viridian.api.status import Phase
from viridian.controller.cache.models import Model
from viridian.kube.client import Manifest
from viridian.rollout.context import full_replicas
from viridian.rollout.observed import Autoscaler, RouteFacts
from viridian.traffic.route import RouteView, build_route_spec, read_route, traffic_of
from viridian.workloads.live_settings import asks_for_live_settings, build_live_settings
from viridian.workloads.scaling import build_budget
from viridian.workloads.services import build_color_service, build_stable_service

from . import service as flip

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


def route_timeout(model: Model, revisions: Mapping[str, Revision]) -> str:
    """How long the route lets a request take: as long as stable and the candidate do, for it is the route of both.

    A revision's timeout is its own: what a new one wants must not cut the answers of the one that serves.
    """
    roles = (model.status.stable, model.status.candidate)
    stored = [revisions[role.revision] for role in roles if role is not None and role.revision in revisions]
    return max(
        (revision.input.serving.timeout for revision in stored),
        key=parse_duration,
        default=model.spec.serving.timeout,
    )


def read_weights(
    model: Model, route: RouteView | None, service: Manifest | None, timeout: str | None
) -> RouteFacts | None:
    """What carries the weights: the route, or the Service NAME where there is no gateway.

    Args:
        model: as it was last seen.
        route: as it is.
        service: NAME, as it is.
        timeout: what the route should have; None where that is not known, and any is fine.
    """
    if not model.spec.has_route:
        facts = flip.read_flip(service)
        return replace(facts, follows_spec=selected(model, service) is not None) if facts is not None else None
    if route is None:
        return None
    any_weights = {Color.BLUE: 100, Color.GREEN: 0}
    wanted = build_route_spec(model.owner.name, model.spec.traffic, timeout or "", any_weights, any_weights)
    follows = _timed(traffic_of(wanted), timeout) == _timed(route.traffic, timeout)
    return RouteFacts(
        rules=route.weights,
        aborted=route.aborted,
        problem=route.problem,
        follows_spec=follows,
        accepted=route.accepted,
    )


def rests_on(model: Model, stable: Color, live: Manifest) -> bool:
    """Whether the route of a model at rest gives everything to stable, as the spec has it, and is accepted."""
    # Where stable is not what the spec asks for, its revision would have to be read to know its timeout.
    timeout = model.spec.serving.timeout if model.status.phase is Phase.STABLE else None
    facts = read_weights(model, read_route(model.owner.name, live), None, timeout)
    at_rest = {stable: 100, stable.other: 0}
    taken = facts is not None and facts.accepted and facts.problem is None
    return facts is not None and taken and facts.follows_spec and facts.gives(at_rest, at_rest)


def scaling_at_rest(model: Model) -> Autoscaler | None:
    """What the autoscaler of stable is told while no rollout runs; None where the spec asks for none."""
    scaling = model.spec.serving.autoscaling
    if scaling is None:
        return None
    fewest = full_replicas(model.spec.serving, model.status.floor)
    return Autoscaler(fewest, scaling.max_replicas, scaling.cpu_percent)


def _timed(traffic: dict[str, Any], timeout: str | None) -> dict[str, Any]:
    if timeout is not None:
        return traffic
    return {**traffic, "rules": [{**rule, "timeouts": {}} for rule in traffic["rules"]]}


def _is_as_made(live: Manifest, wanted: Manifest) -> bool:
    """Whether an object is as we made it; what the API server adds by itself is."""
    spec, labels = live["spec"], live["metadata"].get("labels") or {}
    as_made = all(spec.get(field) == value for field, value in wanted["spec"].items())
    untouched = all(not spec.get(field) or spec[field] == _DEFAULTS.get(field) for field in _TELLING)
    return as_made and untouched and bool(wanted["metadata"]["labels"].items() <= labels.items())
