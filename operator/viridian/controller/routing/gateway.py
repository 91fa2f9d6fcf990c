"""A gateway splits the traffic: one HTTPRoute, of which each write is one JSON Patch that lands whole or not at all."""

import asyncio
import logging
from typing import Any

from viridian.api.names import FIELD_MANAGER, Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import Phase
from viridian.api.traffic import ParentRef
from viridian.controller.cache.models import Model
from viridian.controller.runtime.term import check_term
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict, Refused
from viridian.kube.resources import GATEWAY, HTTP_ROUTE, Kind
from viridian.rollout.observed import RouteFacts
from viridian.traffic.patch import Patch, live_weights, patch_epoch, patch_traffic, patch_weights
from viridian.traffic.route import RouteView, Weights, build_route, build_route_spec, read_route, traffic_of
from viridian.workloads.owner import build_metadata, stamp

from .router import Parents, Site, Split, TrafficRouter

LOG = logging.getLogger(__name__)


class GatewayRouter(TrafficRouter):
    """The HTTPRoute NAME of the Gateway API."""

    kind: Kind = HTTP_ROUTE
    is_dedicated: bool = True

    def carries(self, spec: ModelDeploymentSpec) -> bool:
        """Whether a Gateway is named."""
        return spec.has_route

    async def find_parents(self, client: KubeClient, model: Model) -> Parents:
        """The Gateways that a model names."""
        places = {_place(parent, model) for parent in model.spec.traffic.parent_refs}
        found = await asyncio.gather(*(client.get(GATEWAY, *place) for place in places))
        return {place: gateway for place, gateway in zip(places, found, strict=True) if gateway is not None}

    def missing_parent(self, model: Model, parents: Parents) -> str | None:
        """A sentence about the first Gateway that is not there."""
        for index, parent in enumerate(model.spec.traffic.parent_refs):
            place = _place(parent, model)
            if place not in parents:
                return (
                    f"spec.traffic.parentRefs[{index}]: there is no Gateway {place[1]} in namespace {place[0]}:"
                    " create it, or name one that exists"
                )
        return None

    def read(
        self, model: Model, live: Manifest | None, timeout: str | None, parents: Parents | None = None
    ) -> RouteFacts | None:
        """What the route says."""
        if live is None:
            return None
        route = read_route(model.owner.name, live, parents)
        any_weights = {Color.BLUE: 100, Color.GREEN: 0}
        wanted = build_route_spec(model.owner.name, model.spec.traffic, timeout or "", any_weights, any_weights)
        return RouteFacts(
            rules=route.weights,
            aborted=route.aborted,
            problem=route.problem,
            follows_spec=_timed(traffic_of(wanted), timeout) == _timed(route.traffic, timeout),
            accepted=route.accepted,
            shadow=route.shadow,
        )

    def is_at_rest(self, model: Model, stable: Color, live: Manifest) -> bool:
        """Whether the route gives everything to stable, as the spec has it, and is accepted."""
        # Where stable is not what the spec asks for, its revision would have to be read to know its timeout.
        timeout = model.spec.serving.timeout if model.status.phase is Phase.STABLE else None
        facts = self.read(model, live, timeout)
        at_rest = {stable: 100, stable.other: 0}
        taken = facts is not None and facts.accepted and facts.problem is None
        return facts is not None and taken and facts.follows_spec and facts.gives(at_rest, at_rest)

    async def move(self, site: Site, live: Manifest | None, split: Split) -> None:
        """Bring the route to new weights; if it has lost its rules, requests may take the timeout of the split."""
        if live is None:
            await self._create(site, split)
            return
        route = _read_own(site, live)
        if route.weights:
            name = site.model.owner.name
            patch = patch_weights(name, route, split.weights, split.pins, aborted=split.aborted, shadow=split.shadow)
        else:  # somebody took all rules away
            patch = patch_traffic(route, _spec(site.model, split), aborted=split.aborted)
        await _patch(site, route, patch)

    async def _create(self, site: Site, split: Split) -> None:
        """Make the route.

        The term is part of the manager's name and of what is applied. So whoever applies in another term is in
        conflict, and a creation that comes late never changes the route that a later leader made.
        """
        owner = site.model.owner
        route = stamp(build_route(build_metadata(owner, owner.name), _spec(site.model, split)), site.epoch)
        await site.client.apply(HTTP_ROUTE, route, manager=f"{FIELD_MANAGER}-{site.epoch}")

    async def follow(self, site: Site, live: Manifest, pins: Weights, longest: str) -> None:
        """Bring everything but the split to what the spec says now."""
        route = _read_own(site, live)
        spec = _spec(site.model, Split(live_weights(route), pins, longest, shadow=route.shadow or None))
        await _patch(site, route, patch_traffic(route, spec, aborted=route.aborted))

    async def fence(self, site: Site, live: Manifest) -> None:
        """Let patches that earlier leaders made of this route come too late."""
        route = read_route(site.model.owner.name, live)
        await _patch(site, route, patch_epoch(route, site.epoch))

    async def roll_back(self, site: Site, stable: Color, revision: str) -> bool:
        """All traffic to stable; the route is read once more where the patch was too late."""
        model = site.model
        weights = {stable: 100, stable.other: 0}
        split = Split(weights, weights, model.spec.serving.timeout, revision)
        for attempt in (1, 2):
            live = await site.client.get(HTTP_ROUTE, *model.key)
            if live is None or model.reference_in(live) is None:
                return False
            route = _read_own(site, live)
            if route.aborted == revision and route.gives(weights, weights):
                return True
            try:
                await self.move(site, live, split)
            except Conflict:
                if attempt == 2:
                    raise
                LOG.info("%s/%s: the route changed during a rollback; reading it again", *model.key)
            else:
                return True
        return False


def _place(parent: ParentRef, model: Model) -> tuple[str, str]:
    return parent.namespace or model.key[0], parent.name


def _timed(traffic: dict[str, Any], timeout: str | None) -> dict[str, Any]:
    if timeout is not None:
        return traffic
    return {**traffic, "rules": [{**rule, "timeouts": {}} for rule in traffic["rules"]]}


def _spec(model: Model, split: Split) -> dict[str, Any]:
    weights = (split.weights, split.pins)
    return build_route_spec(model.owner.name, model.spec.traffic, split.timeout, *weights, split.shadow)


def _read_own(site: Site, live: Manifest) -> RouteView:
    """A route that is to be written.

    Raises:
        NotLeading: somebody has led since our term.
    """
    route = read_route(site.model.owner.name, live)
    check_term(route.annotations, site.epoch)
    return route


async def _patch(site: Site, route: RouteView, patch: Patch) -> None:
    """Send a patch; tell a failed test from a refusal by reading once more."""
    client, model = site.client, site.model
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
