"""How a rollout goes forward: one small function a phase. Each takes a context and returns the next status."""

from collections.abc import Callable
from datetime import datetime

from viridian.api.names import Color, revision_name
from viridian.api.revision import Revision
from viridian.api.rollout import Approval
from viridian.api.status import (
    BlockedRevision,
    ColorStatus,
    Condemned,
    Drain,
    Hold,
    ModelDeploymentStatus,
    Phase,
    Promotion,
    Return,
    StepStatus,
)
from viridian.api.status.changes import StatusChanges, evolve
from viridian.guards.judge import Verdict
from viridian_shared.durations import parse_duration

from .checks import open_check, start_check
from .commands import Verb, pending_command
from .context import RolloutContext
from .fallback import awaits_word
from .holds import check_hold, entry_gate, gate, held, hold_of, paused_hold
from .interrupts import breach_of
from .messages import blindness, required_pods
from .readiness import step_at
from .recover import highest_revision, is_lost, recovered
from .rollback import AT_REST, ROLLED_BACK_BY_COMMAND, add_blocked, finish_rollback, remember, remember_first
from .shadow import arrived, begun, tells_pods
from .split import follow
from .takeover import replace_what_fails, takes_over
from .watch import begin_watch, run_watch


def progress(context: RolloutContext) -> ModelDeploymentStatus:
    """One move forward from wherever the status stands, or the same status."""
    if is_lost(context):
        return recovered(context) or context.status
    return _PHASES[context.live_phase](context)


def _begin(context: RolloutContext) -> ModelDeploymentStatus:
    """Settled: start what the spec asks for, unless it runs already or is pinned."""
    status = context.status
    if status.candidate is not None:
        return status
    found = recovered(context)
    if found is not None:
        return found
    if (command := pending_command(context, Verb.ROLLBACK)) is not None:
        return _return_to(context, context.return_target(command.revision.partition(":")[2]))
    if context.blocked is not None:
        phase = Phase.ROLLED_BACK if context.blocked in status.failed else Phase.EXPIRED
        return evolve(status, phase=phase)
    if context.runs_wanted(status.stable):
        if context.condemned:  # its own guard has the last word once more
            return evolve(status, AT_REST, phase=Phase.BAKING, started_at=context.now)
        return evolve(status, phase=Phase.STABLE, expired=[])
    number = highest_revision(context) + 1
    name = revision_name(context.name, number)
    update = _fresh_start(context, name, context.spec.model.version)
    update["last_revision"], update["expired"] = number, []
    if status.phase is not Phase.STABLE and context.bakes_alone:
        update["history"] = remember_first(context, *_first_result(context))
    return evolve(status, update)


def _first_result(context: RolloutContext) -> tuple[str, str]:
    """How the bake of a revision that was put to use without a comparison ended."""
    if context.condemned:
        return "GuardBreached", context.condemned
    return "Promoted", _promotion_summary(context) or "the first revision"


def _fresh_start(context: RolloutContext, revision: str, version: str) -> StatusChanges:
    """What a status begins a rollout with."""
    stable = context.status.stable
    color = stable.color.other if stable is not None else Color.BLUE
    return {
        **AT_REST,
        "phase": Phase.STARTING,
        "candidate": ColorStatus(color=color, revision=revision, version=version),
        "started_at": context.now,
        "floor": context.color(stable.color).replicas
        if stable is not None and context.spec.serving.autoscaling
        else None,
        "verdict": "",
        "shadow": None,
        "checks": [],
    }


def _return_to(context: RolloutContext, target: Revision | None) -> ModelDeploymentStatus:
    """A person's rollback: what served before is warmed up in the other color, and then gets all traffic at once."""
    status = context.status
    if status.stable is None or target is None:
        return status
    returning = Return(instead_of=status.stable.revision, generation=context.observed.generation)
    failed = [blocked for blocked in status.failed if blocked.revision != target.name]
    return evolve(status, _fresh_start(context, target.name, target.version), returning=returning, failed=failed)


def _start(context: RolloutContext) -> ModelDeploymentStatus:
    """Starting: wait for ready and published pods; then the first step, or all traffic at once where none is split."""
    candidate = context.status.candidate
    if candidate is None:
        return evolve(context.status, phase=Phase.PENDING)
    first = context.status.stable is None
    if first and context.barred is not None:
        return evolve(context.status, phase=Phase.STALLED)
    at_once = first or context.status.returning is not None or bool(context.condemned)
    need = required_pods(context)
    starting = evolve(context.status, phase=Phase.STARTING, hold=None)
    hold = paused_hold(context)
    if hold is None and context.serving(candidate) < need and not context.failed_over:
        return starting
    if hold is None and (due := open_check(context)) is not None:
        hold = check_hold(context)
        if hold is None:
            return evolve(start_check(context, due), phase=Phase.STARTING, hold=None)
    if hold is None and context.status.returning is None and (at_once or not context.step_shadow(_next(context, 1))):
        hold = entry_gate(context)  # else once the shadow steps are over: no user meets the candidate before
    if hold is not None:
        return _hold_still(context, hold)
    watched = not context.condemned or context.is_monitored(candidate, need)
    if at_once:
        return evolve(starting, phase=Phase.FINISHING) if watched else starting
    known = context.is_monitored(candidate, need) and not awaits_word(context)
    return _intend(context, _next(context, 1)) if context.failed_over or known else starting


