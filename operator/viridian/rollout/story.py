"""The state of a rollout in one sentence for people: what happens, why, and what comes next."""

from viridian.api.quantities import format_duration
from viridian.api.status import ColorStatus, Phase, StepStatus

from .split import lag
from .view import View


def pod_trouble(view: View) -> str:
    """Why pods of the candidate or of stable cannot start, as one sentence; empty when none says so."""
    if stuck := stuck_pod(view):
        return stuck
    for role in _roles(view):
        color = view.color(role.color)
        trouble = next((pod.trouble for pod in color.pods if pod.revision == role.revision and pod.trouble), "")
        if not trouble and color.refusal and color.revision == role.revision:
            trouble = f"Kubernetes refuses to create its pods, and tries it again by itself: {color.refusal}"
        if trouble:
            return f"{role.version} ({role.color}): {trouble}"
    return ""


def stuck_pod(view: View) -> str:
    """Which pod of another revision does not go, so that a color cannot be used, as one sentence; empty when none."""
    for role in _roles(view):
        color = view.color(role.color)
        stuck = next((pod.stuck for pod in color.pods if pod.stuck and pod.revision != role.revision), "")
        if stuck and color.revision != role.revision:
            return f"{role.version} ({role.color}) has to wait: {stuck}"
    return ""


def _roles(view: View) -> list[ColorStatus]:
    return [role for role in (view.status.candidate, view.status.stable) if role is not None]


def blindness(view: View) -> str:
    """That the metrics do not tell of as many of the candidate's pods as its weight needs; empty when they do."""
    candidate, step = view.status.candidate, view.status.step
    if candidate is None or step is None or view.observed.evidence.fresh_at is None:
        return ""
    need = view.required_replicas(step.weight)
    if view.is_watched(candidate, need):
        return ""
    return (
        f"Prometheus has the counters of {view.reporting(candidate)} of the {need} pods that {candidate.version} needs"
    )


def story(view: View) -> str:
    """The state in one sentence: what happens, why, and what comes next."""
    if view.status.hold is not None:
        return view.status.hold.message
    return _candidate_story(view) or _settled_story(view)


def _candidate_story(view: View) -> str:
    """What happens to the candidate; empty when there is none."""
    status, candidate, step = view.status, view.status.candidate, view.status.step
    if candidate is None:
        return ""
    if status.ending is not None:
        return f"{candidate.version} is being taken back: {status.ending.message}"
    if status.returning is not None:
        return f"{candidate.version} comes back by command: {candidate.ready} of {view.full} pods are ready"
    if status.phase is Phase.STARTING:
        return f"{candidate.version} starts: {candidate.ready} pods ready{_start_story(view)}"
    if status.phase is Phase.FINISHING:
        return f"{candidate.version} passed and takes over; the old color drains"
    return f"{candidate.version} {_step_story(view, step)}" if step is not None else ""


def _settled_story(view: View) -> str:
    status = view.status
    if status.phase in {Phase.ROLLED_BACK, Phase.EXPIRED} and view.pin is not None:
        again = "It is not tried again until the spec changes or the command retry is given."
        stable = f"{status.stable.version} serves all requests." if status.stable is not None else "Nothing serves."
        return f"{view.pin.version} was taken back: {view.pin.message.removesuffix('.')}. {stable} {again}"
    if status.phase is Phase.FINISHING:
        return "the new version passed and takes over; the old color drains"
    if status.phase is Phase.BAKING and status.stable is not None:
        return f"{status.stable.version} serves all requests and is watched for {view.spec.rollout.bake.duration}"
    if status.stable is not None:
        return f"{status.stable.version} serves all requests; guards are off until the next rollout"
    if status.phase is Phase.STALLED and view.barred is not None:
        return view.barred
    return "waiting for the first revision"


def _start_story(view: View) -> str:
    """What a candidate that starts is waiting for, beside its pods."""
    candidate = view.status.candidate
    trouble = pod_trouble(view)
    if not trouble and candidate is not None and candidate.ready and view.status.stable is not None:
        trouble = view.observed.evidence.trouble or "waiting until Prometheus has the counters of its pods"
    return f"; {trouble}" if trouble else ""


def _step_story(view: View, step: StepStatus) -> str:
    name = "bakes" if step.index > step.count else f"is at step {step.index} of {step.count}"
    if not view.runs_wanted(view.status.candidate):
        name += f" ({view.spec.model.version} waits until this is over)"
    if view.route_weight(view.status.candidate) != step.weight:
        return f"{name}: waiting for {view.required_replicas(step.weight)} ready pods before it gets {step.weight} %"
    if step.verified_at is None:
        return f"{name}: {lag(view) or f'waiting until requests are seen to be split at {step.weight} %'}"
    need = view.observed.evidence.missing
    more = f"; too few requests yet for {', '.join(need)}" if need else ""
    trouble = view.observed.evidence.trouble if not view.sees else ""
    if trouble := trouble or blindness(view):
        return f"{name} with {step.weight} % of the traffic, and stays there: {trouble}"
    hold = format_duration(view.step_hold(step.index))
    return f"{name} with {step.weight} % of the traffic, watched for {hold}{more}"
