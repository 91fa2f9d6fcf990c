"""Conditions: the resource's state in the words that kstatus, Flux, Argo CD and `kubectl wait` understand."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from viridian.api.status import CheckResult, Condition, ModelDeploymentStatus, Phase
from viridian.api.status.changes import evolve
from viridian_shared.words import count

from .context import CLOCK_STOPS, PROMOTED, SETTLED, RolloutContext
from .fallback import describe
from .interrupts import shared_deaths
from .kept import describe_kept
from .messages import left_behind, pod_trouble, state_message, stuck_pod

_OVER: Final = PROMOTED | {Phase.ROLLED_BACK, Phase.EXPIRED}


@dataclass(frozen=True)
class _Claim:
    holds: bool
    reason: str
    message: str


def conditions(context: RolloutContext) -> list[Condition]:
    """All conditions of a context; each keeps its transition time while its status stays the same."""
    claims = {
        "Ready": _ready(context),
        "Reconciling": _reconciling(context),
        "Stalled": _stalled(context),
        "Available": _available(context),
        "RolledBack": _rolled_back(context),
        "RollbackReady": _rollback_ready(context),
        "FallbackReady": _Claim(*describe(context)),
        "Settled": _settled(context),
    }
    return [
        _condition(context.status, kind, claim, context.observed.generation, context.now)
        for kind, claim in claims.items()
    ]


def _condition(status: ModelDeploymentStatus, kind: str, claim: _Claim, generation: int, now: datetime) -> Condition:
    value = "True" if claim.holds else "False"
    before = next((c for c in status.conditions if c.type == kind), None)
    since = before.last_transition_time if before is not None and before.status == value else now
    return Condition(
        type=kind,
        status=value,
        reason=claim.reason,
        message=claim.message,
        last_transition_time=since,
        observed_generation=generation,
    )


def _ready(context: RolloutContext) -> _Claim:
    status = context.status
    if status.phase in PROMOTED and status.stable is not None and not _is_between(context):
        obstacle = _obstacle(context)
        if obstacle is not None:
            return replace(obstacle, holds=False)
        if unrouted := _unrouted(context):
            return _Claim(False, "NotRouted", unrouted)
        if status.stable.ready and status.phase is Phase.WATCHING:
            return _Claim(True, "Watching", state_message(context))
        if status.stable.ready:
            ready, wanted = status.stable.ready, status.stable.replicas
            short = f" with {ready} of {wanted} pods" if ready < wanted else ""
            return _Claim(True, "Stable", f"{status.stable.version} serves all requests{short}")
        return _Claim(False, "PodsNotReady", f"no pod of {status.stable.version} is ready")
    return _unfinished(context)


def _is_between(context: RolloutContext) -> bool:
    """Whether what ended is not what the spec asks for: for a moment, until the next pass takes that up."""
    status = context.status
    if status.candidate is not None or status.phase not in _OVER or context.runs_wanted(status.stable):
        return False
    return status.phase in PROMOTED or context.blocked is None


def _unfinished(context: RolloutContext) -> _Claim:
    if _is_between(context):
        comes = "is next" if context.blocked is None else "stays blocked"
        return _Claim(False, Phase.PENDING, f"{context.spec.model.version} {comes}")
    return _Claim(False, context.status.phase, state_message(context))


def _reconciling(context: RolloutContext) -> _Claim:
    # What is stuck until somebody acts is stalled, and kstatus must not take it for work in progress.
    waits = _stalled(context).holds
    moving = not waits and (context.status.phase not in SETTLED | PROMOTED or context.status.phase is Phase.PENDING)
    hold = context.status.hold
    if _is_between(context) and not waits:
        return replace(_unfinished(context), holds=True)
    return _Claim(moving, hold.reason if hold is not None and moving else context.status.phase, state_message(context))


def _stalled(context: RolloutContext) -> _Claim:
    status = context.status
    obstacle = _obstacle(context)
    if obstacle is not None:
        return obstacle
    if status.hold is not None and status.hold.reason in CLOCK_STOPS:
        return _Claim(False, status.hold.reason, status.hold.message)  # a person is meant to take time over it
    if status.hold is not None:
        return _Claim(True, status.hold.reason, status.hold.message)
    if shared := shared_deaths(context):
        return _Claim(True, "SharedIncident", shared)
    if status.phase in {Phase.ROLLED_BACK, Phase.EXPIRED}:
        if left := left_behind(context):
            return _Claim(True, "PodStuckTerminating", f"{state_message(context)} But {left}")
        return _Claim(True, _blocked_reason(context), state_message(context))
    return _Claim(False, status.phase, "no obstacle")


def _available(context: RolloutContext) -> _Claim:
    status = context.status
    if status.stable is None:
        return _Claim(False, "NotServing", "no revision has served yet")
    if context.condemned and not context.route_weight(status.candidate):
        return _Claim(False, "GuardBreached", f"{status.stable.version} serves and fails: {context.condemned}")
    if unrouted := _unrouted(context):
        return _Claim(False, "NotRouted", unrouted)
    roles = status.roles
    for role in roles:
        share = context.route_weight(role)
        reason = "StableUnavailable" if role is status.stable else "CandidateUnavailable"
        if share and role is not status.control and not context.serving(role):
            lost = "no request is answered" if share == 100 else f"{share} % of the requests are not answered"
            return _Claim(False, reason, f"no pod of {role.version} is ready, so {lost}")
    answering = [f"{count(role.ready, 'ready pod')} of {role.version}" for role in roles if context.route_weight(role)]
    return _Claim(True, "Serving", " and ".join(answering))


def _unrouted(context: RolloutContext) -> str:
    """Why no request from outside can arrive; empty when one can."""
    route, stable = context.observed.route, context.status.stable
    if route is None:
        return f"nothing leads to {stable.version if stable else 'a revision'} yet"
    if not route.accepted:
        gateways = ", ".join(parent.name for parent in context.spec.traffic.parent_refs)
        return f"no gateway has accepted the HTTPRoute yet: waiting for Gateway {gateways}"
    return ""


def _settled(context: RolloutContext) -> _Claim:
    """For scripts: it turns True however a rollout ends, and says how."""
    status = context.status
    breached = status.hold is not None and status.hold.reason == "GuardBreached"
    over = status.phase in _OVER or breached
    if not over or _is_between(context):
        return _unfinished(context)
    return _Claim(True, "GuardBreached" if breached else status.phase, state_message(context))


def _rolled_back(context: RolloutContext) -> _Claim:
    status = context.status
    back = status.phase is Phase.ROLLED_BACK or (status.ending is not None and status.ending.phase is Phase.ROLLED_BACK)
    if back:
        return _Claim(True, _blocked_reason(context), state_message(context))
    return _Claim(False, status.phase, "the version in the spec was not rolled back")


def _rollback_ready(context: RolloutContext) -> _Claim:
    stable = context.status.stable
    if stable is None:
        return _Claim(False, "NoStable", "there is no revision to go back to yet")
    if stable.revision not in context.observed.revisions:
        return _Claim(False, "RevisionLost", f"ControllerRevision {stable.revision} is missing")
    back = context.previous
    also = f"; the command rollback would bring back {back.name} ({back.version})" if back is not None else ""
    if others := [f"{each.name} ({each.version})" for each in context.kept if each is not back]:
        also += f", and rollback/{stable.revision}:REVISION/ID one of {', '.join(others)}"
    stored = f"{stable.revision} ({stable.version}) is stored and can be run again{also}"
    looked = describe_kept(context)
    if back is None or looked is None:
        return _Claim(True, "Kept", stored)
    result, said = looked
    if result is CheckResult.PASSED:
        return _Claim(True, "Kept", f"{stored}. {back.name} can be run: {said}")
    name = f"{back.name} ({back.version}), which the command rollback brings back,"
    if result is CheckResult.FAILED:
        return _Claim(False, "ArtifactMissing", f"{name} cannot be run: {said}")
    return _Claim(False, "NotVerified", f"{name} may not be able to run: {said}")


def _blocked_reason(context: RolloutContext) -> str:
    return context.blocked.reason if context.blocked is not None else str(context.status.phase)


def _obstacle(context: RolloutContext) -> _Claim | None:
    """What the user has to put right before anything can go on."""
    if context.observed.gateway_problem is not None:
        return _Claim(True, "GatewayNotFound", context.observed.gateway_problem)
    if context.observed.taken is not None:
        return _Claim(True, "RouteTaken", context.observed.taken)
    if context.observed.route is not None and context.observed.route.problem is not None:
        return _Claim(True, "RouteRefused", context.observed.route.problem)
    if (apply_failure := context.observed.apply_failure) is not None:
        return _Claim(True, apply_failure.reason, apply_failure.message)
    if stuck := stuck_pod(context):
        return _Claim(True, "PodStuckTerminating", stuck)
    trouble = pod_trouble(context)
    if trouble:
        return _Claim(True, "PodsCannotStart", trouble)
    return None


def with_problem(
    status: ModelDeploymentStatus, reason: str, message: str, generation: int, now: datetime
) -> ModelDeploymentStatus:
    """A status whose conditions say what keeps the operator from looking after this model; all else stays."""
    claims = {"Ready": _Claim(False, reason, message), "Stalled": _Claim(True, reason, message)}
    problems = [_condition(status, kind, claim, generation, now) for kind, claim in claims.items()]
    kept = [condition for condition in status.conditions if condition.type not in claims]
    return evolve(status, conditions=[*problems, *kept])
