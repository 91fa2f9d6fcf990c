"""The children of one model as they are read: with UID, resourceVersion and the rest, which their writes need."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from viridian.api.names import LABEL_COLOR, LABEL_MODEL, Color, color_name
from viridian.controller.cache.models import Model
from viridian.controller.children.adoption import adopt_revisions, claim, is_owned
from viridian.controller.children.check_jobs import find_checks, find_kept
from viridian.controller.routing.router import Parents
from viridian.controller.routing.routers import ROUTERS, router_of
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import (
    AUTOSCALER,
    BUDGET,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    POD,
    SERVICE,
    Kind,
)
from viridian.workloads.live_settings import asks_for_live_settings, live_settings_name


@dataclass(frozen=True)
class Children:
    """The model's own children; `carriers` are the objects NAME that carry its traffic or may have, by their kind."""

    deployments: dict[Color, Manifest] = field(default_factory=dict)
    services: dict[Color, Manifest] = field(default_factory=dict)
    carriers: dict[Kind, Manifest] = field(default_factory=dict)
    revisions: dict[str, Manifest] = field(default_factory=dict)
    autoscalers: dict[Color, Manifest] = field(default_factory=dict)
    budgets: dict[Color, Manifest] = field(default_factory=dict)
    live_settings: Manifest | None = None
    checks: dict[str, Manifest] = field(default_factory=dict)
    kept: Manifest | None = None


@dataclass(frozen=True)
class Surroundings:
    """What others make of the children, or hold ready for them.

    `revisions` are all ControllerRevisions with the model's label, whosever they are; `parents` is what the carrier of
    the traffic hangs on.
    """

    pods: list[Manifest]
    slices: list[Manifest]
    revisions: list[Manifest]
    parents: Parents
    check_pods: list[Manifest]


async def find_children(client: KubeClient, model: Model) -> tuple[Children, Surroundings]:
    """Read the children of a model, orphans among them taken up.

    Raises:
        Conflict: a child changed while it was looked at.
        ForeignChild: an object under one of our names belongs to somebody else.
        KubeError: the API does not answer.
    """
    by_label = (POD, ENDPOINT_SLICE, CONTROLLER_REVISION, AUTOSCALER, BUDGET)
    (
        deployments,
        services,
        carriers,
        (pods, slices, revisions, scalers, budgets),
        parents,
        (settings, (checks, check_pods), (kept, kept_pods)),
    ) = await asyncio.gather(
        _find_colors(client, DEPLOYMENT, model),
        _find_colors(client, SERVICE, model),
        asyncio.gather(*(client.get(router.kind, *model.key) for router in ROUTERS)),
        asyncio.gather(*(client.find(kind, model.key[0], {LABEL_MODEL: model.key[1]}) for kind in by_label)),
        router_of(model.spec).find_parents(client, model),
        asyncio.gather(_find_live_settings(client, model), find_checks(client, model), find_kept(client, model)),
    )
    kinds = [router.kind for router in ROUTERS]
    children = Children(
        deployments=await _claim_colors(client, DEPLOYMENT, deployments, model),
        services=await _claim_colors(client, SERVICE, services, model),
        carriers={
            kind: await claim(client, kind, child, model)
            for kind, child in zip(kinds, carriers, strict=True)
            if child is not None
        },
        autoscalers=await _claim_colors(client, AUTOSCALER, _by_color(scalers, model), model),
        budgets=await _claim_colors(client, BUDGET, _by_color(budgets, model), model),
        revisions={
            child["metadata"]["name"]: child
            for child in await adopt_revisions(client, revisions, model)
            if is_owned(child, model)
        },
        live_settings=settings,
        checks=checks,
        kept=kept,
    )
    return children, Surroundings(pods, slices, revisions, parents, [*check_pods, *kept_pods])


async def _find_colors(client: KubeClient, kind: Kind, model: Model) -> dict[Color, Manifest]:
    namespace, name = model.key
    found = await asyncio.gather(*(client.get(kind, namespace, color_name(name, color)) for color in Color))
    return {color: child for color, child in zip(Color, found, strict=True) if child is not None}


async def _claim_colors(
    client: KubeClient, kind: Kind, found: dict[Color, Manifest], model: Model
) -> dict[Color, Manifest]:
    return {color: await claim(client, kind, child, model) for color, child in found.items()}


def _by_color(found: Iterable[Manifest], model: Model) -> dict[Color, Manifest]:
    """Those with one of our names.

    Whatever else carries our label, such as what copies labels, has its own name, and is in nobody's way.
    """
    ours = {color_name(model.owner.name, color) for color in Color}
    by_label = {
        child["metadata"]["labels"].get(LABEL_COLOR): child for child in found if child["metadata"]["name"] in ours
    }
    return {color: by_label[color] for color in Color if color in by_label}


async def _find_live_settings(client: KubeClient, model: Model) -> Manifest | None:
    """The ConfigMap of what pods reload; a stranger's of that name is in nobody's way unless it is needed."""
    found = await client.get(CONFIG_MAP, model.key[0], live_settings_name(model.key[1]))
    if found is None or not (is_owned(found, model) or asks_for_live_settings(model.spec)):
        return None
    return await claim(client, CONFIG_MAP, found, model)
