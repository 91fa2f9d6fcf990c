"""Conditions: the resource's state in the words that kstatus, Flux, Argo CD and `kubectl wait` understand."""

from dataclasses import dataclass, replace
from datetime import datetime

from viridian.api.quantities import format_duration
from viridian.api.status import Condition, ModelDeploymentStatus, Phase

from .view import SETTLED, View


@dataclass(frozen=True)
class _Claim:
    holds: bool
    reason: str
    message: str


def conditions(view: View) -> list[Condition]:
    """All conditions of a view; each keeps its transition time while its status stays the same."""
    claims = {
        "Ready": _ready(view),
        "Reconciling": _reconciling(view),
        "Stalled": _stalled(view),
        "Available": _available(view),
        "RolledBack": _rolled_back(view),
        "RollbackReady": _rollback_ready(view),
    }
    return [_condition(view.status, kind, claim, view.observed.generation, view.now) for kind, claim in claims.items()]


def _condition(status: ModelDeploymentStatus, kind: str, claim: _Claim, generation: int, now: datetime) -> Condition:
    value = "True" if claim.holds else "False"
    before = next((c for c in status.conditions if c.type == kind), None)
    since = before.last_transition_time if before is not None and before.status == value else now
    return Condition(
        type=kind,
        status=value,
        reason=claim.reason,
        message=claim.message[:2048],
        last_transition_time=since,
        observed_generation=generation,
    )


def _ready(view: View) -> _Claim:
    status = view.status
    if status.phase is Phase.STABLE and status.stable is not None:
        obstacle = _obstacle(view)
        if obstacle is not None:
            return replace(obstacle, holds=False)
        if status.stable.ready:
            return _Claim(True, "Stable", f"{status.stable.version} serves all requests")
        return _Claim(False, "PodsNotReady", f"no pod of {status.stable.version} is ready")
    return _Claim(False, status.phase, _story(view))


def _reconciling(view: View) -> _Claim:
    # What waits for a person is stalled, and kstatus must not take it for work in progress.
    waits = _stalled(view).holds
    moving = not waits and (view.status.phase not in SETTLED or view.status.phase is Phase.PENDING)
    return _Claim(moving, view.status.phase, _story(view))


def _stalled(view: View) -> _Claim:
    status = view.status
    obstacle = _obstacle(view)
    if obstacle is not None:
        return obstacle
    if status.hold is not None:
        return _Claim(True, status.hold.reason, status.hold.message)
    if status.phase in {Phase.ROLLED_BACK, Phase.EXPIRED}:
        return _Claim(True, _pin_reason(view), _story(view))
    return _Claim(False, status.phase, "nothing stands in the way")


def _available(view: View) -> _Claim:
    status = view.status
    if status.stable is None:
        return _Claim(False, "NotServing", "no revision has served yet")
    if status.hold is not None and status.hold.reason == "GuardBreached":
        return _Claim(False, "GuardBreached", status.hold.message)
    if status.stable.ready:
        return _Claim(True, "Serving", f"{status.stable.ready} ready pods of {status.stable.version}")
    return _Claim(False, "StableUnavailable", f"no pod of stable's {status.stable.version} is ready")


def _rolled_back(view: View) -> _Claim:
    status = view.status
    back = status.phase is Phase.ROLLED_BACK or (status.ending is not None and status.ending.phase is Phase.ROLLED_BACK)
    if back:
        return _Claim(True, _pin_reason(view), _story(view))
    return _Claim(False, status.phase, "the version that the spec asks for was not turned back")


def _rollback_ready(view: View) -> _Claim:
    stable = view.status.stable
    if stable is None:
        return _Claim(False, "NoStable", "there is no revision to go back to yet")
    if stable.revision not in view.observed.revisions:
        return _Claim(False, "RevisionLost", f"ControllerRevision {stable.revision} is missing")
    return _Claim(True, "Kept", f"{stable.revision} ({stable.version}) is stored and can be run again")


def _pin_reason(view: View) -> str:
    return view.pin.reason if view.pin is not None else str(view.status.phase)


