"""From what the status intends and what was observed to the writes between the two.

Invariants that protect users are held here, whatever the phase says: a candidate's weight rises only over ready and
published pods, and no traffic moves to a color without any while the other has some. `colors.py` holds the other one.
"""

from collections.abc import Iterator

from viridian.api.names import Color
from viridian.api.status import CheckResult, Phase
from viridian.rollout.checks import made, open_check, wanted_checks
from viridian.rollout.context import RolloutContext
from viridian.rollout.kept import look_of
from viridian.rollout.readiness import candidate_weight, control_weight
from viridian.rollout.shadow import intended_shadow

from .actions import (
    Action,
    ApplyBudget,
    ApplyColorService,
    ApplyLiveSettings,
    EndCheck,
    FollowTraffic,
    LookAtKept,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RemoveRoute,
    RestoreRevision,
    RunCheck,
    StoreRevision,
    Weights,
)
from .colors import colors


def plan(context: RolloutContext) -> tuple[Action, ...]:
    """The writes that bring the world one step nearer to the status, in order."""
    return (
        *_revisions(context),
        *_services(context),
        *colors(context),
        *_route(context),
        *_checks(context),
        *_stable_service(context),
        *_kept_look(context),
        *_prune(context),
    )


def intended_weights(context: RolloutContext) -> dict[Color, int] | None:
    """The weights that the status asks for, in percent; None while no revision has served yet.

    A first revision has no stable beside it. Where somebody led users to it by hand before it serves, or while it is
    rolled back, the Service selects the empty color, so that it can begin or end: no request is answered now either.
    """
    status = context.status
    stable, candidate = status.stable, status.candidate
    if stable is None and candidate is not None and status.phase is Phase.FINISHING:
        return {candidate.color: 100, candidate.color.other: 0}
    if stable is None:
        answers = context.candidate_is_live and context.serving(candidate) > 0
        if candidate is None or answers or not context.is_reachable(candidate):
            return None
        return {candidate.color: 0, candidate.color.other: 100}
    weight = control_weight(context) if status.watch is not None else candidate_weight(context)
    return {stable.color: 100 - weight, stable.color.other: weight}


def intended_pins(context: RolloutContext, weights: dict[Color, int]) -> dict[Color, int]:
    """The weights of the rules for pinned users: all on the candidate while it has a share, else all on stable.

    One that is taken back and still has a share, since stable cannot carry everything yet, has no pinned users.
    """
    candidate, stable = context.status.candidate, context.status.stable
    color = max(weights, key=lambda color: weights[color])
    if candidate is not None and context.candidate_is_live and weights[candidate.color]:
        color = candidate.color
    elif candidate is not None and stable is not None and weights[stable.color]:
        color = stable.color
    return {color: 100, color.other: 0}


def _revisions(context: RolloutContext) -> Iterator[Action]:
    candidate = context.status.candidate
    if candidate is not None and context.candidate_is_live and candidate.revision not in context.observed.revisions:
        yield StoreRevision(candidate.revision, context.status.last_revision)
    for name in sorted(context.observed.lost & _kept(context)):
        yield RestoreRevision(name)


def _services(context: RolloutContext) -> Iterator[Action]:
    if context.status.stable is None and context.status.candidate is None:
        return
    for color in Color:
        if not context.color(color).has_service:
            yield ApplyColorService(color)
        if not context.color(color).has_budget:
            yield ApplyBudget(color)
    if not context.observed.live_settings:
        yield ApplyLiveSettings()


def _route(context: RolloutContext) -> Iterator[Action]:
    weights, route = intended_weights(context), context.observed.route
    if context.observed.stray_route:
        yield RemoveRoute()
    if weights is None or (route is None and context.barred is not None):
        return
    pins = intended_pins(context, weights)
    shadow = intended_shadow(context)
    if (route is None or not route.gives(weights, pins, shadow)) and _may_move(context, weights):
        yield MoveWeights(_plain(weights), _plain(pins), aborted=_abort_mark(context), shadow=shadow)
    elif route is not None and not route.follows_spec and context.barred is None:
        live = {color: route.split(color) for color in Color}
        if sum(live.values()) == 100:  # else its backends were edited too, and wait for the weights to be allowed
            yield FollowTraffic(_plain(intended_pins(context, live)))


