"""How a rollout ends badly: the candidate is rolled back, its color drains, and what became of it is remembered."""

from dataclasses import replace

from viridian.api.status import (
    Approved,
    BlockedRevision,
    ColorStatus,
    Drain,
    Ending,
    HistoryEntry,
    ModelDeploymentStatus,
    Phase,
    Promotion,
    Reaction,
)
from viridian.api.status.changes import StatusChanges, evolve

from .checks import summary
from .context import RolloutContext

HISTORY = 20
"""Most finished rollouts and blocked revisions to keep in status."""

AT_REST: StatusChanges = {
    "step": None,
    "hold": None,
    "outage": None,
    "shortfall": None,
    "aborting": "",
    "drain": None,
    "watch": None,
    "started_at": None,
    "waited": None,
    "floor": None,
    "approved": None,
    "promotion": None,
    "paused": "",
    "returning": None,
    "guards": [],
    "guard_state": "",
    "power": "",
}
"""What a status does not have while nothing moves: no step, no deadline, no guards."""

ROLLED_BACK_BY_COMMAND = "RolledBackByCommand"
"""The reason of what a person has replaced by an earlier version: it holds until the spec is edited."""

_RESULTS = {Phase.ROLLED_BACK: "RolledBack", Phase.EXPIRED: "Expired"}


def roll_back(context: RolloutContext, ending: Ending) -> ModelDeploymentStatus:
    """Turn the candidate back: block it where the ending blames it, and let its color drain."""
    promoted = context.status.watch is not None
    if promoted:
        context = replace(context, status=_unpromoted(context))
    candidate = context.status.candidate
    if candidate is None:
        raise ValueError("there is no candidate to roll back")
    blocked = BlockedRevision(
        revision=candidate.revision,
        version=candidate.version,
        reason=ending.reason,
        message=ending.message,
        at=context.now,
        until_generation=context.observed.generation if ending.reason == ROLLED_BACK_BY_COMMAND else None,
    )
    evidence = context.observed.evidence
    known = evolve(
        ending,
        evidence_at=evidence.breached_at,
        reverted_at=None if promoted else evidence.reverted_at or context.now,
        warms_since=context.now if promoted else None,
    )
    update: StatusChanges = {
        "phase": Phase.ROLLING_BACK,
        "ending": known,
        "step": None,
        "hold": None,
        "outage": None,
        "shortfall": None,
        "aborting": "",
        "verdict": ending.message,
        "drain": None if promoted else _drain(context, candidate),
    }
    if ending.phase is Phase.ROLLED_BACK:
        update["failed"] = add_blocked(context.status.failed, blocked)
    elif ending.phase is Phase.EXPIRED:
        update["expired"] = add_blocked(context.status.expired, blocked)
    return evolve(context.status, update)


def _unpromoted(context: RolloutContext) -> ModelDeploymentStatus:
    """The roles as they were before the promotion. Stable must come to as many pods as the promoted version has."""
    status, promoted = context.status, context.status.stable
    if status.watch is None or promoted is None:
        return status
    floor = context.color(promoted.color).replicas if context.spec.serving.autoscaling is not None else None
    return evolve(status, stable=status.watch.control, candidate=promoted, watch=None, floor=floor)


def _drain(context: RolloutContext, candidate: ColorStatus) -> Drain:
    return Drain(color=candidate.color, revision=candidate.revision, since=context.now)


def finish_rollback(context: RolloutContext) -> ModelDeploymentStatus:
    """RollingBack: over when the color has neither weight nor pods; one that is stuck is left to the next rollout."""
    candidate, ending = context.status.candidate, context.status.ending
    if candidate is None or ending is None:
        return evolve(context.status, phase=Phase.STABLE, drain=None, ending=None)
    if context.status.drain is None and ending.warms_since is not None:
        if context.is_reachable(candidate):
            return context.status
        moved = evolve(ending, reverted_at=context.now)
        return evolve(context.status, drain=_drain(context, candidate), ending=moved)
    color = context.color(candidate.color)
    if context.is_reachable(candidate) or not color.is_empty or color.replicas:
        return context.status
    phase = Phase.PENDING if context.status.stable is None and ending.phase is Phase.STABLE else ending.phase
    return evolve(
        context.status,
        AT_REST,
        phase=phase,
        candidate=None,
        ending=None,
        history=remember(context, _RESULTS.get(ending.phase, ending.reason), ending.message),
    )


def add_blocked(pins: list[BlockedRevision], blocked: BlockedRevision) -> list[BlockedRevision]:
    """Pinned revisions with one more, the newest first."""
    return [blocked, *(other for other in pins if other.revision != blocked.revision)][:HISTORY]


def remember(context: RolloutContext, result: str, message: str) -> list[HistoryEntry]:
    """The history with the candidate's rollout, the newest first."""
    return _remember(context, context.status.candidate, result, message)


def remember_first(context: RolloutContext, result: str, message: str) -> list[HistoryEntry]:
    """The history with the bake of a revision that was put to use without a comparison, the newest first."""
    return _remember(context, context.status.stable, result, message)


def _remember(context: RolloutContext, role: ColorStatus | None, result: str, message: str) -> list[HistoryEntry]:
    ending = context.status.ending
    if role is None:
        return context.status.history
    reaction = Reaction() if ending is None else ending
    entry = HistoryEntry(
        revision=role.revision,
        version=role.version,
        result=result,
        message=message,
        changes=context.spec.model.changes if context.runs_wanted(role) else "",
        guards=[guard.model_copy(update={"message": ""}) for guard in context.status.guards],
        approved=context.status.approved if _is_of(context.status.approved, role) else None,
        promotion=context.status.promotion if _is_of(context.status.promotion, role) else None,
        checks=summary([check for check in context.status.checks if check.revision == role.revision]),
        started_at=context.status.started_at or context.now,
        ended_at=context.now,
        evidence_at=reaction.evidence_at,
        reverted_at=reaction.reverted_at,
    )
    return [entry, *context.status.history][:HISTORY]


def _is_of(given: Approved | Promotion | None, role: ColorStatus) -> bool:
    return given is not None and given.revision == role.revision
