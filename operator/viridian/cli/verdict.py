"""What became of one version: a pure function of the resource, for `kubectl viridian wait` and for pipelines."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from .model import Json, Model


class Outcome(IntEnum):
    """How the rollout of a version ended; the value is the exit status."""

    PROMOTED = 0
    TURNED_BACK = 3
    EXPIRED = 4
    SUPERSEDED = 5


TIMED_OUT: Final = 124
"""Exit status when the time is over and the rollout is not, as `timeout` has it."""

_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "Promoted": Outcome.PROMOTED,
    "Restored": Outcome.PROMOTED,
    "TookOver": Outcome.SUPERSEDED,  # it serves because stable could not, and the spec asks for another one
    "RolledBack": Outcome.TURNED_BACK,
    "GuardBreached": Outcome.TURNED_BACK,
    "RevisionLost": Outcome.TURNED_BACK,
    "Expired": Outcome.EXPIRED,
    "Replaced": Outcome.SUPERSEDED,
    "Reverted": Outcome.SUPERSEDED,
}
"""What each result of the history means for its version."""
_ENDS: Final = {"RolledBack": Outcome.TURNED_BACK, "Expired": Outcome.EXPIRED}
"""What the phase that follows a rollback means; any other is due to another spec."""
_MOVING: Final = frozenset({"Pending", "Starting", "Progressing", "Baking", "Finishing", "Held", "Stalled"})


@dataclass(frozen=True)
class Verdict:
    """What became of a version, with the reason in one word for programs and in a sentence for people."""

    outcome: Outcome
    reason: str
    message: str


def verdict_on(model: Model, version: str) -> Verdict | None:
    """Return what became of a version of a model; None while that is open.

    A status that speaks of an earlier spec decides nothing. A rollout of the same version that ended earlier does not
    count either: the version has to be in a role, or blocked as what the spec asks for now.
    """
    if not model.is_observed:
        return None
    candidate = model.candidate
    if candidate.get("version") == version:
        return _on_candidate(model, version)
    if model.version == version:
        return _on_wanted(model, version)
    return _on_replaced(model, version)


def is_known(model: Model, version: str) -> bool:
    """Whether the spec asks for a version, or the status has ever had it: in a role, blocked, or in the history.

    A version that is not known was never applied, was replaced before it began, or left the history long ago.
    """
    roles = (model.stable, model.candidate, model.control)
    return model.version == version or any(
        entry.get("version") == version for entry in (*roles, *model.blocked, *model.history)
    )


def _on_candidate(model: Model, version: str) -> Verdict | None:
    """It is being tried, or taken back; while a newer spec waits for its bake it can still be promoted."""
    ending = model.status.get("ending") or {}
    if not ending:
        return None
    if model.version == version and (ending["phase"] != "RolledBack" or model.block is None):
        return None  # another revision of it may follow; what is blocked is known when its pods are gone
    outcome = _ENDS.get(str(ending["phase"]), Outcome.SUPERSEDED)
    return Verdict(outcome, str(ending.get("reason", "")), str(ending.get("message", "")))


def _on_wanted(model: Model, version: str) -> Verdict | None:
    """The spec asks for it and it is not being tried: it serves, is blocked, or has not begun."""
    if model.candidate:
        return None  # another one is on its way out, comes back by command, or bakes first
    hold = model.status.get("hold") or {}
    serves = model.stable.get("version") == version
    if serves and hold.get("reason") == "GuardBreached":  # a first revision: there is nothing to go back to
        return Verdict(Outcome.TURNED_BACK, "GuardBreached", str(hold.get("message", "")))
    if model.phase in {"RolledBack", "Expired"}:
        outcome = Outcome.EXPIRED if model.phase == "Expired" else Outcome.TURNED_BACK
        entry = model.block
        return None if entry is None else Verdict(outcome, str(entry["reason"]), str(entry["message"]))
    return _on_stable(model, version)


def _on_stable(model: Model, version: str) -> Verdict | None:
    stable = model.stable
    newest = _newest(model, str(stable.get("revision", "")))
    # What a person brought back is not what the spec asks for, even when both have this version.
    swapped = model.phase == "Finishing" and model.history[:1] == [newest] and model.history[0]["result"] == "Promoted"
    settled = model.phase in {"Stable", "Watching"} and model.holds("Settled")  # else another revision is next
    if stable.get("version") != version or not (settled or swapped):
        return None
    entry = newest or {"result": "Stable", "message": ""}
    return _ended(entry, Outcome.PROMOTED, str(entry["result"]))


def _on_replaced(model: Model, version: str) -> Verdict | None:
    """The spec asks for another version, and this one is not being tried any more."""
    wanted = model.version
    last = model.history[0] if model.history else None
    newest = next((each for each in model.history if each.get("version") == version), None)
    serves = model.stable.get("version") == version and newest is not None
    if newest is not None and (newest is last or (serves and newest["revision"] == model.stable["revision"])):
        outcome = _OUTCOMES.get(str(newest["result"]), Outcome.SUPERSEDED)
        if outcome is Outcome.PROMOTED and not serves:
            return _superseded(wanted, version)
        return _ended(newest, outcome, _reason(model, newest))
    if model.stable.get("version") == version and model.phase in _MOVING and not model.candidate:
        return None  # the bake of a first revision, which the newer spec ends at once
    return _superseded(wanted, version)


def _ended(entry: Json, outcome: Outcome, reason: str) -> Verdict:
    return Verdict(outcome, reason, str(entry["message"]) or "it serves all requests")


def _reason(model: Model, entry: Json) -> str:
    """Why a rollout ended, where that is still known; else its result."""
    known = (block["reason"] for block in model.blocked if block["revision"] == entry["revision"])
    return str(entry["result"] if _OUTCOMES.get(entry["result"]) is Outcome.PROMOTED else next(known, entry["result"]))


def _superseded(wanted: str, version: str) -> Verdict:
    return Verdict(
        Outcome.SUPERSEDED,
        "Replaced",
        f"the spec asks for {wanted} now: apply {version} again if it is what you want",
    )


def _newest(model: Model, revision: str) -> Json | None:
    """The last promotion of a revision; None if the history has none."""
    found = (each for each in model.history if each.get("revision") == revision)
    return next((each for each in found if _OUTCOMES.get(str(each["result"])) is Outcome.PROMOTED), None)
