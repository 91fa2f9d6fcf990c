"""Weight follows readiness: no color without a ready endpoint keeps weight while the other has one.

Two states in the status make that steady. `outage`: stable has had no ready pod for a grace, so the candidate carries
everything until stable has been ready again for as long. `shortfall`: the candidate has fewer ready pods than its
weight needs, so it gets what those carry until it has had enough of them for that long. The weight falls at once.
"""

from viridian.api.status import ModelDeploymentStatus, Outage, Phase, Shortfall, StepStatus
from viridian.api.status.changes import evolve
from viridian_shared.durations import parse_duration

from .checks import open_check
from .context import RolloutContext
from .holds import entry_gate, paused_hold


def track(context: RolloutContext) -> ModelDeploymentStatus:
    """Note who is ready to answer, and begin the step anew when the interruption is over."""
    status = evolve(context.status, floor=_highest(context))
    if status.watch is not None:
        return evolve(status, outage=_outage(context), shortfall=None)
    if status.stable is None or not context.candidate_is_live:
        return evolve(status, outage=None, shortfall=None)
    outage = _outage(context)
    failed_over = outage is not None and outage.failed_over_at is not None
    shortfall = None if failed_over else _shortfall(context)
    step = status.step
    if step is not None and (failed_over or shortfall is not None):
        step = evolve(step, verified_at=None, lagging_since=None)
    elif step is not None and (context.failed_over or context.status.shortfall is not None):
        step = step_at(context, step.index)
    return evolve(status, outage=outage, shortfall=shortfall, step=step)


def candidate_weight(context: RolloutContext) -> int:
    """The weight that the candidate is to have now, in percent: what its step asks for, as far as pods are ready."""
    status, candidate = context.status, context.status.candidate
    if candidate is None or not context.candidate_is_live:
        return _not_carried_yet(context)
    if context.failed_over:
        return 100
    weight = _target(context) or 0
    if status.aborting:  # no more than it has: it goes back as soon as stable can answer
        weight = min(weight, context.route_weight(candidate))
    return weight if status.shortfall is None else min(weight, status.shortfall.weight)


def _not_carried_yet(context: RolloutContext) -> int:
    """What a promoted version that is taken back keeps, in percent: what the few pods of stable cannot carry yet.

    All traffic at once would fail where it meets two pods in the place of twenty. Should the others not come up in the
    time of a bake, those two have to do.
    """
    candidate, ending = context.status.candidate, context.status.ending
    if ending is None or ending.warms_since is None or not context.serving(candidate):
        return 0
    if context.now - ending.warms_since >= parse_duration(context.spec.rollout.bake.duration):
        return 0
    carried = context.carried(context.serving(context.status.stable))
    return min(100 - carried, context.route_weight(candidate))


def control_weight(context: RolloutContext) -> int:
    """The share of the old version while the promoted one is watched, in percent.

    It has none without a ready pod, and gets it again once all are ready that it needs.
    """
    control, watch = context.status.control, context.watch_wanted
    ready = context.serving(control)
    if not ready:
        return 0
    if context.failed_over:
        return 100
    if watch is None or (not context.route_weight(control) and ready < context.required_replicas(watch.holdback)):
        return 0
    return min(watch.holdback, context.carried(ready))


def control_pods(context: RolloutContext) -> int:
    """Pods of the old version while the promoted one is watched: as many as its share in the route needs."""
    watch = context.watch_wanted
    share = max(watch.holdback if watch is not None else 0, context.route_weight(context.status.control))
    return context.full if context.failed_over else context.required_replicas(share)


def step_at(context: RolloutContext, index: int) -> StepStatus:
    """A step that begins now; what was counted before it says nothing about it."""
    count, shadow = len(context.steps), context.step_shadow(index)
    candidate = context.status.candidate
    return StepStatus(
        index=index,
        count=count,
        progress="bake" if index > count else f"{index}/{count}",
        weight=context.step_weight(index),
        shadow=shadow,
        weight_before=context.route_weight(candidate),
        intended_at=context.now,
        requests_before=context.mirrored(candidate) if shadow else context.requests(candidate),
        stable_requests_before=context.requests(context.status.stable),
    )


def _target(context: RolloutContext) -> int | None:
    """The weight that the candidate is meant to have; None before its first step."""
    status = context.status
    if status.phase is Phase.FINISHING:
        return context.promoted_weight
    return status.step.weight if status.step is not None else None


def _outage(context: RolloutContext) -> Outage | None:
    outage, other = context.status.outage, context.status.candidate or context.status.control
    other_answers = context.serving(other) > 0
    if context.serving(context.status.stable):
        if outage is None or outage.failed_over_at is None or not other_answers:
            return None
        ready_since = outage.ready_since or context.now
        over = context.now - ready_since >= context.settings.quiet
        return None if over else evolve(outage, ready_since=ready_since)
    outage = Outage(since=context.now) if outage is None else evolve(outage, ready_since=None)
    due = context.now - outage.since >= context.settings.quiet and other_answers and _may_answer(context)
    if outage.failed_over_at is None and due:
        return evolve(outage, failed_over_at=context.now)
    return outage


def _may_answer(context: RolloutContext) -> bool:
    """Whether the candidate may answer users at all: a person may have to approve that first, or has said no."""
    status = context.status
    if status.aborting:
        return False
    had_users = status.step is not None and not status.step.shadow
    if had_users or status.returning is not None or status.phase is Phase.FINISHING:
        return True
    asked = open_check(context, asked_for=True)  # by default none keeps a fix from users whom nobody answers
    return paused_hold(context) is None and asked is None and entry_gate(context) is None


def _shortfall(context: RolloutContext) -> Shortfall | None:
    status, target = context.status, _target(context)
    shortfall = status.shortfall
    if target is None or status.candidate is None:
        return None
    if not context.serving(status.stable):
        return shortfall
    ready = context.serving(status.candidate)
    carried, need = context.carried(ready), context.required_replicas(target)
    if shortfall is None:
        short = carried < min(target, context.route_weight(status.candidate))
        return Shortfall(weight=carried) if short else None
    if ready < need:
        return Shortfall(weight=min(shortfall.weight, carried))
    since = shortfall.ready_since or context.now
    watched = status.returning is not None or context.is_monitored(status.candidate, need)
    if watched and context.now - since >= context.settings.quiet:
        return None
    return evolve(shortfall, ready_since=since)


def _highest(context: RolloutContext) -> int | None:
    """The most pods that stable has had in this rollout, while an autoscaler says or said how many."""
    status = context.status
    moving = status.candidate is not None or status.floor is not None
    if status.stable is None or not moving or (context.spec.serving.autoscaling is None and status.floor is None):
        return status.floor
    return max(status.floor or 0, context.color(status.stable.color).replicas)
