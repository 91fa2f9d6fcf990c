"""From what the status intends and what was observed to the writes between the two.

The invariants that protect users are held here, whatever the phase says: a candidate's weight rises only over ready and
published pods; a color that may still be answering is neither scaled down nor given another template.
"""

from collections.abc import Iterator

from viridian.api.names import Color
from viridian.api.quantities import parse_duration
from viridian.api.status import ColorStatus, Phase

from .actions import (
    Action,
    ApplyColor,
    ApplyColorService,
    FollowTraffic,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RestoreRevision,
    StoreRevision,
)
from .view import View


def plan(view: View) -> tuple[Action, ...]:
    """The writes that bring the world one step nearer to the status, in order."""
    return (*_revisions(view), *_services(view), *_colors(view), *_route(view), *_stable_service(view), *_prune(view))


def intended_weights(view: View) -> dict[Color, int] | None:
    """The weights that the status asks for, in percent; None while no revision has served yet."""
    status = view.status
    stable, candidate = status.stable, status.candidate
    finishing = status.phase is Phase.FINISHING and candidate is not None
    if finishing and candidate is not None:
        return {candidate.color: 100, candidate.color.other: 0}
    if stable is None:
        return None
    weight = status.step.weight if status.step is not None and view.candidate_is_live else 0
    return {stable.color: 100 - weight, stable.color.other: weight}


def is_drained(view: View) -> bool:
    """Whether the color that lost its weight answers nothing any more, or was given drainMax to finish."""
    drain, route = view.status.drain, view.observed.route
    if drain is None or (route is not None and route.weight(drain.color)):
        return False
    moved = view.observed.evidence.moved.get(drain.revision, drain.since)
    fresh = view.observed.evidence.fresh_at
    flat = fresh is not None and fresh - max(moved, drain.since) >= view.settings.quiet
    return flat or view.now - drain.since >= parse_duration(view.spec.rollout.drain_max)


def _revisions(view: View) -> Iterator[Action]:
    candidate = view.status.candidate
    if candidate is not None and view.candidate_is_live and candidate.revision not in view.observed.revisions:
        yield StoreRevision(candidate.revision, view.status.last_revision)
    for name in sorted(view.observed.lost & _kept(view)):
        yield RestoreRevision(name)


def _services(view: View) -> Iterator[Action]:
    if view.status.stable is None and view.status.candidate is None:
        return
    for color in Color:
        if not view.color(color).has_service:
            yield ApplyColorService(color)


def _colors(view: View) -> Iterator[Action]:
    status = view.status
    draining = status.drain
    if status.stable is not None:
        yield from _run(view, status.stable, view.spec.serving.replicas)
    if status.candidate is not None and view.candidate_is_live:
        weight = status.step.weight if status.step is not None else view.step_weight(1)
        if status.stable is None or status.phase is Phase.FINISHING:
            weight = 100
        have = view.color(status.candidate.color).replicas
        need = view.required_replicas(max(weight, view.route_weight(status.candidate)))
        # Users may be on these pods: while the candidate lives its color only grows.
        yield from _run(view, status.candidate, max(need, min(have, view.spec.serving.replicas)))
    if draining is not None and is_drained(view):
        old = view.color(draining.color)
        if old.revision == draining.revision and old.replicas > 0:
            yield ApplyColor(draining.color, draining.revision, 0)


def _run(view: View, role: ColorStatus, replicas: int) -> Iterator[Action]:
    """Run a role's revision in its color: a new template only where no pod of another revision remains."""
    color = view.color(role.color)
    if role.revision not in view.observed.revisions and role is not view.status.candidate:
        return  # lost with its Deployment: there is nothing to run it from, and the conditions say so
    if color.revision == role.revision:
        if color.replicas != replicas:
            yield ApplyColor(role.color, role.revision, replicas)
    elif color.replicas == 0 and not color.pods:
        yield ApplyColor(role.color, role.revision, replicas)
    elif (
        color.replicas > 0 and not view.route_weight(role) and color.revision is not None and view.status.drain is None
    ):
        yield ApplyColor(role.color, color.revision, 0)


def _route(view: View) -> Iterator[Action]:
    weights, route = intended_weights(view), view.observed.route
    if weights is None or (route is None and view.observed.gateway_problem is not None):
        return
    moved = route is not None and all(dict(rule) == weights for rule in route.rules)
    if not moved and _may_move(view, weights):
        yield MoveWeights(tuple(sorted(weights.items())), aborted=_abort_mark(view))
    elif route is not None and not route.follows_spec and view.observed.gateway_problem is None:
        yield FollowTraffic()


def _may_move(view: View, weights: dict[Color, int]) -> bool:
    """A rise of the candidate wants ready and published pods, and a stable that could take it back."""
    candidate = view.status.candidate
    if candidate is None or weights[candidate.color] <= view.route_weight(candidate):
        return True
    enough = view.serving(candidate) >= view.required_replicas(weights[candidate.color])
    return enough and (view.status.stable is None or view.serving(view.status.stable) > 0)


def _abort_mark(view: View) -> str | None:
    ending, candidate = view.status.ending, view.status.candidate
    if ending is None or candidate is None or ending.phase is not Phase.ROLLED_BACK:
        return None
    return candidate.revision


def _stable_service(view: View) -> Iterator[Action]:
    status, selected = view.status, view.observed.stable_service
    candidate = status.candidate
    if candidate is not None and status.phase is Phase.FINISHING:
        if view.route_weight(candidate) == 100 and selected is not candidate.color:
            yield PointStableService(candidate.color)
    elif status.stable is not None and selected is not status.stable.color:
        yield PointStableService(status.stable.color)


def _prune(view: View) -> Iterator[Action]:
    """Old revisions beyond the limit, oldest first; never one that is in use, pinned, or still has pods."""
    unused = view.observed.revisions.keys() - view.observed.lost - _kept(view)
    loose = sorted((view.observed.revisions[name] for name in unused), key=lambda revision: revision.number)
    for revision in loose[: max(0, len(loose) - view.spec.revision_history_limit)]:
        yield PruneRevision(revision.name)


def _kept(view: View) -> set[str]:
    """Revisions that are in use or pinned, and so must stay stored."""
    status = view.status
    roles = (status.stable, status.candidate, status.drain)
    running = {c.revision for c in view.observed.colors.values() if c.revision is not None and c.replicas}
    pins = {pin.revision for pin in (*status.failed, *status.expired)}
    return {role.revision for role in roles if role is not None} | pins | running
