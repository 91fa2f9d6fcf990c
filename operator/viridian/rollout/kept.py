"""Whether what a rollback goes back to can still be run: a Job looks now and then, while nothing else is going on."""

from datetime import datetime, timedelta
from typing import Final

from viridian.api.status import CheckResult, KeptStatus, ModelDeploymentStatus
from viridian.api.status.changes import evolve
from viridian_shared.durations import parse_duration

from .context import SETTLED, RolloutContext
from .observed import CheckView

_PATIENCE: Final = timedelta(minutes=5)
"""How long a look that cannot run, as for want of room on a node, is given before that is its result."""


def track_kept(context: RolloutContext) -> ModelDeploymentStatus:
    """Begin a look that is due, and note what one has found. Rollouts come first: none begins while one runs."""
    status, wanted, back = context.status, context.spec.checks.kept, context.previous
    kept = status.kept
    if wanted is None or back is None:
        return evolve(status, kept=None)
    if kept is None or kept.revision != back.name:
        kept = KeptStatus(revision=back.name, result=CheckResult.RUNNING)
    if status.phase not in SETTLED or status.candidate is not None:
        return evolve(status, kept=kept)
    every = parse_duration(wanted.every)
    if kept.started_at is None:
        due = kept.verified_at is None or context.now - kept.verified_at >= every
        return evolve(status, kept=evolve(kept, started_at=context.now, next=None) if due else kept)
    seen = context.observed.kept
    if seen is None or _may_yet_end(seen, context.now - kept.started_at):
        return status
    found = evolve(kept, result=seen.result, message=seen.message, started_at=None)
    return evolve(status, kept=evolve(found, verified_at=context.now, next=context.now + every))


def look_of(started_at: datetime) -> str:
    """What a look that began then is called: each has its own Job, whose logs stay for a while."""
    return f"{started_at:%m%d%H%M%S}"


def wait_for_kept(kept: KeptStatus | None, now: datetime) -> timedelta | None:
    """How long a model at rest can be left alone before a look is due; None for ever.

    Args:
        kept: what is known of the revision to go back to.
        now: the time, with a zone.
    """
    if kept is None:
        return None
    if kept.started_at is not None:
        return timedelta(0)
    return None if kept.next is None else max(timedelta(0), kept.next - now)


def describe_kept(context: RolloutContext) -> tuple[CheckResult, str] | None:
    """What the last look has found about the revision to go back to, with its time; None without any."""
    kept, back = context.status.kept, context.previous
    if kept is None or back is None or kept.revision != back.name or kept.verified_at is None:
        return None
    return kept.result, f"{kept.message} (verified at {kept.verified_at:%Y-%m-%d %H:%M} UTC)"


def _may_yet_end(seen: CheckView, age: timedelta) -> bool:
    return seen.result is CheckResult.RUNNING or (seen.result is CheckResult.CANNOT_RUN and age < _PATIENCE)
