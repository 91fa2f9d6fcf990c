"""How a rollout ends badly: the candidate is taken back, its color drains, and what became of it is remembered."""

from viridian.api.status import (
    ColorStatus,
    Drain,
    Ending,
    HistoryEntry,
    ModelDeploymentStatus,
    Phase,
    PinnedRevision,
    Reaction,
)

from .view import View

HISTORY = 20
"""Finished rollouts and pinned revisions to remember in status, at the most."""

AT_REST: dict[str, object] = {
    "step": None,
    "hold": None,
    "outage": None,
    "shortfall": None,
    "aborting": "",
    "drain": None,
    "started_at": None,
    "waited": None,
    "floor": None,
    "approved": None,
    "paused": "",
    "returning": None,
    "guards": [],
    "guard_state": "",
}
"""What a status does not have while nothing moves: no step, no deadline, no guards."""

_PINS = {Phase.ROLLED_BACK: "failed", Phase.EXPIRED: "expired"}
_RESULTS = {Phase.ROLLED_BACK: "RolledBack", Phase.EXPIRED: "Expired"}


def take_back(view: View, ending: Ending) -> ModelDeploymentStatus:
    """Turn the candidate back: pin it where the ending blames it, and let its color drain."""
    candidate = view.status.candidate
    if candidate is None:
        raise ValueError("there is no candidate to take back")
    pin = PinnedRevision(
        revision=candidate.revision,
        version=candidate.version,
        reason=ending.reason,
        message=ending.message,
        at=view.now,
    )
    times = {
        "evidence_at": view.observed.evidence.breached_at,
        "reverted_at": view.observed.evidence.reverted_at or view.now,
    }
    update: dict[str, object] = {
        "phase": Phase.ROLLING_BACK,
        "ending": ending.model_copy(update=times),
        "step": None,
        "hold": None,
        "outage": None,
        "shortfall": None,
        "aborting": "",
        "verdict": ending.message,
        "drain": Drain(color=candidate.color, revision=candidate.revision, since=view.now),
    }
    if ending.phase in _PINS:
        field = _PINS[ending.phase]
        update[field] = add_pin(getattr(view.status, field), pin)
    return view.status.model_copy(update=update)


def roll_back(view: View) -> ModelDeploymentStatus:
    """RollingBack: over when the color has neither weight nor pods; one that is stuck is left to the next rollout."""
    candidate, ending = view.status.candidate, view.status.ending
    if candidate is None or ending is None:
        return view.status.model_copy(update={"phase": Phase.STABLE, "drain": None, "ending": None})
    color = view.color(candidate.color)
    if view.is_reachable(candidate) or not color.is_empty or color.replicas:
        return view.status
    phase = Phase.PENDING if view.status.stable is None and ending.phase is Phase.STABLE else ending.phase
    return view.status.model_copy(
        update={
            **AT_REST,
            "phase": phase,
            "candidate": None,
            "ending": None,
            "history": remember(view, _RESULTS.get(ending.phase, ending.reason), ending.message),
        }
    )


def add_pin(pins: list[PinnedRevision], pin: PinnedRevision) -> list[PinnedRevision]:
    """Pinned revisions with one more, the newest first."""
    return [pin, *(other for other in pins if other.revision != pin.revision)][:HISTORY]


def remember(view: View, result: str, message: str) -> list[HistoryEntry]:
    """The history with the candidate's rollout, the newest first."""
    return _remember(view, view.status.candidate, result, message)


def remember_first(view: View, result: str, message: str) -> list[HistoryEntry]:
    """The history with the bake of a revision that was put to use without a comparison, the newest first."""
    return _remember(view, view.status.stable, result, message)


def _remember(view: View, role: ColorStatus | None, result: str, message: str) -> list[HistoryEntry]:
    ending = view.status.ending
    if role is None:
        return view.status.history
    reaction = Reaction() if ending is None else ending
    entry = HistoryEntry(
        revision=role.revision,
        version=role.version,
        result=result,
        message=message,
        changes=view.spec.model.changes if view.runs_wanted(role) else "",
        started_at=view.status.started_at or view.now,
        ended_at=view.now,
        evidence_at=reaction.evidence_at,
        reverted_at=reaction.reverted_at,
    )
    return [entry, *view.status.history][:HISTORY]