def _obstacle(view: View) -> _Claim | None:
    """What the user has to put right before anything can go on."""
    if view.observed.gateway_problem is not None:
        return _Claim(True, "GatewayNotFound", view.observed.gateway_problem)
    if view.observed.route is not None and view.observed.route.problem is not None:
        return _Claim(True, "RouteRefused", view.observed.route.problem)
    trouble = pod_trouble(view)
    if trouble:
        return _Claim(True, "PodsCannotStart", trouble)
    return None


def pod_trouble(view: View) -> str:
    """Why pods of the candidate or of stable cannot start, as one sentence; empty when none says so."""
    roles = (view.status.candidate, view.status.stable)
    for role in roles:
        if role is None:
            continue
        pods = view.color(role.color).pods
        trouble = next((pod.trouble for pod in pods if pod.revision == role.revision and pod.trouble), "")
        if trouble:
            return f"{role.version} ({role.color}): {trouble}"
    return ""


def _story(view: View) -> str:
    """The state in one sentence: what happens, why, and what comes next."""
    status = view.status
    candidate, step = status.candidate, status.step
    if status.hold is not None:
        return status.hold.message
    if status.phase in {Phase.ROLLED_BACK, Phase.EXPIRED} and view.pin is not None:
        again = "It is not tried again until the spec changes or the command retry is given."
        stable = f"{status.stable.version} serves all requests." if status.stable is not None else "Nothing serves."
        return f"{view.pin.version} was taken back: {view.pin.message.rstrip('.')}. {stable} {again}"
    if status.ending is not None and candidate is not None:
        return f"{candidate.version} is being taken back: {status.ending.message}"
    if status.phase is Phase.STARTING and candidate is not None:
        return f"{candidate.version} starts: {candidate.ready} pods ready{_start_story(view)}"
    if step is not None and candidate is not None and status.phase in {Phase.PROGRESSING, Phase.BAKING}:
        return f"{candidate.version} {_step_story(view)}"
    if status.phase is Phase.FINISHING:
        version = candidate.version if candidate is not None else "the new version"
        return f"{version} passed and takes over; the old color drains"
    if status.phase is Phase.BAKING and status.stable is not None:
        return f"{status.stable.version} serves all requests and is watched for {view.spec.rollout.bake.duration}"
    if status.phase is Phase.STABLE and status.stable is not None:
        return f"{status.stable.version} serves all requests; guards are off until the next rollout"
    if status.phase is Phase.STALLED and view.observed.gateway_problem is not None:
        return view.observed.gateway_problem
    return "waiting for the first revision"


def _start_story(view: View) -> str:
    """What a candidate that starts is waiting for, beside its pods."""
    candidate = view.status.candidate
    trouble = pod_trouble(view)
    if not trouble and candidate is not None and candidate.ready and view.status.stable is not None:
        trouble = view.observed.evidence.trouble or "waiting until Prometheus has the counters of its pods"
    return f"; {trouble}" if trouble else ""


def _step_story(view: View) -> str:
    step = view.status.step
    if step is None:
        raise ValueError("there is no step to tell of")
    name = "bakes" if step.index > step.count else f"is at step {step.index} of {step.count}"
    if not view.runs_wanted(view.status.candidate):
        name += f" ({view.spec.model.version} waits until this is over)"
    if view.route_weight(view.status.candidate) != step.weight:
        return f"{name}: waiting for {view.required_replicas(step.weight)} ready pods before it gets {step.weight} %"
    if step.verified_at is None:
        return f"{name}: waiting for the first requests at {step.weight} %"
    need = view.observed.evidence.missing
    more = f"; too few requests yet for {', '.join(need)}" if need else ""
    trouble = view.observed.evidence.trouble
    if trouble and not view.sees:
        return f"{name} with {step.weight} % of the traffic, and stays there: {trouble}"
    hold = format_duration(view.step_hold(step.index))
    return f"{name} with {step.weight} % of the traffic, watched for {hold}{more}"


def with_problem(
    status: ModelDeploymentStatus, reason: str, message: str, generation: int, now: datetime
) -> ModelDeploymentStatus:
    """A status whose conditions say what keeps the operator from looking after this model; all else stays."""
    claims = {"Ready": _Claim(False, reason, message), "Stalled": _Claim(True, reason, message)}
    problems = [_condition(status, kind, claim, generation, now) for kind, claim in claims.items()]
    kept = [condition for condition in status.conditions if condition.type not in claims]
    return status.model_copy(update={"conditions": [*problems, *kept]})