def _hold_still(context: RolloutContext, hold: Hold) -> ModelDeploymentStatus:
    return evolve(context.status, phase=Phase.HELD, hold=hold)


def _intend(context: RolloutContext, index: int) -> ModelDeploymentStatus:
    """Decide on a step; the route follows once enough pods are ready for it."""
    phase = Phase.BAKING if index > len(context.steps) else Phase.PROGRESSING
    return evolve(context.status, phase=phase, step=step_at(context, index), hold=None)


def _next(context: RolloutContext, index: int) -> int:
    """The step to go on with: this one, or the bake where a person has promoted the candidate."""
    return index if context.promotion is None else len(context.steps) + 1


def _run_step(context: RolloutContext) -> ModelDeploymentStatus:
    """Progressing and Baking with a candidate: verify the split by requests, hold it, go on."""
    step = context.status.step
    if step is None:  # the bake of a first revision
        return _bake_first(context)
    hold = hold_of(context)
    if hold is not None:
        return takes_over(context, hold) or _hold_still(context, hold)
    status = evolve(context.status, phase=context.live_phase, hold=None)
    if status.shortfall is not None:
        return status
    if (found := context.observed.evidence.stable_breach) and not step.shadow:  # copies are of what stable answered
        return replace_what_fails(context, status, found)
    if step.shadow and not context.spec.has_route:
        return _go_on(context, step)  # nobody sends copies any more
    if context.promotion is not None and (step.shadow or step.index <= len(context.steps)):
        return _go_on(context, step)
    if step.verified_at is None or _counts_fell(context, step):
        return evolve(status, step=_verify(context, step))
    if not _is_over(context, step, step.verified_at):
        return status
    if step.index <= len(context.steps) or step.shadow:
        return _go_on(context, step)
    hold = gate(context, Approval.BEFORE_PROMOTION)
    return evolve(status, phase=Phase.FINISHING) if hold is None else _hold_still(context, hold)


def _is_over(context: RolloutContext, step: StepStatus, verified_at: datetime) -> bool:
    """Whether a step was watched for long enough, or a person has said so, and what was seen can be judged."""
    waited = (
        context.now - verified_at >= context.step_hold(step.index)
        and arrived(context, step) - step.requests_before >= context.step_min_requests(step.index)
        and not context.observed.evidence.missing
    )
    return context.sees and (waited or context.promotion is not None) and not blindness(context)


def _counts_fell(context: RolloutContext, step: StepStatus) -> bool:
    """Whether pods took their counts with them since a step began: it must not wait until as many are counted again."""
    return context.sees and arrived(context, step) < step.requests_before


def _verify(context: RolloutContext, step: StepStatus) -> StepStatus:
    """Take in the requests seen since a step is in the route: they show that it is followed, or not yet."""
    if step.verified_at is not None:
        return evolve(step, requests_before=arrived(context, step))
    in_route = context.route_weight(context.status.candidate) == step.weight and tells_pods(context)
    if not in_route or not context.sees:
        return step
    seen = arrived(context, step)
    if step.shadow:
        return begun(step, seen, context.now)
    return follow(step, seen, context.requests(context.status.stable), context.now)


def _go_on(context: RolloutContext, step: StepStatus) -> ModelDeploymentStatus:
    """Decide on the step after one, or on the bake; before the first with users a person may have to approve it."""
    following = _next(context, min(step.index, len(context.steps)) + 1)  # the list may be shorter by now
    hold = entry_gate(context) if step.shadow and not context.step_shadow(following) else None
    return _intend(context, following) if hold is None else _hold_still(context, hold)


