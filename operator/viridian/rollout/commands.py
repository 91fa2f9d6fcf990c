"""Commands that a person gives by annotation: `verb/revision/nonce`. The operator never removes them.

One that was committed to Git by mistake runs once: it is compared with the last one, and it names a revision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from viridian.api.rollout import Approval
from viridian.api.status import Approved, DrillOrder, DrillStatus, ModelDeploymentStatus, Phase, Promotion
from viridian.api.status.changes import StatusChanges, evolve
from viridian_shared.drill import DrillKind

from .context import SETTLED, RolloutContext
from .drills.obstacles import obstacle


class Verb(StrEnum):
    """What a person can ask for; all but RETRY, ROLLBACK and DRILL speak of the candidate.

    While a promoted version is watched, ABORT and ROLLBACK take it back, and APPROVE ends the watch.
    """

    ABORT = "abort"
    RETRY = "retry"
    APPROVE = "approve"
    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    ROLLBACK = "rollback"
    DRILL = "drill"


@dataclass(frozen=True)
class Command:
    """A command that was read."""

    verb: Verb
    revision: str
    """Of a rollback, also what is to come back: STABLE:TARGET. Naming stable makes one that is old do nothing. Of a
    drill, also how it fails: STABLE:KIND."""


def pending_command(context: RolloutContext, *verbs: Verb) -> Command | None:
    """The command in the annotation that can be obeyed now, if it is one of these (none named: any)."""
    command = _read(context)
    if command is None or (verbs and command.verb not in verbs) or _REFUSALS[command.verb](context, command.revision):
        return None
    return command


def refusal(context: RolloutContext) -> str | None:
    """Why a new command cannot be obeyed, as a sentence; None when there is nothing to refuse."""
    if not _is_new(context):
        return None
    command = _read(context)
    if command is None:
        verbs = ", ".join(Verb)
        return (
            f"command {context.observed.command[:512]!r} cannot be read: write VERB/REVISION/ID with an ID of your"
            f" choice and one of the verbs {verbs}"
        )
    return _REFUSALS[command.verb](context, command.revision)


def obey(context: RolloutContext, status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Do what a command asks of the status itself, and remember each that was dealt with, refused ones too.

    `abort` is an interrupt and `rollback` a beginning: those act elsewhere. An abort that cannot be carried out yet,
    because stable has nobody to answer, is remembered.
    """
    if not context.observed.command:
        return status
    update: StatusChanges = {"last_command": context.observed.command[:512]}
    command = pending_command(context)
    match command:
        case Command(Verb.ABORT, revision) if status.ending is None:
            update["aborting"] = revision
        case Command(Verb.RETRY, revision):
            update["failed"] = [blocked for blocked in status.failed if blocked.revision != revision]
            update["expired"] = [blocked for blocked in status.expired if blocked.revision != revision]
        case Command(Verb.APPROVE, revision) if context.status.watch is None:
            update["approved"] = Approved(
                revision=revision, gate=context.spec.rollout.approval, by=context.observed.command_by[:256]
            )
        case Command(Verb.PROMOTE, revision):
            by = context.observed.command_by[:256]
            update["promotion"], update["paused"] = Promotion(revision=revision, by=by, at=context.now), ""
        case Command(Verb.PAUSE, revision):
            update["paused"] = revision
        case Command(Verb.RESUME, _):
            update["paused"] = ""
        case Command(Verb.DRILL, revision):
            by, kind = context.observed.command_by[:256], DrillKind(revision.partition(":")[2])
            update["drill"] = evolve(
                status.drill or DrillStatus(), requested=DrillOrder(kind=kind, at=context.now, by=by)
            )
    return evolve(status, update)


def _is_new(context: RolloutContext) -> bool:
    return bool(context.observed.command) and context.observed.command[:512] != context.status.last_command


def _read(context: RolloutContext) -> Command | None:
    verb, _, rest = context.observed.command.partition("/")
    revision, _, nonce = rest.partition("/")
    if not _is_new(context) or verb not in set(Verb) or not revision or not nonce:
        return None
    return Command(Verb(verb), revision)


def _is_rolling(context: RolloutContext, revision: str) -> bool:
    return (
        context.candidate_is_live
        and context.status.candidate is not None
        and context.status.candidate.revision == revision
    )


def _is_watched(context: RolloutContext, revision: str) -> bool:
    """Whether it was promoted and is watched: the old version can have all traffic back at once."""
    stable = context.status.stable
    return context.status.watch is not None and stable is not None and stable.revision == revision


