"""What is worth an Event: the turns of a rollout, from one status to the next."""

from dataclasses import dataclass

from viridian.api.status import ModelDeploymentStatus, Phase

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
        found.append(Notice("WeightIntended", f"{name}: the candidate's weight is set to {after.step.weight} %"))
    if after.approved is not None and after.approved != before.approved:
        who = f" by {after.approved.by}" if after.approved.by else ""
        found.append(Notice("Approved", f"{after.approved.revision} was approved{who} ({after.approved.gate})"))
    if (gap := _gap(after)) is not None and gap != _gap(before):
        found.append(Notice(*gap, warning=True))
    if after.ending is not None and before.ending is None:
        found.append(
            Notice(after.ending.reason, f"rolled back: {after.ending.message}", warning=_is_bad(after.ending.phase))
        )
    if after.hold is not None and (before.hold is None or before.hold.reason != after.hold.reason):
        found.append(Notice(after.hold.reason, f"held: {after.hold.message}", warning=True))
    if after.watch is not None and before.watch is None and after.stable is not None:
        control = after.watch.control
        text = f"{after.stable.revision} ({after.stable.version}) is watched beside {control.revision}"
        found.append(Notice("WatchStarted", f"{text} ({control.version})"))
    if after.watch is None and before.watch is not None and after.ending is None and before.stable is not None:
        found.append(Notice("WatchEnded", f"the watch of {before.stable.revision} ({before.stable.version}) is over"))
    if after.history and len(after.history) >= len(before.history) and after.history[:1] != before.history[:1]:
        last = after.history[0]
        bad = last.result not in {"Promoted", "Replaced", "Reverted"}
        found.append(Notice(last.result, f"{last.revision} ({last.version}): {last.message}", warning=bad))
    return found


def _gap(status: ModelDeploymentStatus) -> tuple[str, str] | None:
    """Reason and message of the condition by which stable cannot answer all for the candidate; None if it can."""
    found = next((each for each in status.conditions if each.type == "FallbackReady"), None)
    return (found.reason, found.message) if found is not None and found.reason in GAPS else None


def _is_bad(phase: Phase) -> bool:
    return phase in {Phase.ROLLED_BACK, Phase.EXPIRED}
