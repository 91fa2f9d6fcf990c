"""Writes to the route: each is one JSON Patch that lands whole or not at all."""

import logging
from typing import Any

from viridian.api.names import FIELD_MANAGER
from viridian.controller.cache.models import Model
from viridian.controller.runtime.term import check_term
from viridian.kube.client import KubeClient
from viridian.kube.errors import Conflict, Refused
from viridian.kube.resources import HTTP_ROUTE
from viridian.traffic.patch import Patch, live_weights, patch_epoch, patch_traffic, patch_weights
from viridian.traffic.route import RouteView, Weights, build_route, build_route_spec, read_route
from viridian.workloads.owner import build_metadata, stamp

from . import service as flip

_log = logging.getLogger(__name__)


async def create(client: KubeClient, model: Model, longest: str, weights: Weights, pins: Weights, epoch: str) -> None:
    """Make the route, in a term of leadership.

    The term is part of the manager's name and of what is applied. So whoever applies in another term is in conflict,
    and a creation that comes late never changes the route that a later leader made.

    Raises:
        Conflict: there is a route by now; read again and decide again.
        Refused: the gateway's schema does not allow it.
    """
    owner, spec = model.owner, _spec(model, longest, weights, pins)
    route = stamp(build_route(build_metadata(owner, owner.name), spec), epoch)
    await client.apply(HTTP_ROUTE, route, manager=f"{FIELD_MANAGER}-{epoch}")


async def move(
    client: KubeClient,
    model: Model,
    route: RouteView,
    longest: str,
    weights: Weights,
    pins: Weights,
    aborted: str | None,
) -> None:
    """Bring a route that was read before to new weights; if it has lost its rules, requests may take that long.

    Raises:
        Conflict: somebody wrote in between; read again and decide again.
    """
    if route.weights:
        patch = patch_weights(model.owner.name, route, weights, pins, aborted=aborted)
    else:  # somebody took all rules away
        spec = _spec(model, longest, weights, pins)
        patch = patch_traffic(route, spec, aborted=aborted)
    await _patch(client, model, route, patch)


async def follow(client: KubeClient, model: Model, route: RouteView, longest: str, pins: Weights) -> None:
    """Bring everything but the split to what the spec says now; its rules for pinned users get the weights `pins`.

    `longest` is how long a request may take: that is the revisions' own affair.

    Raises:
        Conflict: somebody wrote in between; read again and decide again.
    """
    spec = _spec(model, longest, live_weights(route), pins)
    await _patch(client, model, route, patch_traffic(route, spec, aborted=route.aborted))


async def fence(client: KubeClient, model: Model, route: RouteView, epoch: str) -> None:
    """Let patches that earlier leaders made of this route come too late.

    Raises:
        Conflict: somebody wrote in between; read again.
    """
    await _patch(client, model, route, patch_epoch(route, epoch))


async def roll_back(client: KubeClient, model: Model, revision: str, epoch: str) -> bool:
    """All traffic to stable at once, with the mark that this revision was aborted.

    This is the one write that the ticker makes itself, so it reads the route afresh, and once more if it was too late.

    Returns:
        Whether there was something to move.

    Raises:
        NotLeading: somebody has led since our term `epoch`.
        KubeError: it could not be written.
    """
    stable = model.status.stable
    if stable is None:
        return False
    if not model.spec.has_route:
        return await flip.roll_back(client, model, stable.color, revision, epoch)
    weights = {stable.color: 100, stable.color.other: 0}
    for attempt in (1, 2):
        live = await client.get(HTTP_ROUTE, *model.key)
        if live is None or model.reference_in(live) is None:
            return False
        route = read_route(model.owner.name, live)
        check_term(route.annotations, epoch)
        if route.aborted == revision and route.gives(weights, weights):
            return True
        try:
            await move(client, model, route, model.spec.serving.timeout, weights, weights, revision)
        except Conflict:
            if attempt == 2:
                raise
            _log.info("%s/%s: the route moved under a rollback, reading it again", *model.key)
        else:
            return True
    return False


def _spec(model: Model, longest: str, weights: Weights, pins: Weights) -> dict[str, Any]:
    return build_route_spec(model.owner.name, model.spec.traffic, longest, weights, pins)


async def _patch(client: KubeClient, model: Model, route: RouteView, patch: Patch) -> None:
    """Send a patch; tell a failed test from a refusal by reading once more."""
    try:
        await client.patch(HTTP_ROUTE, *model.key, patch)
    except Refused as error:
        if error.status != 422:
            raise
        live = await client.get(HTTP_ROUTE, *model.key)
        if live is None:
            raise Conflict(409, f"HTTPRoute {model.owner.name} was deleted") from error
        now = read_route(model.owner.name, live)
        if _tested(now) == _tested(route):
            raise
        raise Conflict(409, f"HTTPRoute {model.owner.name} is at seq {now.seq}, not {route.seq} any more") from error


def _tested(route: RouteView) -> object:
    """What a patch tests of a route."""
    names = [[backend["name"] for backend in backends] for backends in route.backends]
    return route.uid, route.seq or route.version, names
