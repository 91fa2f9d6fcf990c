"""What was read of the children of one model, as plain values."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

from viridian.api.names import LABEL_COLOR, LABEL_REVISION, Color
from viridian.api.revision import Revision
from viridian.controller.cache.models import Model
from viridian.controller.children import conformance
from viridian.controller.children.adoption import revision_number
from viridian.controller.children.check_jobs import read_check
from viridian.controller.children.drift import Drift
from viridian.controller.children.pods import read_pods
from viridian.controller.children.refusals import refused_creation
from viridian.controller.routing.routers import ROUTERS, router_of
from viridian.controller.routing.service import selected
from viridian.controller.routing.timeouts import route_timeout
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import SERVICE
from viridian.rollout.observed import ApplyFailure, ColorView, Evidence, Observed, Pod
from viridian.workloads.deployments import build_deployment
from viridian.workloads.revisions import read_controller_revision, rebuild_revision

from .children import Children, Surroundings, find_children


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
        failure: what kept the last decision from being applied.
        now: the time, with a zone.

    Raises:
        Conflict: a child changed while it was looked at.
        ForeignChild: an object under one of our names belongs to somebody else.
        BrokenChild: a stored revision cannot be read.
        KubeError: the API does not answer.
    """
    children, around = await find_children(client, model)
    stored = {name: read_controller_revision(child) for name, child in children.revisions.items()}
    lost = _lost_revisions(children, stored)
    revisions = {**lost, **stored}
    drifted = await _drifted(drift, model, children.deployments, revisions)
    pods = await _pods_by_color(client, around.pods, now)
    checks = await asyncio.gather(
        *(read_check(client, job, around.check_pods, model.spec.checks, now) for job in children.checks.values())
    )
    kept = children.kept and await read_check(client, children.kept, around.check_pods, model.spec.checks, now)
    router = router_of(model.spec)
    observed = Observed(
        generation=model.generation,
        colors={color: _color(model, color, children, around, pods[color], color in drifted) for color in Color},
        revisions=revisions,
        lost=frozenset(lost),
        highest=_highest_number(model, around),
        route=router.read(model, children.carriers.get(router.kind), route_timeout(model, revisions), around.parents),
        stray_route=any(
            other.is_dedicated and other.kind in children.carriers for other in ROUTERS if other is not router
        ),
        stable_service=selected(model, children.carriers.get(SERVICE)),
        gateway_problem=router.missing_parent(model, around.parents),
        taken=taken,
        live_settings=conformance.are_live_settings(model, children.live_settings),
        command=model.command,
        command_by=model.command_by,
        evidence=evidence,
        checks=dict(zip(children.checks, checks, strict=True)),
        kept=kept or None,
        apply_failure=failure,
    )
    return children, observed


def _color(
    model: Model, color: Color, children: Children, around: Surroundings, pods: tuple[Pod, ...], drifted: bool
) -> ColorView:
    deployment, service = children.deployments.get(color), children.services.get(color)
    return ColorView(
        revision=_revision(model, color, deployment),
        replicas=_replicas(deployment),
        pods=pods,
        # Those of a Service that was just deleted stay listed for a moment, and lead nowhere.
        endpoints=_endpoints(color, around.slices) if service is not None else frozenset(),
        has_service=conformance.is_color_service(model, color, service),
        has_budget=conformance.is_budget(model, color, children.budgets.get(color)),
        autoscaler=conformance.read_autoscaler(children.autoscalers.get(color)),
        drifted=drifted,
        refusal=refused_creation(deployment),
    )


def _lost_revisions(children: Children, stored: Mapping[str, Revision]) -> dict[str, Revision]:
    """Revisions whose ControllerRevision is gone, read back from the Deployments that run them."""
    running = (rebuild_revision(deployment) for deployment in children.deployments.values())
    return {revision.name: revision for revision in running if revision is not None and revision.name not in stored}


async def _pods_by_color(client: KubeClient, pods: Iterable[Manifest], now: datetime) -> dict[Color, tuple[Pod, ...]]:
    of_each = [[pod for pod in pods if pod["metadata"]["labels"].get(LABEL_COLOR) == color] for color in Color]
    read = await asyncio.gather(*(read_pods(client, of_one, now) for of_one in of_each))
    return dict(zip(Color, read, strict=True))


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
    roles = (*model.status.roles, model.status.drain)
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


def _highest_number(model: Model, around: Surroundings) -> int:
    """The highest number of a revision that anything here names, ours or not: no name is given twice."""
    labels = (child["metadata"].get("labels") or {} for child in (*around.pods, *around.revisions))
    used = {label.get(LABEL_REVISION, "") for label in labels}
    used |= {child["metadata"]["name"] for child in around.revisions}
    return max((revision_number(model.owner.name, name) for name in used), default=0)
