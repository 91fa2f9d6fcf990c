"""Shadow steps: stable answers every user, and its pods send the candidate copies of a share of the requests.

A copy is asked for after stable has answered, and the candidate's answer to it is compared and thrown away. So there is
no split to be verified; the first copy that the candidate completes shows that pods were told, and the hold begins.
"""

from datetime import datetime

from viridian.api.quantities import parse_percent
from viridian.api.status import ModelDeploymentStatus, Phase, StepStatus
from viridian.api.status.changes import evolve
from viridian.guards.shadow_report import ShadowReport
from viridian_shared.shadow import Shadow

from .context import RolloutContext
from .observed import Evidence


def intended_shadow(context: RolloutContext) -> str | None:
    """What stable's pods are to mirror now, as the route's header has it; None for nothing.

    Without a ready pod of the candidate, copies would only be counted as failed.
    """
    status = context.status
    share = status.step.shadow if status.step is not None else None  # a rollback leaves no step
    ends = context.failed_over or status.aborting or status.phase is Phase.FINISHING
    if share is None or status.candidate is None or ends or not context.spec.has_route:
        return None
    ready = context.serving(status.candidate) > 0
    return str(Shadow(status.candidate.revision, parse_percent(share))) if ready else None


def tells_pods(context: RolloutContext) -> bool:
    """Whether the route has pods mirror what the step asks for, be that nothing."""
    route = context.observed.route
    return route is not None and route.shadow == intended_shadow(context)


def arrived(context: RolloutContext, step: StepStatus) -> int:
    """Requests that count for a step and that the candidate has completed since the rollout began."""
    candidate = context.status.candidate
    return context.mirrored(candidate) if step.shadow else context.requests(candidate)


def begun(step: StepStatus, mirrored: int, now: datetime) -> StepStatus:
    """A shadow step that is not verified, once a copy was completed in it.

    Args:
        step: the step.
        mirrored: copies that the candidate has completed since the rollout began.
        now: the time, with a zone.
    """
    counted = evolve(step, requests_before=mirrored)  # fewer where pods took their counts with them
    return evolve(counted, verified_at=now) if mirrored > step.requests_before else counted


def unmirrored(context: RolloutContext, step: StepStatus) -> str:
    """That stable's pods answer and mirror nothing, and what to do, in a sentence; empty when they may yet.

    Args:
        context: what is seen.
        step: a shadow step that is in the route and not verified.
    """
    stable = context.status.stable
    answered = context.requests(stable) - step.stable_requests_before
    expected = answered * step.load / 100
    if stable is None or expected < _SURE or context.now - step.intended_at < context.settings.quiet:
        return ""
    return (
        f"{stable.version} has answered {answered:,} requests, and no copy has reached the candidate: its serving image"
        " may be an earlier one, which mirrors nothing, or a NetworkPolicy keeps its pods from the candidate's"
    )


def shadow_sentence(status: ModelDeploymentStatus, evidence: Evidence) -> str:
    """What the copies have shown of the present candidate, in a sentence; empty where there are none."""
    report = evidence.shadow
    if status.candidate is None or report is None:
        return ""
    said = describe_report(report)
    return f"{status.candidate.version} {said}" if said else ""


def describe(context: RolloutContext) -> str:
    """The same as the rest of a sentence about the candidate."""
    report = context.observed.evidence.shadow
    return "" if report is None else describe_report(report)


def describe_report(report: ShadowReport) -> str:
    """A report in words, with its figures; empty for no request."""
    parts = []
    if report.compared:
        share = 100 * report.agreed / report.compared
        parts.append(f"agreed on {_percent(share)} of {report.compared:,} mirrored requests")
    if report.failed:
        parts.append(f"{report.failed:,} more failed" if parts else f"{report.failed:,} mirrored requests failed")
    if report.dropped:
        parts.append(f"{report.dropped:,} were not sent, since too many were waiting")
    if report.p95 is not None and report.stable_p95 is not None:
        parts.append(f"P95 {_milliseconds(report.p95)} against {_milliseconds(report.stable_p95)}")
    return "; ".join(parts)


def _percent(share: float) -> str:
    """Rounded down, so that only all is 100 %."""
    return f"{int(share * 10) / 10:.1f} %" if share < 100 else "100 %"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


_SURE = 20
"""Copies that were expected, beyond which none is no accident."""
