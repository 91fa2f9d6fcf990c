"""Weight follows readiness: no color without a ready endpoint keeps weight while the other has one.

Two states in the status make that steady. `outage`: stable has had no ready pod for a grace, so the candidate carries
everything until stable has been ready again for as long. `shortfall`: the candidate has fewer ready pods than its
weight needs, so it gets what those carry until it has had enough of them for that long. The weight falls at once.
"""

from viridian.api.status import ModelDeploymentStatus, Outage, Phase, Shortfall, StepStatus

from .holds import entry_gate, paused_hold
from .view import View


def track(view: View) -> ModelDeploymentStatus:
    """Note who is ready to answer, and begin the step anew when the interruption is over."""
    before, status = view.status, view.status.model_copy(update={"floor": _highest(view)})
    if status.stable is None or not view.candidate_is_live:
        return status.model_copy(update={"outage": None, "shortfall": None})
    outage = _outage(view)
    shortfall = None if outage is not None and outage.failed_over_at is not None else _shortfall(view)
    step = status.step
    if step is not None and (shortfall is not None or (outage is not None and outage.failed_over_at is not None)):
        step = step.model_copy(update={"verified_at": None, "lagging_since": None})
    elif step is not None and (before.shortfall or (before.outage and before.outage.failed_over_at)):
        step = step_at(view, step.index)
    return status.model_copy(update={"outage": outage, "shortfall": shortfall, "step": step})


def candidate_weight(view: View) -> int:
    """The weight that the candidate is to have now, in percent: what its step asks for, as far as pods are ready."""
    status = view.status
    if status.candidate is None or not view.candidate_is_live:
        return 0
    if view.failed_over:
        return 100
    weight = _target(view) or 0
    if status.aborting:  # no more than it has: it goes back as soon as stable can answer
        weight = min(weight, view.route_weight(status.candidate))
    return weight if status.shortfall is None else min(weight, status.shortfall.weight)


def step_at(view: View, index: int) -> StepStatus:
    """A step that begins now; what was counted before it says nothing about it."""
    count = len(view.steps)
    return StepStatus(
        index=index,
        count=count,
        progress="bake" if index > count else f"{index}/{count}",
        weight=view.step_weight(index),
        weight_before=view.route_weight(view.status.candidate),
        intended_at=view.now,
        requests_before=view.requests(view.status.candidate),
        stable_requests_before=view.requests(view.status.stable),
    )


def _target(view: View) -> int | None:
    """The weight that the candidate is meant to have; None before its first step."""
    status = view.status
    if status.phase is Phase.FINISHING:
        return 100
    return status.step.weight if status.step is not None else None


def _outage(view: View) -> Outage | None:
    outage, candidate_answers = view.status.outage, view.serving(view.status.candidate) > 0
    if view.serving(view.status.stable):
        if outage is None or outage.failed_over_at is None or not candidate_answers:
            return None
        ready_since = outage.ready_since or view.now
        over = view.now - ready_since >= view.settings.quiet
        return None if over else outage.model_copy(update={"ready_since": ready_since})
    outage = Outage(since=view.now) if outage is None else outage.model_copy(update={"ready_since": None})
    due = view.now - outage.since >= view.settings.quiet and candidate_answers and _may_answer(view)
    if outage.failed_over_at is None and due:
        return outage.model_copy(update={"failed_over_at": view.now})
    return outage


def _may_answer(view: View) -> bool:
    """Whether the candidate may answer users at all: a person may have to approve that first, or has said no."""
    status = view.status
    if status.aborting:
        return False
    if status.step is not None or status.returning is not None or status.phase is Phase.FINISHING:
        return True
    return paused_hold(view) is None and entry_gate(view) is None


def _shortfall(view: View) -> Shortfall | None:
    status, target = view.status, _target(view)
    shortfall = status.shortfall
    if target is None or status.candidate is None:
        return None
    if not view.serving(status.stable):
        return shortfall
    ready = view.serving(status.candidate)
    carried, need = view.carried(ready), view.required_replicas(target)
    if shortfall is None:
        short = carried < min(target, view.route_weight(status.candidate))
        return Shortfall(weight=carried) if short else None
    if ready < need:
        return Shortfall(weight=min(shortfall.weight, carried))
    since = shortfall.ready_since or view.now
    watched = status.returning is not None or view.is_watched(status.candidate, need)
    if watched and view.now - since >= view.settings.quiet:
        return None
    return shortfall.model_copy(update={"ready_since": since})


def _highest(view: View) -> int | None:
    """The most pods that stable has had in this rollout, while an autoscaler says or said how many."""
    status = view.status
    moving = status.candidate is not None or status.floor is not None
    if status.stable is None or not moving or (view.spec.serving.autoscaling is None and status.floor is None):
        return status.floor
    return max(status.floor or 0, view.color(status.stable.color).replicas)
