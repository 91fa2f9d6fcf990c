"""Read the children of one model from the API and say what they are as plain values."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from viridian.api.errors import ForeignChild
from viridian.api.names import LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, Color, color_name
from viridian.api.revision import Revision
from viridian.api.traffic import ParentRef
from viridian.controller.cache.models import Model
from viridian.controller.children.adoption import adopt, adopt_revisions, revision_number
from viridian.controller.children.drift import Drift
from viridian.controller.children.pods import read_pods
from viridian.controller.children.refusals import refused_creation
from viridian.controller.routing import conformance as inline
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import (
    AUTOSCALER,
    BUDGET,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GATEWAY,
    HTTP_ROUTE,
    POD,
    SERVICE,
    Kind,
)
from viridian.rollout.observed import ApplyFailure, Autoscaler, ColorView, Evidence, Observed
from viridian.traffic.route import RouteView, read_route
from viridian.workloads.deployments import build_deployment
from viridian.workloads.live_settings import asks_for_live_settings, live_settings_name
from viridian.workloads.revisions import read_controller_revision, rebuild_revision
from viridian.workloads.scaling import read_cpu_percent


@dataclass(frozen=True)
class Children:
    """The live children, as they are needed again to write them: with UID, resourceVersion and the rest."""

    deployments: dict[Color, Manifest] = field(default_factory=dict)
    services: dict[Color | None, Manifest] = field(default_factory=dict)
    revisions: dict[str, Manifest] = field(default_factory=dict)
    autoscalers: dict[Color, Manifest] = field(default_factory=dict)
    budgets: dict[Color, Manifest] = field(default_factory=dict)
    route: RouteView | None = None
    live_settings: Manifest | None = None


_BY_NAME = (*[DEPLOYMENT] * len(Color), *[SERVICE] * (len(Color) + 1), HTTP_ROUTE)
_BY_LABEL = (POD, ENDPOINT_SLICE, CONTROLLER_REVISION, AUTOSCALER, BUDGET)


async def observe(
    client: KubeClient,
    model: Model,
    evidence: Evidence,
    drift: Drift,
    taken: str | None = None,
    failure: ApplyFailure | None = None,
    *,
    now: datetime,
) -> tuple[Children, Observed]:
    """Look at everything that a decision on `model` needs.

    Args:
        client: reads.
        model: the model as it was last seen.
        evidence: what the metrics say.
        drift: holds Deployments against what we would write.
        taken: a sentence about the model that has this one's host and path.
        failure: what kept the last decision from being carried out.
        now: the time, with a zone.

    Raises:
        Conflict: a child changed while it was looked at.
        ForeignChild: an object under one of our names belongs to somebody else.
        BrokenChild: a stored revision cannot be read.
        KubeError: the API does not answer.
    """
    namespace, name = model.key
    labels = {LABEL_MODEL: name}
    named, (pods, slices, revisions, scalers, budgets), gateways, settings = await asyncio.gather(
        asyncio.gather(
            *(client.get(DEPLOYMENT, namespace, color_name(name, color)) for color in Color),
            *(client.get(SERVICE, namespace, color_name(name, color)) for color in Color),
            client.get(SERVICE, namespace, name),
            client.get(HTTP_ROUTE, namespace, name),
        ),
        asyncio.gather(*(client.find(kind, namespace, labels) for kind in _BY_LABEL)),
        _gateways(client, model),
        _live_settings(client, model),
    )
    named = [
        await claim(client, kind, child, model) if child is not None else None
        for kind, child in zip(_BY_NAME, named, strict=True)
    ]
    # Whatever else carries our label, such as what copies labels, has a name of its own, and is in nobody's way.
    ours = {color_name(name, color) for color in Color}
    scalers = [await claim(client, AUTOSCALER, child, model) for child in scalers if child["metadata"]["name"] in ours]
    budgets = [await claim(client, BUDGET, child, model) for child in budgets if child["metadata"]["name"] in ours]
    taken_up = await adopt_revisions(client, revisions, model)
    autoscalers, of_budgets = _by_color(scalers), _by_color(budgets)
    *of_colors, stable, route = named
    both = len(Color)
    deployments = {color: child for color, child in zip(Color, of_colors[:both], strict=True) if child is not None}
    services: dict[Color | None, Manifest] = {
        color: child for color, child in zip(Color, of_colors[both:], strict=True) if child is not None
    }
    if stable is not None:
        services[None] = stable
    own = {child["metadata"]["name"]: child for child in taken_up if _is_owned(child, model)}
    stored = {revision: read_controller_revision(child) for revision, child in own.items()}
    running = (rebuild_revision(deployment) for deployment in deployments.values())
    lost = {revision.name: revision for revision in running if revision is not None and revision.name not in stored}
    view = read_route(name, route, gateways) if route is not None else None
    known = {**lost, **stored}
    drifted = await _drifted(drift, model, deployments, known)
    of_each = ([pod for pod in pods if pod["metadata"]["labels"].get(LABEL_COLOR) == color] for color in Color)
    seen = await asyncio.gather(*(read_pods(client, of_one, now) for of_one in of_each))
    observed = Observed(
        generation=model.generation,
        colors={
            color: ColorView(
                revision=_revision(model, color, deployments.get(color)),
                replicas=_replicas(deployments.get(color)),
                pods=of_color,
                # Those of a Service that was just deleted stay listed for a moment, and lead nowhere.
                endpoints=_endpoints(color, slices) if color in services else frozenset(),
                has_service=inline.is_color_service(model, color, services.get(color)),
                has_budget=inline.is_budget(model, color, of_budgets.get(color)),
                autoscaler=read_autoscaler(autoscalers.get(color)),
                drifted=color in drifted,
                refusal=refused_creation(deployments.get(color)),
            )
            for color, of_color in zip(Color, seen, strict=True)
        },
        revisions=known,
        lost=frozenset(lost),
        highest=max((revision_number(name, used) for used in _used_names(pods, revisions)), default=0),
        route=inline.read_weights(model, view, stable, inline.route_timeout(model, known)),
        stray_route=view is not None and not model.spec.has_route,
        stable_service=inline.selected(model, stable),
        gateway_problem=_gateway_problem(model, gateways),
        taken=taken,
        live_settings=inline.are_live_settings(model, settings),
        command=model.command,
        command_by=model.command_by,
        evidence=evidence,
        apply_failure=failure,
    )
    return Children(deployments, services, own, autoscalers, of_budgets, view, settings), observed


async def _drifted(
    drift: Drift, model: Model, deployments: Mapping[Color, Manifest], revisions: Mapping[str, Revision]
) -> set[Color]:
    """The colors whose Deployment somebody edited; one that is empty is written anew before it is used again."""
    found = set()
    for color, live in deployments.items():
        revision = revisions.get(_revision(model, color, live) or "")
        if revision is None or not _replicas(live) or "deletionTimestamp" in live["metadata"]:
            continue
        if await drift.has_drifted(live, build_deployment(model.owner, color, revision, _replicas(live))):
            found.add(color)
    return found


def _revision(model: Model, color: Color, deployment: Manifest | None) -> str | None:
    """The revision that a color runs. Of two labels that disagree somebody edited one: the expected one counts."""
    if deployment is None:
        return None
    named = [
        (labels or {}).get(LABEL_REVISION)
        for labels in (deployment["metadata"].get("labels"), deployment["spec"]["template"]["metadata"].get("labels"))
    ]
    roles = (model.status.stable, model.status.candidate, model.status.drain)
    expected = {role.revision for role in roles if role is not None and role.color is color}
    return next((name for name in named if name in expected), named[0] or named[1])


def _replicas(deployment: Manifest | None) -> int:
    return int(deployment["spec"].get("replicas", 1)) if deployment is not None else 0


def _endpoints(color: Color, slices: list[Manifest]) -> frozenset[str]:
    return frozenset(
        endpoint["targetRef"]["uid"]
        for piece in slices
        if piece["metadata"]["labels"].get(LABEL_COLOR) == color
        for endpoint in piece.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") and endpoint.get("targetRef")
    )


def _by_color(children: list[Manifest]) -> dict[Color, Manifest]:
    by_label = {child["metadata"]["labels"].get(LABEL_COLOR): child for child in children}
    return {color: by_label[color] for color in Color if color in by_label}


def read_autoscaler(manifest: Manifest | None) -> Autoscaler | None:
    """What an autoscaler is told; its CPU is 0 where it is told of anything else."""
    if manifest is None:
        return None
    spec = manifest["spec"]
    return Autoscaler(spec.get("minReplicas", 1), spec["maxReplicas"], read_cpu_percent(manifest))


async def _gateways(client: KubeClient, model: Model) -> dict[tuple[str, str], Manifest]:
    """The Gateways that a model names, by namespace and name, as far as they exist."""
    places = {_place(parent, model) for parent in model.spec.traffic.parent_refs}
    found = await asyncio.gather(*(client.get(GATEWAY, *place) for place in places))
    return {place: gateway for place, gateway in zip(places, found, strict=True) if gateway is not None}


async def _live_settings(client: KubeClient, model: Model) -> Manifest | None:
    """The ConfigMap of what pods reload; a stranger's of that name is in nobody's way unless it is needed."""
    found = await client.get(CONFIG_MAP, model.key[0], live_settings_name(model.key[1]))
    if found is None or not (_is_owned(found, model) or asks_for_live_settings(model.spec.serving)):
        return None
    return await claim(client, CONFIG_MAP, found, model)


def _gateway_problem(model: Model, gateways: Mapping[tuple[str, str], Manifest]) -> str | None:
    """A sentence about the first Gateway that is not there, naming the field."""
    for index, parent in enumerate(model.spec.traffic.parent_refs):
        place = _place(parent, model)
        if place not in gateways:
            return (
                f"spec.traffic.parentRefs[{index}]: there is no Gateway {place[1]} in namespace {place[0]}:"
                " create it, or name one that exists"
            )
    return None


def _place(parent: ParentRef, model: Model) -> tuple[str, str]:
    return parent.namespace or model.key[0], parent.name


def _used_names(pods: list[Manifest], revisions: list[Manifest]) -> set[str]:
    """The revisions that anything here names, ours or not: no name is given twice."""
    labels = (child["metadata"].get("labels") or {} for child in (*pods, *revisions))
    return {label.get(LABEL_REVISION, "") for label in labels} | {child["metadata"]["name"] for child in revisions}


def _is_owned(child: dict[str, Any], model: Model) -> bool:
    reference = model.reference_in(child)
    return reference is not None and bool(reference.get("controller"))


async def claim(client: KubeClient, kind: Kind, child: Manifest, model: Model) -> Manifest:
    """A child that is ours, or has become so by adoption.

    Raises:
        Conflict: somebody wrote in between.
        ForeignChild: it belongs to somebody else; the message names it and the way out.
    """
    child = await adopt(client, kind, child, model)
    if not _is_owned(child, model):
        raise _foreign(child)
    return child


def _foreign(child: Manifest) -> ForeignChild:
    kind, name = child["kind"], child["metadata"]["name"]
    owner = next(iter(child["metadata"].get("ownerReferences") or []), None)
    whose = f"belongs to {owner['kind']} {owner['name']} (UID {owner['uid']})" if owner else "belongs to nobody"
    return ForeignChild(
        f"{kind} {name} {whose}, and this model needs that name: delete it, or give the model another name;"
        " if it is left from a deleted model of the same name, it goes by itself"
    )
