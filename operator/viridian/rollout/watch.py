"""The watch after a promotion: the new version is stable already, and the old one keeps a small share as a control.

The guards go on comparing. What ends the watch early is either a reason to go back to the old version, which then is
stable again, or a reason to let it drain.
"""

from collections.abc import Callable

from viridian.api.status import ColorStatus, Drain, Ending, ModelDeploymentStatus, Phase, WatchStatus
from viridian.api.status.changes import StatusChanges, evolve
from viridian_shared.durations import parse_duration

from .commands import Verb, pending_command
from .context import RolloutContext
from .interrupts import DEATHS, TOGETHER, breach_of
from .observed import Pod
from .rollback import AT_REST, ROLLED_BACK_BY_COMMAND


def begin_watch(context: RolloutContext, control: ColorStatus) -> StatusChanges:
    """What a status begins the watch with; the guards keep what they have counted so far."""
    status = context.status
    return {
        **AT_REST,
        "phase": Phase.WATCHING,
        "watch": WatchStatus(since=context.now, control=control),
        "started_at": status.started_at,
        "guards": status.guards,
        "guard_state": status.guard_state,
    }


def run_watch(context: RolloutContext) -> ModelDeploymentStatus:
    """Watching: until it is over; then the old version drains."""
    status, watch = context.status, context.status.watch
    if watch is None:
        return evolve(status, AT_REST, phase=Phase.STABLE)
    # While the old version answers because the new one cannot, nothing is taken from it.
    if not _is_over(context, watch) or context.failed_over:
        return status
    drain = Drain(color=watch.control.color, revision=watch.control.revision, since=context.now)
    return evolve(status, AT_REST, phase=Phase.FINISHING, drain=drain)


def _is_over(context: RolloutContext, watch: WatchStatus) -> bool:
    wanted = context.watch_wanted
    return (
        wanted is None
        or context.now - watch.since >= parse_duration(wanted.duration)
        or not context.runs_wanted(context.status.stable)
        or watch.control.revision not in context.observed.revisions
        or pending_command(context, Verb.APPROVE) is not None
    )


def going_back(context: RolloutContext) -> Ending | None:
    """The first reason to go back to the old version while the promoted one is watched, or None."""
    if context.status.watch is None:
        return None
    return next((ending for reason in _REASONS if (ending := reason(context)) is not None), None)


def _guard_breached(context: RolloutContext) -> Ending | None:
    sentence = breach_of(context)
    if sentence is None or not context.serving(context.status.control):
        return None
    return Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message=f"after its promotion: {sentence}")


def _marked_in_route(context: RolloutContext) -> Ending | None:
    """The route was written, and the status was not."""
    route, stable = context.observed.route, context.status.stable
    if route is None or stable is None or route.aborted != stable.revision:
        return None
    why = breach_of(context) or context.status.verdict or "the guards rolled it back"
    return Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message=f"after its promotion: {why}")


def _pods_die(context: RolloutContext) -> Ending | None:
    """Deaths in a short time: over days a pod may die for many reasons."""
    stable, control = context.status.stable, context.status.control
    if stable is None or control is None or not context.serving(control) or _dying(context, control):
        return None
    dying = _dying(context, stable)
    if sum(pod.deaths for pod in dying) < DEATHS:
        return None
    return Ending(
        phase=Phase.ROLLED_BACK,
        reason="PodsCrash",
        message=f"after its promotion pods of {stable.revision} ({stable.version}) died with an error {DEATHS} times or"
        f" more: {dying[0].death}",
    )


def _dying(context: RolloutContext, role: ColorStatus) -> list[Pod]:
    """Pods of a role that died with an error in the last minutes."""
    return [
        pod
        for pod in context.color(role.color).pods
        if pod.revision == role.revision and not pod.deleting and pod.deaths and _is_recent(context, pod)
    ]


def _is_recent(context: RolloutContext, pod: Pod) -> bool:
    return pod.died_at is not None and context.now - pod.died_at <= TOGETHER


def _person_goes_back(context: RolloutContext) -> Ending | None:
    stable, control = context.status.stable, context.status.control
    command = pending_command(context, Verb.ABORT, Verb.ROLLBACK)
    if command is None or stable is None or control is None:
        return None
    back = f"{stable.revision} ({stable.version}) was rolled back by command to {control.revision} ({control.version})"
    reason = "Aborted" if command.verb is Verb.ABORT else ROLLED_BACK_BY_COMMAND
    return Ending(phase=Phase.ROLLED_BACK, reason=reason, message=f"after its promotion {back}")


def _spec_is_control_again(context: RolloutContext) -> Ending | None:
    control = context.status.control
    if control is None or control.revision not in context.observed.revisions or not context.runs_wanted(control):
        return None
    return Ending(
        phase=Phase.STABLE, reason="Reverted", message=f"the spec asks for {control.version} again, which still runs"
    )


def _replaced_while_down(context: RolloutContext) -> Ending | None:
    """The spec asks for another version while the promoted one has no pods: the old one, which answers, is stable."""
    if not context.failed_over or context.runs_wanted(context.status.stable):
        return None
    return Ending(
        phase=Phase.STABLE,
        reason="Replaced",
        message=f"replaced by {context.spec.model.version}, the version now in the spec, while it had no ready pod",
    )


_REASONS: tuple[Callable[[RolloutContext], Ending | None], ...] = (
    _guard_breached,
    _marked_in_route,
    _pods_die,
    _person_goes_back,
    _spec_is_control_again,
    _replaced_while_down,
)
