"""What is worth an Event: the turns of a rollout, from one status to the next."""

from collections.abc import Iterator
from dataclasses import dataclass

from viridian.api.status import DrillResult, DrillStatus, HistoryEntry, ModelDeploymentStatus, Phase
from viridian.rollout.fallback import GAPS


@dataclass(frozen=True)
class Notice:
    """One Event; `warning` ones are for people to look at."""

    reason: str
    message: str
    warning: bool = False


def notices(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Notice]:
    """The Events that tell of the way from one status to the next."""
    turns = (_progress, _commands, _trouble, _watch, _ends, _drills)
    return [notice for turn in turns for notice in turn(before, after)]


def _progress(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    candidate, step = after.candidate, after.step
    if candidate is not None and (before.candidate is None or before.candidate.revision != candidate.revision):
        yield Notice("RolloutStarted", f"{candidate.revision} ({candidate.version}) starts")
    if step is not None and (before.step is None or before.step.index != step.index):
        name = "bake" if step.index > step.count else f"step {step.index} of {step.count}"
        weight = f"the candidate's weight is set to {step.weight} %"
        copies = f"the candidate gets copies of {step.shadow} of stable's requests"
        yield Notice("WeightIntended", f"{name}: {copies if step.shadow else weight}")
    if after.shadow and _is_shadowed(before) and not _is_shadowed(after):
        yield Notice("ShadowCompared", after.shadow)


def _commands(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    if after.approved is not None and after.approved != before.approved:
        who = f" by {after.approved.by}" if after.approved.by else ""
        yield Notice("Approved", f"{after.approved.revision} was approved{who} ({after.approved.gate})")
    if after.promotion is not None and after.promotion != before.promotion:
        who = f" by {after.promotion.by}" if after.promotion.by else ""
        yield Notice("HoldsSkipped", f"{after.promotion.revision} skips its remaining holds by command{who}")


def _trouble(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    if (gap := _gap(after)) is not None and gap != _gap(before):
        yield Notice(*gap, warning=True)
    if after.ending is not None and before.ending is None:
        yield Notice(after.ending.reason, f"rolled back: {after.ending.message}", warning=_is_bad(after.ending.phase))
    if after.hold is not None and (before.hold is None or before.hold.reason != after.hold.reason):
        yield Notice(after.hold.reason, f"held: {after.hold.message}", warning=True)


def _watch(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    if after.watch is not None and before.watch is None and after.stable is not None:
        control = after.watch.control
        text = f"{after.stable.revision} ({after.stable.version}) is watched beside {control.revision}"
        yield Notice("WatchStarted", f"{text} ({control.version})")
    if after.watch is None and before.watch is not None and after.ending is None and before.stable is not None:
        yield Notice("WatchEnded", f"the watch of {before.stable.revision} ({before.stable.version}) is over")


def _ends(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    if (last := finished(before, after)) is not None:
        bad = last.result not in {"Promoted", "Replaced", "Reverted"}
        yield Notice(last.result, f"{last.revision} ({last.version}): {last.message}", warning=bad)


def _drills(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    was, now = before.drill or DrillStatus(), after.drill or DrillStatus()
    if now.running is not None and was.running is None:
        run = now.running
        who = f" for {run.by}" if run.by else ""
        yield Notice("DrillStarted", f"a drill of kind {run.kind} begins{who}, with a twin of {run.revision}")
    if now.last is not None and now.last != was.last:
        bad = now.last.result is not DrillResult.PASSED
        yield Notice(f"Drill{now.last.result}", f"drill of kind {now.last.kind}: {now.last.message}", warning=bad)
    if now.waits and now.waits != was.waits:
        yield Notice("DrillWaits", f"the drill that is due waits: {now.waits}")


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
