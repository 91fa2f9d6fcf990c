"""Why a rollout stays where it is for now. A hold is no verdict: the guards go on, and a breach still rolls back."""

from viridian.api.guards import Policy
from viridian.api.quantities import parse_duration
from viridian.api.rollout import Approval
from viridian.api.status import Hold
from viridian.guards.judge import Verdict

from .fallback import lack
from .interrupts import breach_of, metrics_missing_for, no_traffic_for, stable_is_gone
from .view import View

HOLDING = {Verdict.SHARED_INCIDENT: "SharedIncident", Verdict.UNREACHED: "CandidateUnreached"}
"""Verdicts that blame nobody and let nothing go forward, and what such a hold is called."""


def hold_of(view: View) -> Hold | None:
    """Why the weights stay where they are for now, or None."""
    guards, evidence = view.spec.guards, view.observed.evidence
    paused = paused_hold(view)
    if paused is not None:
        return paused
    for judgement in evidence.judgements:
        if judgement.verdict in HOLDING:
            return held(view, HOLDING[judgement.verdict], judgement.sentence)
    if view.status.aborting or stable_is_gone(view) or view.failed_over:
        return _stable_unavailable(view)
    missing, idle = guards.metrics_missing, guards.no_traffic
    if missing.then is Policy.HOLD and metrics_missing_for(view) > parse_duration(missing.after):
        why = evidence.trouble or "check that Prometheus scrapes the serving pods"
        return held(view, "MetricsMissing", f"no metrics{view.unseen} for {missing.after}: {why}")
    if idle.then is Policy.HOLD and no_traffic_for(view) > parse_duration(idle.after):
        text = f"no requests reached the candidate for {idle.after}: check the gateway, or send traffic"
        return held(view, "NoTraffic", text)
    return None


def _stable_unavailable(view: View) -> Hold | None:
    """The hold of a candidate that answers because stable cannot, or has just begun to again."""
    status = view.status
    if status.stable is None or status.candidate is None:
        return None
    stable, candidate, share = status.stable.version, status.candidate.version, view.route_weight(status.candidate)
    repair = f"repair {stable}, or apply a version that works"
    if status.aborting:
        text = (
            f"{candidate} was aborted by command, but no pod of {stable} is ready to take its traffic back: it keeps"
            f" {share} % until one is; {repair}"
        )
        return held(view, "AbortWaits", text)
    breach = breach_of(view)
    if view.serving(status.stable):
        text = f"{stable} has ready pods again: the split goes on once they have stayed ready for {_grace(view)}"
    elif breach is not None:
        text = f"no pod of {stable} is ready, and {candidate} fails too: {repair}. {breach}"
    elif not view.failed_over:
        text = f"no pod of {stable} is ready: {candidate} gets all traffic if that lasts for {_grace(view)}"
    else:
        text = (
            f"no pod of {stable} is ready, so {candidate} answers all requests; only its fixed maxima are judged. It"
            f" goes back to its step once {stable} is ready, and is promoted after"
            f" {view.spec.rollout.bake.duration} without it (rollout.bake.duration)"
        )
    return held(view, "StableUnavailable", text)


def _grace(view: View) -> str:
    return f"{view.settings.quiet.total_seconds():.0f} s"


def paused_hold(view: View) -> Hold | None:
    """The hold of a candidate that a person has paused, or None."""
    candidate = view.status.candidate
    if candidate is None or view.status.paused != candidate.revision:
        return None
    again = f"viridian.dev/command=resume/{candidate.revision}/ID"
    return held(view, "Paused", f"{candidate.version} was paused by command: annotate the model with {again} to go on")


def gate(view: View, gate: Approval) -> Hold | None:
    """The hold of a candidate that needs a person's approval at this gate and has not got it, or None."""
    candidate, approved = view.status.candidate, view.status.approved
    if candidate is None or view.spec.rollout.approval is not gate:
        return None
    if gate is Approval.WITHOUT_FALLBACK and not lack(view):
        return None
    if approved is not None and approved.revision == candidate.revision and approved.gate is gate:
        return None
    reason = f", since {lack(view)}" if gate is Approval.WITHOUT_FALLBACK else ""
    what = "has baked and is not promoted" if gate is Approval.BEFORE_PROMOTION else "gets no traffic"
    again = f"viridian.dev/command=approve/{candidate.revision}/ID"
    return held(
        view,
        "AwaitingApproval",
        f"{candidate.version} {what} before a person approves (rollout.approval: {gate}){reason}: annotate the model"
        f" with {again}",
    )


def entry_gate(view: View) -> Hold | None:
    """The hold of a candidate that needs a person's approval before its first request and has not got it, or None."""
    return gate(view, Approval.BEFORE_TRAFFIC) or gate(view, Approval.WITHOUT_FALLBACK)


def held(view: View, reason: str, message: str) -> Hold:
    """A hold, since when it has been on for this reason."""
    before = view.status.hold
    since = before.since if before is not None and before.reason == reason else view.now
    return Hold(reason=reason, message=message, since=since)