def _plain(weights: dict[Color, int]) -> Weights:
    return tuple(sorted(weights.items()))


def _may_move(context: RolloutContext, weights: dict[Color, int]) -> bool:
    """A rise of the candidate wants ready and published pods, and a stable that could take it back.

    An earlier revision that a person brings back, and one that replaces a stable which fails, do not wait for stable.
    One that answers because stable cannot needs no more than one pod. Nothing goes back to a stable without pods while
    the candidate has some.
    """
    candidate, stable = context.status.candidate, context.status.stable
    if candidate is None or weights[candidate.color] <= context.route_weight(candidate):
        if stable is None or weights[stable.color] <= context.route_weight(stable):
            return True
        return context.serving(stable) > 0 or not _answers_instead(context, stable.color.other)
    ready = context.serving(candidate)
    if context.failed_over:
        return ready > 0
    if ready < context.required_replicas(weights[candidate.color]):
        return False
    alone = stable is None or context.status.returning is not None or context.condemned
    return bool(alone) or context.serving(stable) > 0


def _answers_instead(context: RolloutContext, color: Color) -> bool:
    """Whether a color answers, or will once its Service is back. With both Services gone, nobody does before that."""
    seen = context.color(color)
    return seen.answering > 0 and (seen.has_service or context.color(color.other).has_service)


def _abort_mark(context: RolloutContext) -> str | None:
    ending, candidate = context.status.ending, context.status.candidate
    if ending is None or candidate is None or ending.phase is not Phase.ROLLED_BACK:
        return None
    return candidate.revision


def _stable_service(context: RolloutContext) -> Iterator[Action]:
    if not context.spec.has_route:
        return  # there, NAME is what carries the weights
    status, selected = context.status, context.observed.stable_service
    candidate = status.candidate
    if candidate is not None and (status.phase is Phase.FINISHING or context.failed_over):
        if context.route_weight(candidate) == context.promoted_weight and selected is not candidate.color:
            yield PointStableService(candidate.color)
    elif status.stable is not None and selected is not status.stable.color:
        yield PointStableService(status.stable.color)


def _checks(context: RolloutContext) -> Iterator[Action]:
    """End what runs and is not wanted any more; run what was decided to run."""
    candidate, seen = context.status.candidate, context.observed.checks
    if candidate is None:
        return
    wanted = wanted_checks(context) if context.candidate_is_live else []
    yield from (EndCheck(name) for name, job in sorted(seen.items()) if not job.result.is_final and name not in wanted)
    if context.candidate_is_live and candidate.revision in context.observed.revisions and context.serving(candidate):
        for check in made(context):
            if check.result is CheckResult.RUNNING and check.name not in seen and check.name == open_check(context):
                yield RunCheck(check.name, candidate.color, candidate.revision)


def _kept_look(context: RolloutContext) -> Iterator[Action]:
    """Look at what a rollback goes back to, if that was decided."""
    kept = context.status.kept
    if kept is None or kept.started_at is None or context.observed.kept is not None:
        return
    if kept.revision in context.observed.revisions and context.status.candidate is None:
        yield LookAtKept(kept.revision, look_of(kept.started_at))


def _prune(context: RolloutContext) -> Iterator[Action]:
    """Old revisions beyond the limit, oldest first; never one that is in use, pinned, or still has pods."""
    unused = context.observed.revisions.keys() - context.observed.lost - _kept(context)
    loose = sorted((context.observed.revisions[name] for name in unused), key=lambda revision: revision.number)
    for revision in loose[: max(0, len(loose) - context.spec.revision_history_limit)]:
        yield PruneRevision(revision.name)


def _kept(context: RolloutContext) -> set[str]:
    """Revisions that are in use, pinned, or what a rollback would go to, and so must stay stored."""
    status = context.status
    roles = (*status.roles, status.drain)
    running = {c.revision for c in context.observed.colors.values() if c.revision is not None and c.replicas}
    kept = {blocked.revision for blocked in (*status.failed, *status.expired)}
    if context.previous is not None:
        kept.add(context.previous.name)
    return {role.revision for role in roles if role is not None} | kept | running
