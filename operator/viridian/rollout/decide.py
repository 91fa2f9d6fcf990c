"""observe → decide → apply: the middle. Level-triggered, from any state, with no memory but the status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from viridian.api.quantities import parse_number
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import BlockedRevision, ColorStatus, Counted, GuardStatus, ModelDeploymentStatus, cut
from viridian.api.status.changes import StatusChanges, evolve
from viridian.guards.config import absolute_guards, relative_guards
from viridian.guards.counts import Counts
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.spec import guard_config
from viridian.rollout.planning.actions import Action
from viridian.rollout.planning.plan import plan
from viridian_shared.durations import format_duration, parse_duration

from .checks import track_checks
from .commands import obey, refusal
from .conditions import conditions
from .context import CLOCK_STOPS, RolloutContext
from .interrupts import interrupt
from .kept import track_kept
from .observed import Observed, Settings
from .progress import progress
from .readiness import track
from .reporting.power import power
from .rollback import roll_back
from .shadow import shadow_sentence
from .watch import going_back

LEISURE = timedelta(seconds=15)
"""How often a status is written in which nothing but counts has changed."""


@dataclass(frozen=True)
class Decision:
    """The next status and the writes to make.

    `route_first` is set for a rollback alone: its weights are written before the status, everything else after it.
    """

    status: ModelDeploymentStatus
    actions: tuple[Action, ...]
    route_first: bool
    warning: str | None


def decide(
    name: str,
    spec: ModelDeploymentSpec,
    status: ModelDeploymentStatus,
    observed: Observed,
    settings: Settings,
    now: datetime,
) -> Decision:
    """Decide on one move.

    Args:
        name: name of the ModelDeployment.
        spec: what the user asks for.
        status: what was last intended.
        observed: what is.
        settings: the operator's own configuration.
        now: the time, with a zone.
    """
    context = RolloutContext(name, spec, _noted(spec, status, observed), observed, settings, now)
    context = replace(context, status=track(context))
    context = replace(context, status=track_checks(context))
    context = replace(context, status=track_kept(context))
    warning = refusal(context)
    ending = interrupt(context) or going_back(context)
    following = roll_back(context, ending) if ending is not None else progress(context)
    following = obey(context, _clocked(context, following))
    decided = replace(context, status=following)
    shown = evolve(_show_roles(decided), power=power(decided))
    shown = evolve(shown, conditions=conditions(replace(context, status=shown)))
    return Decision(shown, plan(decided), route_first=ending is not None, warning=warning)


def _noted(spec: ModelDeploymentSpec, status: ModelDeploymentStatus, observed: Observed) -> ModelDeploymentStatus:
    """Take over what was observed and needs no decision."""
    evidence = observed.evidence
    update: StatusChanges = {
        "observed_generation": observed.generation,
        "failed": [blocked for blocked in status.failed if _still_blocked(blocked, observed.generation)],
    }
    if evidence.judgements:
        allowed = limits(spec)
        update["guards"] = [show_judgement(judgement, allowed) for judgement in evidence.judgements]
        update["verdict"] = cut(summary(evidence.judgements))
    if evidence.state:
        update["guard_state"] = evidence.state
    if report := shadow_sentence(status, evidence):
        update["shadow"] = report
    return evolve(status, update)


def is_worth_writing(before: ModelDeploymentStatus, after: ModelDeploymentStatus, age: timedelta) -> bool:
    """Whether a status says anything new; what the guards count changes all the time and is written now and then."""
    if before == after:
        return False
    counts: StatusChanges = {
        "guards": [],
        "guard_state": "",
        "verdict": "",
        "power": "",
        "conditions": [],
        "shadow": None,
    }
    return age >= LEISURE or evolve(before, counts) != evolve(after, counts) or _turned(before, after)


def _turned(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> bool:
    """Whether a guard's verdict or a condition changed, not only its numbers."""

    def turns(status: ModelDeploymentStatus) -> object:
        return (
            [(guard.name, guard.kind, guard.verdict, guard.failing) for guard in status.guards],
            [(condition.type, condition.status, condition.reason) for condition in status.conditions],
        )

    return turns(before) != turns(after)


def _still_blocked(blocked: BlockedRevision, generation: int) -> bool:
    return blocked.until_generation is None or generation <= blocked.until_generation


def _clocked(context: RolloutContext, after: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Add the time for which a person was waited for, once that is over, to what the deadline leaves out."""
    before = context.status.hold
    if before is None or before.reason not in CLOCK_STOPS or after.hold == before or after.started_at is None:
        return after
    if after.hold is not None and after.hold.since == before.since:
        return after
    waited = parse_duration(context.status.waited or "0s") + (context.now - before.since)
    return evolve(after, waited=format_duration(waited))


def limits(spec: ModelDeploymentSpec) -> dict[tuple[str, str], float]:
    """What each guard of a spec allows, by its kind and name."""
    config = guard_config(spec)
    return {
        **{("absolute", guard.name): guard.maximum for guard in absolute_guards(config)},
        **{("relative", guard.name): guard.psi0 for guard in relative_guards(config)},
        **{("query", f"query-{guard.name}"): parse_number(guard.max) for guard in spec.guards.queries},
    }


def show_judgement(judgement: Judgement, allowed: Mapping[tuple[str, str], float]) -> GuardStatus:
    """A judgement the way status shows it, with what its guard allows."""
    limit, counted = allowed.get((judgement.kind, judgement.guard)), judgement.kind != "query"
    return GuardStatus(
        name=judgement.guard,
        kind=judgement.kind,
        verdict=str(judgement.verdict),
        evidence=f"{judgement.e_value:.3g}",
        threshold=f"{judgement.threshold:.3g}",
        limit="" if limit is None else f"{limit:.6g}",
        candidate=_counted(judgement.candidate) if counted else None,
        stable=_counted(judgement.stable) if counted and judgement.stable is not None else None,
        failing=counted and judgement.candidate.events > 0,
        message=judgement.sentence,
    )


def _counted(counts: Counts) -> Counted:
    return Counted(requests=counts.total, events=counts.events)


def summary(judgements: Sequence[Judgement]) -> str:
    """One sentence for all guards: of one that decides, else of one that saw failures, else of the one that says most.

    Among several of a kind, it is the one nearest to its threshold.
    """
    decides = {Verdict.BREACH, Verdict.SHARED_INCIDENT, Verdict.UNREACHED}
    silent = {Verdict.NOT_ENOUGH_DATA, Verdict.NO_CONTROL, Verdict.INCONCLUSIVE, Verdict.IGNORED}

    def says(j: Judgement) -> tuple[bool, bool, bool, float]:
        fails = j.kind != "query" and j.candidate.events > 0
        return j.verdict in decides, fails, j.verdict not in silent, j.e_value / j.threshold

    return max(judgements, key=says).sentence


def _show_roles(context: RolloutContext) -> ModelDeploymentStatus:
    def shown(role: ColorStatus | None) -> ColorStatus | None:
        if role is None:
            return None
        color, stored = context.color(role.color), context.observed.revisions.get(role.revision)
        return evolve(
            role,
            version=stored.version if stored is not None else role.version,
            weight=context.route_weight(role),
            replicas=color.replicas if color.revision == role.revision else 0,
            ready=context.serving(role),
        )

    status, control = context.status, shown(context.status.control)
    watch = evolve(status.watch, control=control) if status.watch is not None and control is not None else None
    return evolve(status, stable=shown(status.stable), candidate=shown(status.candidate), watch=watch)
