"""Why a rollout stays where it is for now. A hold is no verdict: the guards go on, and a breach still rolls back."""

from viridian.api.guards import Policy
from viridian.api.rollout import Approval
from viridian.api.status import CheckResult, Hold
from viridian.guards.judge import Verdict
from viridian_shared.durations import parse_duration

from .checks import made, open_check
from .context import RolloutContext
from .fallback import lack
from .interrupts import breach_of, metrics_missing_for, no_traffic_for, stable_is_gone

HOLDING = {Verdict.SHARED_INCIDENT: "SharedIncident", Verdict.UNREACHED: "CandidateUnreached"}
"""Verdicts that blame nobody and let nothing go forward, and what such a hold is called."""


def hold_of(context: RolloutContext) -> Hold | None:
    """Why the weights stay where they are for now, or None."""
    guards, evidence = context.spec.guards, context.observed.evidence
    paused = paused_hold(context)
    if paused is not None:
        return paused
    for judgement in evidence.judgements:
        if judgement.verdict in HOLDING:
            return held(context, HOLDING[judgement.verdict], judgement.sentence)
    if (waits := _unapproved(context)) is not None:
        return waits
    if context.status.aborting or stable_is_gone(context) or context.failed_over:
        return _stable_unavailable(context)
    missing, idle = guards.metrics_missing, guards.no_traffic
    if missing.then is Policy.HOLD and metrics_missing_for(context) > parse_duration(missing.after):
        why = evidence.trouble or "check that Prometheus scrapes the serving pods"
        return held(context, "MetricsMissing", f"no metrics{context.unseen} for {missing.after}: {why}")
    if idle.then is Policy.HOLD and no_traffic_for(context) > parse_duration(idle.after):
        text = f"no requests reached the candidate for {idle.after}: check the gateway, or send traffic"
        return held(context, "NoTraffic", text)
    return None


def _unapproved(context: RolloutContext) -> Hold | None:
    """The hold of a candidate in a shadow step that would answer for a stable without pods, were it approved."""
    step = context.status.step
    alone = step is not None and step.shadow and not context.serving(context.status.stable)
    return entry_gate(context) if alone else None


def _stable_unavailable(context: RolloutContext) -> Hold | None:
    """The hold of a candidate that answers because stable cannot, or has just begun to again."""
    status = context.status
    if status.stable is None or status.candidate is None:
        return None
    stable, candidate, share = status.stable.version, status.candidate.version, context.route_weight(status.candidate)
    repair = f"repair {stable}, or apply a version that works"
    if status.aborting:
        text = (
            f"{candidate} was aborted by command, but no pod of {stable} is ready to take its traffic back: it keeps"
            f" {share} % until one is; {repair}"
        )
        return held(context, "AbortWaits", text)
    breach = breach_of(context)
    if context.serving(status.stable):
        text = f"{stable} has ready pods again: the split resumes once they have stayed ready for {_grace(context)}"
    elif breach is not None:
        text = f"no pod of {stable} is ready, and {candidate} fails too: {repair}. {breach}"
    elif not context.failed_over:
        text = f"no pod of {stable} is ready: {candidate} gets all traffic if that lasts for {_grace(context)}"
    else:
        text = (
            f"no pod of {stable} is ready, so {candidate} answers all requests; only absolute guards apply. It"
            f" goes back to its step once {stable} is ready, and is promoted after"
            f" {context.spec.rollout.bake.duration} without it (rollout.bake.duration)"
        )
    return held(context, "StableUnavailable", text)


def _grace(context: RolloutContext) -> str:
    return f"{context.settings.quiet.total_seconds():.0f} s"


def paused_hold(context: RolloutContext) -> Hold | None:
    """The hold of a candidate that a person has paused, or None."""
    candidate = context.status.candidate
    if candidate is None or context.status.paused != candidate.revision:
        return None
    return held(
        context,
        "Paused",
        f"{candidate.version} is paused by command, and goes on by `kubectl viridian resume {context.name}` or the"
        f" annotation viridian.dev/command=resume/{candidate.revision}/ID",
    )


def gate(context: RolloutContext, gate: Approval) -> Hold | None:
    """The hold of a candidate that needs an approval at this gate and does not have it yet, or None."""
    candidate, approved = context.status.candidate, context.status.approved
    if candidate is None or context.spec.rollout.approval is not gate:
        return None
    if gate is Approval.WITHOUT_FALLBACK and not lack(context):
        return None
    if approved is not None and approved.revision == candidate.revision and approved.gate is gate:
        return None
    reason = f", since {lack(context)}" if gate is Approval.WITHOUT_FALLBACK else ""
    what = "has baked and is not promoted" if gate is Approval.BEFORE_PROMOTION else "gets no traffic"
    again = f"viridian.dev/command=approve/{candidate.revision}/ID"
    return held(
        context,
        "AwaitingApproval",
        f"{candidate.version} {what} until it is approved (rollout.approval: {gate}){reason}: annotate the model"
        f" with {again}",
    )


def check_hold(context: RolloutContext) -> Hold | None:
    """The hold of a candidate whose check cannot be made, or None."""
    name = open_check(context)
    check = next((each for each in made(context) if each.name == name), None)
    if check is None or check.result is not CheckResult.CANNOT_RUN or context.status.candidate is None:
        return None
    text = (
        f"the check {check.name} of {context.status.candidate.version} cannot run, so the candidate gets no traffic and"
        f" is not blamed: {check.message}"
    )
    return held(context, "CheckCannotRun", text)


def entry_gate(context: RolloutContext) -> Hold | None:
    """The hold of a candidate that needs an approval before its first request and does not have it yet, or None."""
    return gate(context, Approval.BEFORE_TRAFFIC) or gate(context, Approval.WITHOUT_FALLBACK)


def held(context: RolloutContext, reason: str, message: str) -> Hold:
    """A hold, since when it has been on for this reason."""
    before = context.status.hold
    since = before.since if before is not None and before.reason == reason else context.now
    return Hold(reason=reason, message=message, since=since)
