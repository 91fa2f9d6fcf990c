"""Reasons to take a candidate back, asked first in every phase and in this order: breach before anything else."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from viridian.api.guards import Policy
from viridian.api.status import CheckResult, Ending, Phase
from viridian.guards.judge import Verdict
from viridian_shared.durations import parse_duration

from .checks import made
from .commands import Verb, pending_command
from .context import RolloutContext
from .messages import blindness, pod_trouble, waits_for
from .observed import Pod
from .split import lag

DEATHS = 2
"""So many deaths of candidate containers by an error are proof without statistics."""
TOGETHER = timedelta(minutes=10)
"""Deaths of both colors within this time have one cause; the kubelet waits up to five minutes between two starts."""


def interrupt(context: RolloutContext) -> Ending | None:
    """The first reason to take the candidate back, or None."""
    if not context.candidate_is_live:
        return None
    if context.status.stable is None and context.is_reachable(context.status.candidate):
        return None  # a first revision that serves: there is nothing to go back to
    if stable_is_gone(context):
        return _marked_in_route(context)
    reasons = _REASONS if context.status.returning is None else _REASONS_WHILE_RETURNING
    return next((ending for reason in reasons if (ending := reason(context)) is not None), None)


def breach_of(context: RolloutContext) -> str | None:
    """The sentence of the first guard that blames the candidate, with what most requests failed with, or None."""
    evidence = context.observed.evidence
    breach = next((judgement for judgement in evidence.judgements if judgement.verdict is Verdict.BREACH), None)
    if breach is None or not evidence.failure or breach.kind == "query":
        return None if breach is None else breach.sentence
    return f"{breach.sentence} {evidence.failure}"


def stable_is_gone(context: RolloutContext) -> bool:
    """Whether the candidate serves users while stable has nobody to answer: then going back would help nobody."""
    status = context.status
    return (
        status.stable is not None
        and context.serving(status.stable) == 0
        and context.serving(status.candidate) > 0
        and context.is_reachable(status.candidate)
    )


def _marked_in_route(context: RolloutContext) -> Ending | None:
    route, candidate = context.observed.route, context.status.candidate
    if route is None or candidate is None or route.aborted != candidate.revision:
        return None
    why = breach_of(context) or context.status.verdict or "the guards rolled it back"
    return Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message=why)


def _guard_breached(context: RolloutContext) -> Ending | None:
    sentence = breach_of(context)
    if sentence is None:
        return None
    return Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message=sentence)


def _check_failed(context: RolloutContext) -> Ending | None:
    """How a candidate ends that has failed a check before its first request; None when it has not."""
    candidate = context.status.candidate
    failed = next((each for each in made(context) if each.result is CheckResult.FAILED), None)
    if candidate is None or failed is None or context.status.step is not None:
        return None
    return Ending(
        phase=Phase.ROLLED_BACK,
        reason="ChecksFailed",
        message=f"{candidate.version} failed the check {failed.name} before any traffic: {failed.message}",
    )


def _pods_die(context: RolloutContext) -> Ending | None:
    candidate, pods = context.status.candidate, _candidate_pods(context)
    if candidate is None or sum(pod.deaths for pod in pods) < DEATHS or _stable_dies_too(context, pods):
        return None
    last = next(pod.death for pod in pods if pod.deaths)
    return Ending(
        phase=Phase.ROLLED_BACK,
        reason="PodsCrash",
        message=f"pods of {candidate.revision} ({candidate.version}) died with an error {DEATHS} times or more: {last}",
    )


def _candidate_pods(context: RolloutContext) -> list[Pod]:
    candidate = context.status.candidate
    if candidate is None:
        return []
    return [
        pod for pod in context.color(candidate.color).pods if pod.revision == candidate.revision and not pod.deleting
    ]


def shared_deaths(context: RolloutContext) -> str:
    """That pods of both versions die together, so that the candidate is not blamed, as a sentence; else empty."""
    candidate, stable, pods = context.status.candidate, context.status.stable, _candidate_pods(context)
    dead = [pod for pod in pods if pod.deaths and not pod.ready]
    if (
        candidate is None
        or stable is None
        or not dead
        or not context.candidate_is_live
        or not _stable_dies_too(context, pods)
    ):
        return ""
    return (
        f"pods of {candidate.version} and of {stable.version} die at the same time, so {candidate.version} is not"
        f" blamed: look for what they share, such as data, network or nodes; {dead[0].death}"
    )


def _stable_dies_too(context: RolloutContext, pods: Sequence[Pod]) -> bool:
    """Whether pods of stable died in this rollout together with these: what both share is at fault then."""
    stable, began = context.status.stable, context.status.started_at
    if stable is None or began is None:
        return False
    last = max((pod.died_at for pod in pods if pod.died_at is not None), default=context.now)
    return any(
        pod.died_at is not None and pod.died_at >= max(began, last - TOGETHER)
        for pod in context.color(stable.color).pods
        if pod.revision == stable.revision and pod.deaths and not pod.deleting
    )


def _nothing_comes_back(context: RolloutContext) -> Ending | None:
    """What a person brings back is lost: made anew from the spec, it would be another one under its name."""
    candidate = context.status.candidate
    if candidate is None or candidate.revision in context.observed.revisions:
        return None
    return Ending(
        phase=Phase.STABLE,
        reason="RevisionLost",
        message=f"{candidate.revision} ({candidate.version}) cannot come back: its ControllerRevision is gone, and no"
        " Deployment runs it; apply the version that is wanted",
    )


def _person_aborts(context: RolloutContext) -> Ending | None:
    candidate = context.status.candidate
    if candidate is None:
        return None
    if pending_command(context, Verb.ABORT) is None and context.status.aborting != candidate.revision:
        return None
    return Ending(
        phase=Phase.ROLLED_BACK,
        reason="Aborted",
        message=f"{candidate.revision} ({candidate.version}) was aborted by command",
    )


def _spec_is_stable_again(context: RolloutContext) -> Ending | None:
    stable = context.status.stable
    known = stable is not None and stable.revision in context.observed.revisions
    if stable is None or not known or not context.runs_wanted(stable) or not context.follows_spec:
        return None
    return Ending(
        phase=Phase.STABLE, reason="Reverted", message=f"the spec asks for {stable.version}, the stable version, again"
    )


def _spec_is_newer(context: RolloutContext) -> Ending | None:
    candidate = context.status.candidate
    lost = context.status.shortfall is not None and context.serving(candidate) == 0
    waits = context.live_phase in {Phase.BAKING, Phase.FINISHING} and not lost
    if candidate is None or waits or not context.follows_spec:
        return None
    # A candidate that was named but not stored yet would be rendered from this very spec.
    harmless = candidate.revision in context.observed.revisions or context.blocked is None
    if harmless and context.runs_wanted(candidate):
        return None
    return Ending(
        phase=Phase.STABLE,
        reason="Replaced",
        message=f"replaced by {context.spec.model.version}, the version now in the spec",
    )


def _deadline_passed(context: RolloutContext) -> Ending | None:
    passed = context.running_for >= parse_duration(context.spec.rollout.deadline)
    if context.status.stable is None or context.live_phase is Phase.FINISHING or not passed:
        return None
    hold = context.status.hold
    waiting = waits_for(context)
    why = hold.message if hold is not None else pod_trouble(context) or lag(context) or blindness(context)
    why = why or (f"still waiting for {waiting}" if waiting else "")
    return Ending(
        phase=Phase.EXPIRED,
        reason="DeadlineExceeded",
        message=f"not promoted within {context.spec.rollout.deadline} (rollout.deadline)" + (f": {why}" if why else ""),
    )


def metrics_missing_for(context: RolloutContext) -> timedelta:
    """How long the guards have been blind while they were meant to watch; zero when they see."""
    step = context.status.step
    if step is None or context.status.candidate is None:
        return timedelta(0)
    return _since_the_last_of(context, step.intended_at, context.fresh_at)


def no_traffic_for(context: RolloutContext) -> timedelta:
    """How long an unverified step has seen no request on either color; zero once it was verified."""
    step, counted_at = context.status.step, context.observed.evidence.counted_at
    if step is None or step.verified_at is not None or context.route_weight(context.status.candidate) != step.weight:
        return timedelta(0)
    roles = (context.status.stable, context.status.candidate)
    return _since_the_last_of(
        context, step.intended_at, *(counted_at.get(role.revision) for role in roles if role is not None)
    )


def _since_the_last_of(context: RolloutContext, *moments: datetime | None) -> timedelta:
    """How long ago the last of these moments was, at which all was well; nor was the operator there for longer."""
    known = [moment for moment in (*moments, context.observed.evidence.monitored_since) if moment is not None]
    return max(timedelta(0), context.now - max(known))


def _metrics_are_missing(context: RolloutContext) -> Ending | None:
    policy = context.spec.guards.metrics_missing
    if policy.then is not Policy.ROLLBACK or metrics_missing_for(context) <= parse_duration(policy.after):
        return None
    return Ending(
        phase=Phase.EXPIRED,
        reason="MetricsMissing",
        message=f"no metrics{context.unseen} for {policy.after} (guards.metricsMissing)"
        ", so the candidate could not be judged"
        + (f": {context.observed.evidence.trouble}" if context.observed.evidence.trouble else ""),
    )


def _traffic_is_missing(context: RolloutContext) -> Ending | None:
    policy = context.spec.guards.no_traffic
    if policy.then is not Policy.ROLLBACK or no_traffic_for(context) <= parse_duration(policy.after):
        return None
    return Ending(
        phase=Phase.EXPIRED,
        reason="NoTraffic",
        message=f"no requests for {policy.after} (guards.noTraffic), so the candidate could not be judged",
    )


_REASONS: tuple[Callable[[RolloutContext], Ending | None], ...] = (
    _guard_breached,
    _marked_in_route,
    _check_failed,
    _pods_die,
    _person_aborts,
    _spec_is_stable_again,
    _spec_is_newer,
    _metrics_are_missing,
    _traffic_is_missing,
    _deadline_passed,
)
_REASONS_WHILE_RETURNING = (
    _nothing_comes_back,
    _pods_die,
    _person_aborts,
    _spec_is_stable_again,
    _spec_is_newer,
    _deadline_passed,
)
"""An earlier revision that a person brings back was judged before, and is wanted now whatever the guards say."""
