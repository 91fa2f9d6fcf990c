"""How a candidate takes stable's place without a comparison: stable has no pods, or breaches its own guard."""

from viridian.api.rollout import Approval
from viridian.api.status import Condemned, Hold, ModelDeploymentStatus, Phase
from viridian.api.status.changes import evolve

from .context import RolloutContext
from .holds import gate
from .interrupts import breach_of


def takes_over(context: RolloutContext, hold: Hold) -> ModelDeploymentStatus | None:
    """The candidate that has answered everything for as long as a bake takes the place of a stable without pods.

    One that is not what the spec asks for any more, or that fails, makes room so: only then can another one start.
    """
    status, outage, stable, candidate = (
        context.status,
        context.status.outage,
        context.status.stable,
        context.status.candidate,
    )
    if hold.reason not in {"StableUnavailable", "AbortWaits"} or context.serving(stable) or outage is None:
        return None
    if stable is None or candidate is None:
        return None
    breach = breach_of(context)
    bake = context.step_hold(len(context.steps) + 1)
    baked = outage.failed_over_at is not None and context.now - outage.failed_over_at >= bake
    finishing = evolve(status, phase=Phase.FINISHING, hold=None, aborting="")
    if not context.runs_wanted(candidate):
        leaves = context.follows_spec and not context.runs_wanted(stable) and context.failed_over
        if not leaves or not (baked or breach or status.aborting):
            return None
        message = breach or f"{candidate.version} answered because no pod of {stable.version} was ready"
        condemned = Condemned(revision=candidate.revision, message=message)
        return evolve(finishing, condemned=condemned)
    ready = baked and breach is None and not status.aborting and context.sees and not context.observed.evidence.missing
    return finishing if ready and gate(context, Approval.BEFORE_PROMOTION) is None else None


def replace_what_fails(context: RolloutContext, status: ModelDeploymentStatus, found: str) -> ModelDeploymentStatus:
    """Stable breaches its own guard and the candidate does not: the candidate gets everything once it can carry it."""
    if status.stable is None or status.candidate is None:
        return status
    condemned = Condemned(revision=status.stable.revision, message=found)
    need = context.full
    ready = context.serving(status.candidate) >= need and context.is_monitored(status.candidate, need)
    phase = Phase.FINISHING if ready and gate(context, Approval.BEFORE_PROMOTION) is None else status.phase
    return evolve(status, phase=phase, condemned=condemned)
