"""How a candidate takes stable's place without a comparison: stable has no pods, or breaches its own guard."""

from viridian.api.rollout import Approval
from viridian.api.status import Condemned, Hold, ModelDeploymentStatus, Phase

from .holds import gate
from .interrupts import breach_of
from .view import View


def takes_over(view: View, hold: Hold) -> ModelDeploymentStatus | None:
    """The candidate that has answered everything for as long as a bake takes the place of a stable without pods.

    One that is not what the spec asks for any more, or that fails, makes room so: only then can another one start.
    """
    status, outage, stable, candidate = view.status, view.status.outage, view.status.stable, view.status.candidate
    if hold.reason not in {"StableUnavailable", "AbortWaits"} or view.serving(stable) or outage is None:
        return None
    if stable is None or candidate is None:
        return None
    breach = breach_of(view)
    bake = view.step_hold(len(view.steps) + 1)
    baked = outage.failed_over_at is not None and view.now - outage.failed_over_at >= bake
    finishing = status.model_copy(update={"phase": Phase.FINISHING, "hold": None, "aborting": ""})
    if not view.runs_wanted(candidate):
        leaves = view.follows_spec and not view.runs_wanted(stable) and view.failed_over
        if not leaves or not (baked or breach or status.aborting):
            return None
        message = breach or f"{candidate.version} answered because no pod of {stable.version} was ready"
        condemned = Condemned(revision=candidate.revision, message=message)
        return finishing.model_copy(update={"condemned": condemned})
    ready = baked and breach is None and not status.aborting and view.sees and not view.observed.evidence.missing
    return finishing if ready and gate(view, Approval.BEFORE_PROMOTION) is None else None


def replace_what_fails(view: View, status: ModelDeploymentStatus, found: str) -> ModelDeploymentStatus:
    """Stable breaches its own guard and the candidate does not: the candidate gets everything once it can carry it."""
    if status.stable is None or status.candidate is None:
        return status
    condemned = Condemned(revision=status.stable.revision, message=found)
    need = view.required_replicas(100)
    ready = view.serving(status.candidate) >= need and view.is_watched(status.candidate, need)
    phase = Phase.FINISHING if ready and gate(view, Approval.BEFORE_PROMOTION) is None else status.phase
    return status.model_copy(update={"phase": phase, "condemned": condemned})