def _no_abort(context: RolloutContext, revision: str) -> str | None:
    if _is_watched(context, revision):
        return None
    if not _is_rolling(context, revision):
        return f"nothing to abort: {revision} is not being rolled out"
    if context.status.stable is None and context.is_reachable(context.status.candidate):
        return (
            f"{revision} cannot be aborted: it is the first revision and serves all requests, so there is nothing to go"
            " back to; apply a version that works, or delete the model"
        )
    return None


def _no_retry(context: RolloutContext, revision: str) -> str | None:
    pinned = {blocked.revision for blocked in [*context.status.failed, *context.status.expired]}
    return None if revision in pinned else f"nothing to retry: {revision} neither failed nor expired"


def _no_approval(context: RolloutContext, revision: str) -> str | None:
    if _is_watched(context, revision):
        return None
    if context.spec.rollout.approval is Approval.NONE:
        return "nothing to approve: rollout.approval is None, so the rollout does not wait for it"
    return None if _is_rolling(context, revision) else f"nothing to approve: {revision} is not being rolled out"


def _no_promotion(context: RolloutContext, revision: str) -> str | None:
    if not _is_rolling(context, revision):
        return f"nothing to promote: {revision} is not being rolled out"
    if context.status.stable is None or context.status.returning is not None:
        return f"nothing to promote: {revision} has no holds, and gets all traffic as soon as its pods are ready"
    if context.live_phase is Phase.FINISHING:
        return f"nothing to promote: {revision} takes over already"
    return None


def _no_pause(context: RolloutContext, revision: str) -> str | None:
    return None if _is_rolling(context, revision) else f"nothing to pause: {revision} is not being rolled out"


def _no_resume(context: RolloutContext, revision: str) -> str | None:
    return None if context.status.paused == revision else f"nothing to resume: {revision} is not paused"


def _no_rollback(context: RolloutContext, revision: str) -> str | None:
    stable, (current, _, target) = context.status.stable, revision.partition(":")
    if stable is None or stable.revision != current:
        serving = f": {stable.revision} does" if stable is not None else ""
        return f"nothing to roll back: {current} does not serve as stable{serving}"
    if (control := context.status.control) is not None:
        if target in {"", control.revision}:
            return None
        return (
            f"{current} is watched, and can only be rolled back to {control.revision} ({control.version}), which still"
            f" runs: to bring back {target}, end the watch first with approve/{current}/ID"
        )
    if moving := _moves(context):
        return f"{current} cannot be rolled back now: {moving}"
    if context.return_target(target) is not None:
        return None
    if not target:
        return f"{current} cannot be rolled back: no earlier stable revision is stored any more"
    kept = ", ".join(f"{each.name} ({each.version})" for each in context.kept) or "none"
    return (
        f"{current} cannot be rolled back to {target}: it is not stored, never served, or was found at fault; revisions"
        f" that can be brought back: {kept}"
    )


def _no_drill(context: RolloutContext, revision: str) -> str | None:
    stable, (current, _, kind) = context.status.stable, revision.partition(":")
    if kind not in set(DrillKind):
        return f"no drill of kind {kind or 'none'}: write drill/REVISION:KIND/ID with one of {', '.join(DrillKind)}"
    if stable is None or stable.revision != current:
        serving = f": {stable.revision} does" if stable is not None else ""
        return f"no drill: {current} does not serve as stable{serving}"
    drill = context.status.drill
    if drill is not None and (drill.running is not None or drill.requested is not None):
        return "no drill: another one runs; wait until it is over"
    why = obstacle(context, DrillKind(kind))
    return f"no drill: {why}" if why is not None else None


def _moves(context: RolloutContext) -> str:
    """What is going on, and what to do instead of a rollback; empty when nothing moves."""
    status, candidate = context.status, context.status.candidate
    if candidate is not None and context.live_phase is Phase.FINISHING:
        return f"{candidate.version} takes over; wait until phase Stable, and give the command for {candidate.revision}"
    if candidate is not None and not context.candidate_is_live:
        return f"{candidate.version} is being rolled back already; wait until that is over"
    if candidate is not None:
        return f"{candidate.version} is being rolled out; abort/{candidate.revision}/ID takes it back"
    if context.bakes_alone:
        return "it replaced nothing that works, so there is nothing to go back to; apply a version that works"
    return "" if status.phase in SETTLED else "the version before it still drains; wait until phase Stable"


_REFUSALS: Mapping[Verb, Callable[[RolloutContext, str], str | None]] = {
    Verb.ABORT: _no_abort,
    Verb.RETRY: _no_retry,
    Verb.APPROVE: _no_approval,
    Verb.PROMOTE: _no_promotion,
    Verb.PAUSE: _no_pause,
    Verb.RESUME: _no_resume,
    Verb.ROLLBACK: _no_rollback,
    Verb.DRILL: _no_drill,
}