def _bake_first(context: RolloutContext) -> ModelDeploymentStatus:
    """The bake of a revision that nothing is compared with: it serves already, and there is nothing to go back to."""
    status = context.status
    if not context.runs_wanted(status.stable):
        return _begin(context)
    started = status.started_at or context.now
    sentence = breach_of(context)
    if sentence is not None and status.stable is not None:
        again = (
            "There is no revision to roll back to: apply a version that works; it gets all traffic as soon as it is"
            " ready."
        )
        condemned = Condemned(revision=status.stable.revision, message=sentence)
        on_hold = _hold_still(context, held(context, "GuardBreached", f"{sentence} {again}"))
        return evolve(on_hold, condemned=condemned)
    drains = status.drain is not None and not context.color(status.drain.color).is_empty
    if drains or context.now - started < parse_duration(context.spec.rollout.bake.duration):
        return evolve(status, phase=Phase.BAKING, hold=None)
    history = remember_first(context, *_first_result(context))
    return evolve(status, AT_REST, phase=Phase.STABLE, condemned=None, history=history)


def _finish(context: RolloutContext) -> ModelDeploymentStatus:
    """Finishing: all traffic, then NAME, then the roles, then the drain, each after the one before was seen."""
    status, candidate = context.status, context.status.candidate
    if candidate is None:
        return _finish_drain(context)
    if status.shortfall is not None:  # its pods went before it took over
        return evolve(status, phase=Phase.BAKING if status.step is not None else Phase.STARTING)
    if (
        context.route_weight(candidate) != context.promoted_weight
        or context.observed.stable_service is not candidate.color
    ):
        return status
    old = status.stable
    swapped = evolve(status, stable=candidate, candidate=None, step=None, outage=None)
    drain = Drain(color=old.color, revision=old.revision, since=context.now) if old is not None else None
    if old is None or context.condemned:
        return evolve(swapped, phase=Phase.BAKING, started_at=context.now, condemned=None, drain=drain, floor=None)
    update: StatusChanges = {"drain": drain, "history": remember(context, *_result(context, old, candidate))}
    failed = status.failed
    if context.watch_follows:
        return evolve(swapped, begin_watch(context, old), history=update["history"])
    if status.returning is not None:
        failed = add_blocked(failed, _blocked_by_command(context, status.returning, old, candidate))
    return evolve(swapped, update, failed=failed)


def _blocked_by_command(
    context: RolloutContext, returning: Return, old: ColorStatus, back: ColorStatus
) -> BlockedRevision:
    """Block what the command rollback has replaced: otherwise the spec, which still names it, would start it again."""
    return BlockedRevision(
        revision=old.revision,
        version=old.version,
        reason=ROLLED_BACK_BY_COMMAND,
        message=f"{old.revision} ({old.version}) was rolled back by command to {back.revision} ({back.version})",
        at=context.now,
        until_generation=returning.generation,
    )


def _result(context: RolloutContext, old: ColorStatus, candidate: ColorStatus) -> tuple[str, str]:
    """How a candidate that takes over got there, in a word and in a sentence."""
    if context.status.returning is not None:
        return "Restored", f"restored by command in place of {context.status.returning.instead_of}"
    condemned = context.status.condemned
    if condemned is not None and condemned.revision == candidate.revision:
        return "TookOver", condemned.message
    alone = f"{old.version} had no ready pod. " if context.failed_over else ""
    return "Promoted", f"{alone}{_early(context.promotion)}{_promotion_summary(context) or context.status.verdict}"


def _early(promotion: Promotion | None) -> str:
    """That a person did not wait for the holds, and who, as a sentence; empty where nobody did."""
    if promotion is None:
        return ""
    by = f" by {promotion.by}" if promotion.by else ""
    return f"Promoted by command{by} at {promotion.at:%Y-%m-%d %H:%M:%S} UTC, without waiting for its holds. "


def _promotion_summary(context: RolloutContext) -> str:
    """The sentence about the maximum that is kept by the most requests; empty where none has enough of them."""
    kept = [
        judgement
        for judgement in context.observed.evidence.judgements
        if judgement.kind == "absolute" and judgement.verdict is Verdict.HEALTHY
    ]
    return max(kept, key=lambda judgement: judgement.candidate.total).sentence if kept else ""


def _finish_drain(context: RolloutContext) -> ModelDeploymentStatus:
    drain = context.status.drain
    if drain is not None and not context.color(drain.color).is_empty:
        return context.status
    return evolve(context.status, AT_REST, phase=Phase.STABLE)


_PHASES: dict[Phase, Callable[[RolloutContext], ModelDeploymentStatus]] = {
    Phase.PENDING: _begin,
    Phase.STABLE: _begin,
    Phase.ROLLED_BACK: _begin,
    Phase.EXPIRED: _begin,
    Phase.STARTING: _start,
    Phase.STALLED: _start,
    Phase.PROGRESSING: _run_step,
    Phase.BAKING: _run_step,
    Phase.HELD: _run_step,
    Phase.FINISHING: _finish,
    Phase.WATCHING: run_watch,
    Phase.ROLLING_BACK: finish_rollback,
}
