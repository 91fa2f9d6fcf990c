"""What is worth an Event: the turns of a rollout, from one status to the next."""

from dataclasses import dataclass

from viridian.api.status import HistoryEntry, ModelDeploymentStatus, Phase

from .fallback import GAPS


@dataclass(frozen=True)
class Notice:
    """One Event; `warning` ones are for people to look at."""

    reason: str
    message: str
    warning: bool = False


def notices(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Notice]:
    """The Events that tell of the way from one status to the next."""
    found = []
    if after.candidate is not None and (
        before.candidate is None or before.candidate.revision != after.candidate.revision
    ):
        found.append(Notice("RolloutStarted", f"{after.candidate.revision} ({after.candidate.version}) starts"))
    if after.step is not None and (before.step is None or before.step.index != after.step.index):
        name = "bake" if after.step.index > after.step.count else f"step {after.step.index} of {after.step.count}"
        weight = f"the candidate's weight is set to {after.step.weight} %"
        copies = f"the candidate gets copies of {after.step.shadow} of stable's requests"
        found.append(Notice("WeightIntended", f"{name}: {copies if after.step.shadow else weight}"))
    if after.shadow and _is_shadowed(before) and not _is_shadowed(after):
        found.append(Notice("ShadowCompared", after.shadow))
    if after.approved is not None and after.approved != before.approved:
        who = f" by {after.approved.by}" if after.approved.by else ""
        found.append(Notice("Approved", f"{after.approved.revision} was approved{who} ({after.approved.gate})"))
    if after.promotion is not None and after.promotion != before.promotion:
        who = f" by {after.promotion.by}" if after.promotion.by else ""
        found.append(Notice("HoldsSkipped", f"{after.promotion.revision} skips its remaining holds by command{who}"))
    if (gap := _gap(after)) is not None and gap != _gap(before):
        found.append(Notice(*gap, warning=True))
    if after.ending is not None and before.ending is None:
        found.append(
            Notice(after.ending.reason, f"rolled back: {after.ending.message}", warning=_is_bad(after.ending.phase))
        )
    if after.hold is not None and (before.hold is None or before.hold.reason != after.hold.reason):
        found.append(Notice(after.hold.reason, f"held: {after.hold.message}", warning=True))
    if (last := finished(before, after)) is not None:
        bad = last.result not in {"Promoted", "Replaced", "Reverted"}
        found.append(Notice(last.result, f"{last.revision} ({last.version}): {last.message}", warning=bad))
    return found


def _is_shadowed(status: ModelDeploymentStatus) -> bool:
    return status.step is not None and bool(status.step.shadow)


def finished(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> HistoryEntry | None:
    """The rollout that entered the history on the way from one status to the next, if one did."""
    if not after.history or len(after.history) < len(before.history) or after.history[:1] == before.history[:1]:
        return None
    return after.history[0]


def _gap(status: ModelDeploymentStatus) -> tuple[str, str] | None:
    """Reason and message of the condition by which stable cannot answer all for the candidate; None if it can."""
    found = next((each for each in status.conditions if each.type == "FallbackReady"), None)
    return (found.reason, found.message) if found is not None and found.reason in GAPS else None


def _is_bad(phase: Phase) -> bool:
    return phase in {Phase.ROLLED_BACK, Phase.EXPIRED}
