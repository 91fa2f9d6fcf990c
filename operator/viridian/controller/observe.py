"""Read the children of one model from the API and say what they are as plain values."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from viridian.api.errors import ForeignChild
from viridian.api.names import LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, Color, color_name
from viridian.api.traffic import ParentRef
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import (
    AUTOSCALER,
    BUDGET,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GATEWAY,
    HTTP_ROUTE,
    POD,
    SERVICE,
)
from viridian.rollout.observed import Autoscaler, ColorView, Evidence, Observed, RouteFacts
from viridian.traffic.route import RouteView, build_route_spec, read_route, traffic_of
from viridian.workloads.revisions import read_controller_revision, rebuild_revision

from . import flip
from .models import Model
from .pods import read_pod


@dataclass(frozen=True)
class Children:
    """The live children, as they are needed again to write them: with UID, resourceVersion and the rest."""

    deployments: dict[Color, Manifest] = field(default_factory=dict)
    services: dict[Color | None, Manifest] = field(default_factory=dict)
    revisions: dict[str, Manifest] = field(default_factory=dict)
    autoscalers: dict[Color, Manifest] = field(default_factory=dict)
    budgets: dict[Color, Manifest] = field(default_factory=dict)
    route: RouteView | None = None


_BY_LABEL = (POD, ENDPOINT_SLICE, CONTROLLER_REVISION, AUTOSCALER, BUDGET)


async def observe(client: KubeClient, model: Model, evidence: Evidence) -> tuple[Children, Observed]:
    """Look at everything that a decision on `model` needs.

    Raises:
        ForeignChild: an object under one of our names belongs to somebody else.
        BrokenChild: a stored revision cannot be read.
        KubeError: the API does not answer.
    """
    namespace, name = model.key
    labels = {LABEL_MODEL: name}
    named, (pods, slices, revisions, scalers, budgets), problem = await asyncio.gather(
        asyncio.gather(
            *(client.get(DEPLOYMENT, namespace, color_name(name, color)) for color in Color),
            *(client.get(SERVICE, namespace, color_name(name, color)) for color in Color),
            client.get(SERVICE, namespace, name),
            client.get(HTTP_ROUTE, namespace, name),
        ),
        asyncio.gather(*(client.find(kind, namespace, labels) for kind in _BY_LABEL)),
        _gateway_problem(client, namespace, model.spec.traffic.parent_refs),
    )
    for child in (*named, *scalers, *budgets):
        if child is not None:
            _refuse_foreign(child, model)
    autoscalers, of_budgets = _by_color(scalers), _by_color(budgets)
    *of_colors, stable, route = named
    both = len(Color)
    deployments = {color: child for color, child in zip(Color, of_colors[:both], strict=True) if child is not None}
    services: dict[Color | None, Manifest] = {
        color: child for color, child in zip(Color, of_colors[both:], strict=True) if child is not None
    }
    if stable is not None:
        services[None] = stable
    own = {child["metadata"]["name"]: child for child in revisions if _is_owned(child, model)}
    stored = {revision: read_controller_revision(child) for revision, child in own.items()}
    running = (rebuild_revision(deployment) for deployment in deployments.values())
    lost = {revision.name: revision for revision in running if revision is not None and revision.name not in stored}
    view = read_route(name, route) if route is not None else None
    observed = Observed(
        generation=model.generation,
        colors={
            color: replace(
                _color(color, deployments.get(color), pods, slices, color in services),
                has_budget=color in of_budgets,
                autoscaler=_read_autoscaler(autoscalers.get(color)),
            )
            for color in Color
        },
        revisions={**lost, **stored},
        lost=frozenset(lost),
        route=_facts(model, view) if model.spec.has_route else flip.read_flip(stable),
        stray_route=view is not None and not model.spec.has_route,
        stable_service=flip.selected(stable),
        gateway_problem=problem,
        command=model.command,
        evidence=evidence,
    )
    return Children(deployments, services, own, autoscalers, of_budgets, view), observed


def _facts(model: Model, route: RouteView | None) -> RouteFacts | None:
    if route is None:
        return None
    any_weights = {Color.BLUE: 100, Color.GREEN: 0}
    traffic, timeout = model.spec.traffic, model.spec.serving.timeout
    wanted = build_route_spec(model.owner.name, traffic, timeout, any_weights, any_weights)
    follows = traffic_of(wanted) == route.traffic
    return RouteFacts(rules=route.weights, aborted=route.aborted, problem=route.problem, follows_spec=follows)


def _color(
    color: Color, deployment: Manifest | None, pods: list[Manifest], slices: list[Manifest], has_service: bool
) -> ColorView:
    ready = frozenset(
        endpoint["targetRef"]["uid"]
        for piece in slices
        if piece["metadata"]["labels"].get(LABEL_COLOR) == color
        for endpoint in piece.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") and endpoint.get("targetRef")
    )
    return ColorView(
        revision=(deployment["metadata"].get("labels") or {}).get(LABEL_REVISION) if deployment is not None else None,
        replicas=int(deployment["spec"].get("replicas", 1)) if deployment is not None else 0,
        pods=tuple(read_pod(pod) for pod in pods if pod["metadata"]["labels"].get(LABEL_COLOR) == color),
        endpoints=ready,
        has_service=has_service,
    )


def _by_color(children: list[Manifest]) -> dict[Color, Manifest]:
    by_label = {child["metadata"]["labels"].get(LABEL_COLOR): child for child in children}
    return {color: by_label[color] for color in Color if color in by_label}


def _read_autoscaler(manifest: Manifest | None) -> Autoscaler | None:
    if manifest is None:
        return None
    spec = manifest["spec"]
    cpu = [
        metric["resource"]["target"].get("averageUtilization", 0)
        for metric in spec.get("metrics", [])
        if "resource" in metric
    ]
    return Autoscaler(spec.get("minReplicas", 1), spec["maxReplicas"], cpu[0] if len(cpu) == 1 else 0)


async def _gateway_problem(client: KubeClient, namespace: str, parents: list[ParentRef]) -> str | None:
    """A sentence about the first Gateway that is not there, naming the field."""
    places = [(parent.namespace or namespace, parent.name) for parent in parents]
    found = await asyncio.gather(*(client.get(GATEWAY, place, name) for place, name in places))
    for index, (gateway, (place, name)) in enumerate(zip(found, places, strict=True)):
        if gateway is None:
            return (
                f"spec.traffic.parentRefs[{index}]: there is no Gateway {name} in namespace {place}:"
                " create it, or name one that exists"
            )
    return None


def _is_owned(child: dict[str, Any], model: Model) -> bool:
    reference = model.reference_in(child)
    return reference is not None and bool(reference.get("controller"))


def _refuse_foreign(child: Manifest, model: Model) -> None:
    if _is_owned(child, model):
        return
    kind, name = child["kind"], child["metadata"]["name"]
    owner = next(iter(child["metadata"].get("ownerReferences") or []), None)
    whose = f"belongs to {owner['kind']} {owner['name']} (UID {owner['uid']})" if owner else "belongs to nobody"
    raise ForeignChild(
        f"{kind} {name} {whose}, and this model needs that name: delete it, or give the model another name;"
        " if it is left from a deleted model of the same name, it goes by itself"
    )
