"""From what the status intends and what was observed to the writes between the two.

Invariants that protect users are held here, whatever the phase says: a candidate's weight rises only over ready and
published pods, and no traffic moves to a color without any while the other has some. `colors.py` holds the other one.
"""

from collections.abc import Iterator

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.rollout.readiness import candidate_weight
from viridian.rollout.view import View

from .actions import (
    Action,
    ApplyBudget,
    ApplyColorService,
    ApplyLiveSettings,
    FollowTraffic,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RemoveRoute,
    RestoreRevision,
    StoreRevision,
    Weights,
)
from .colors import colors


def plan(view: View) -> tuple[Action, ...]:
    """The writes that bring the world one step nearer to the status, in order."""
    return (*_revisions(view), *_services(view), *colors(view), *_route(view), *_stable_service(view), *_prune(view))


def intended_weights(view: View) -> dict[Color, int] | None:
    """The weights that the status asks for, in percent; None while no revision has served yet.

    A first revision has no stable beside it. Where somebody led users to it by hand before it serves, or while it is
    taken back, they are led to the empty color, so that it can begin or end: it answers nobody now either.
    """
    status = view.status
    stable, candidate = status.stable, status.candidate
    if stable is None and candidate is not None and status.phase is Phase.FINISHING:
        return {candidate.color: 100, candidate.color.other: 0}
    if stable is None:
        answers = view.candidate_is_live and view.serving(candidate) > 0
        if candidate is None or answers or not view.is_reachable(candidate):
            return None
        return {candidate.color: 0, candidate.color.other: 100}
    weight = candidate_weight(view)
    return {stable.color: 100 - weight, stable.color.other: weight}


def intended_pins(view: View, weights: dict[Color, int]) -> dict[Color, int]:
    """The weights of the rules for pinned users: all on the candidate while it has a share, else all on stable."""
    candidate = view.status.candidate
    shown = candidate is not None and weights[candidate.color] > 0
    color = candidate.color if candidate is not None and shown else max(weights, key=lambda color: weights[color])
    return {color: 100, color.other: 0}


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
        if not view.color(color).has_budget:
            yield ApplyBudget(color)
    if not view.observed.live_settings:
        yield ApplyLiveSettings()


def _route(view: View) -> Iterator[Action]:
    weights, route = intended_weights(view), view.observed.route
    if view.observed.stray_route:
        yield RemoveRoute()
    if weights is None or (route is None and view.barred is not None):
        return
    pins = intended_pins(view, weights)
    if (route is None or not route.gives(weights, pins)) and _may_move(view, weights):
        yield MoveWeights(_plain(weights), _plain(pins), aborted=_abort_mark(view))
    elif route is not None and not route.follows_spec and view.barred is None:
        live = {color: route.split(color) for color in Color}
        if sum(live.values()) == 100:  # else its backends were edited too, and wait for the weights to be allowed
            yield FollowTraffic(_plain(intended_pins(view, live)))


def _plain(weights: dict[Color, int]) -> Weights:
    return tuple(sorted(weights.items()))


def _may_move(view: View, weights: dict[Color, int]) -> bool:
    """A rise of the candidate wants ready and published pods, and a stable that could take it back.

    An earlier revision that a person brings back, and one that replaces a stable which fails, do not wait for stable.
    One that answers because stable cannot needs no more than one pod. Nothing goes back to a stable without pods while
    the candidate has some.
    """
    candidate, stable = view.status.candidate, view.status.stable
    if candidate is None or weights[candidate.color] <= view.route_weight(candidate):
        if stable is None or weights[stable.color] <= view.route_weight(stable):
            return True
        return view.serving(stable) > 0 or not view.color(stable.color.other).answering
    ready = view.serving(candidate)
    if view.failed_over:
        return ready > 0
    if ready < view.required_replicas(weights[candidate.color]):
        return False
    alone = stable is None or view.status.returning is not None or view.condemned
    return bool(alone) or view.serving(stable) > 0


def _abort_mark(view: View) -> str | None:
    ending, candidate = view.status.ending, view.status.candidate
    if ending is None or candidate is None or ending.phase is not Phase.ROLLED_BACK:
        return None
    return candidate.revision


def _stable_service(view: View) -> Iterator[Action]:
    if not view.spec.has_route:
        return  # there, NAME is what carries the weights
    status, selected = view.status, view.observed.stable_service
    candidate = status.candidate
    if candidate is not None and (status.phase is Phase.FINISHING or view.failed_over):
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
    """Revisions that are in use, pinned, or what a rollback would go to, and so must stay stored."""
    status = view.status
    roles = (status.stable, status.candidate, status.drain)
    running = {c.revision for c in view.observed.colors.values() if c.revision is not None and c.replicas}
    kept = {pin.revision for pin in (*status.failed, *status.expired)}
    if view.previous is not None:
        kept.add(view.previous.name)
    return {role.revision for role in roles if role is not None} | kept | running
