"""Checks of a candidate before its first user's request: which is due, what was found, and what that means."""

from datetime import timedelta
from typing import Final

from viridian.api.status import CheckResult, CheckStatus, ModelDeploymentStatus, Phase
from viridian.api.status.changes import evolve
from viridian_shared.durations import format_duration

from .context import RolloutContext
from .observed import CheckView

LONGEST: Final = timedelta(minutes=5)
"""So long a check that nobody asked for may run: it has to fetch the model, as the pods had to."""
STUCK: Final = timedelta(minutes=1)
"""So long it may be kept from running, by a node without room for instance."""


def open_check(context: RolloutContext, *, asked_for: bool = False) -> str | None:
    """The first check that is still between the candidate and its first request; None when nothing is left to check.

    One that has had a step, or that comes back by command, was checked before. One that already answers because stable
    cannot is not taken from its users for a check.

    Args:
        context: What is seen.
        asked_for: Leave out what runs by default only.
    """
    status = context.status
    if not context.candidate_is_live or status.step is not None or status.returning is not None or context.failed_over:
        return None
    if status.phase is Phase.FINISHING or (status.stable is None and context.is_reachable(status.candidate)):
        return None
    passed = {check.name for check in made(context) if check.result is CheckResult.PASSED}
    names = context.spec.checks.names if asked_for else wanted_checks(context)
    return next((name for name in names if name not in passed), None)


def wanted_checks(context: RolloutContext) -> list[str]:
    """The checks that a candidate is to pass, in their order, without those that the rollout goes on without."""
    left_out = {check.name for check in made(context) if _is_left_out(context, check)}
    return [name for name in context.check_names if name not in left_out]


def made(context: RolloutContext) -> list[CheckStatus]:
    """The checks of this candidate that were started, in their order."""
    candidate = context.status.candidate
    return [] if candidate is None else [each for each in context.status.checks if each.revision == candidate.revision]


def track_checks(context: RolloutContext) -> ModelDeploymentStatus:
    """Note what became of the checks that run. A result is final, and is kept when its Job is gone.

    One that could not run is run again when somebody has deleted its Job. One that is asked for no more is gone.
    """
    mine, wanted = made(context), context.check_names
    return evolve(
        context.status,
        checks=[
            _noted(context, check) if check in mine else check
            for check in context.status.checks
            if check not in mine or check.name in wanted or check.result.is_final
        ],
    )


def start_check(context: RolloutContext, name: str) -> ModelDeploymentStatus:
    """Decide that a check is to run, if it was not decided before."""
    candidate = context.status.candidate
    if candidate is None or any(check.name == name for check in made(context)):
        return context.status
    check = CheckStatus(name=name, revision=candidate.revision, result=CheckResult.RUNNING, started_at=context.now)
    return evolve(context.status, checks=[*made(context), check])


def summary(checks: list[CheckStatus]) -> str:
    """The results in one line for the history; empty without any."""
    return ", ".join(f"{check.name} {check.result.lower()}" for check in checks)[:1024]


def _noted(context: RolloutContext, check: CheckStatus) -> CheckStatus:
    if check.result.is_final or _is_left_out(context, check):
        return check
    job = context.observed.checks.get(check.name)
    seen = job or CheckView(CheckResult.RUNNING)
    if check.name not in context.spec.checks.names:
        refused = context.observed.apply_failure
        if job is None and refused is not None:
            seen = CheckView(CheckResult.CANNOT_RUN, refused.message)
        seen = _by_default(seen, context.now - check.started_at)
    ended = None if seen.result is CheckResult.RUNNING else check.ended_at or context.now
    return evolve(check, result=seen.result, message=seen.message, ended_at=ended)


def _is_left_out(context: RolloutContext, check: CheckStatus) -> bool:
    """Whether the rollout goes on without a check: it cannot run, and the spec does not ask for it."""
    return check.result is CheckResult.CANNOT_RUN and check.name not in context.spec.checks.names


def _by_default(seen: CheckView, waited: timedelta) -> CheckView:
    """A check that the spec does not ask for: it may take back a candidate, but not keep one from its users."""
    if seen.result.is_final:
        return seen
    stuck = seen.result is CheckResult.CANNOT_RUN
    if waited < (STUCK if stuck else LONGEST):
        return CheckView(CheckResult.RUNNING, seen.message)
    why = seen.message if stuck else f"it has not ended within {format_duration(LONGEST)}"
    return CheckView(
        CheckResult.CANNOT_RUN, f"{why}. The rollout goes on without it; spec.checks.smoke: true would wait for it"
    )
