"""The next move of a model's drills: from what is remembered and seen to the next status and the writes.

All memory is in `status.drill`, and each move is made from what is seen: a restart anywhere goes on from there, and a
twin that no drill wants any more is deleted.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from viridian.api.drill import Drill
from viridian.api.status import DrillOrder, DrillRecord, DrillResult, DrillRun, DrillStage, DrillStatus, Phase
from viridian.api.status.changes import evolve
from viridian.api.status.drill import EARLIER
from viridian.rollout.context import RolloutContext
from viridian_shared.drill import DrillKind
from viridian_shared.durations import format_duration, parse_duration

from . import limits
from .actions import DrillAction, MakeTwin, RemoveTwin, SendTraffic, SpoilTwin
from .obstacles import interruption, obstacle, open_incident
from .outcome import Verdict, turned_back
from .schedule import next_time
from .seen import TrafficState, TwinView

_TURNED = frozenset({Phase.ROLLED_BACK})
_PROMOTED = frozenset({Phase.FINISHING, Phase.WATCHING, Phase.STABLE})


def next_drill(context: RolloutContext) -> DrillStatus | None:
    """Return the status of the model's drills after one move; None for a model that never had any to do with drills."""
    drill, spec = context.status.drill, context.spec.drill
    if context.observed.drill.is_twin or (drill is None and spec is None):
        return drill
    drill = _scheduled(context, drill or DrillStatus())
    return _begin(context, drill) if drill.running is None else _go_on(context, drill, drill.running)


def drill_actions(context: RolloutContext) -> Iterator[DrillAction]:
    """Yield the write that brings the twin nearer to what the status asks for, if there is one."""
    seen = context.observed.drill
    run = context.status.drill.running if context.status.drill is not None else None
    twin = seen.twin
    if seen.is_twin or (twin is not None and twin.going):
        return
    if run is None or run.stage is DrillStage.CLEANING:
        if twin is not None:
            yield RemoveTwin()
    elif twin is None:
        if run.stage is DrillStage.STARTING:
            yield MakeTwin(run.revision)
    elif run.stage is DrillStage.SENDING and seen.traffic is None:
        yield SendTraffic(run.revision, run.kind)
    elif run.stage is DrillStage.FAILING and twin.spoiled is None:
        yield SpoilTwin(run.revision, run.kind)


def _scheduled(context: RolloutContext, drill: DrillStatus) -> DrillStatus:
    """Follow an edited schedule."""
    spec = context.spec.drill
    if spec is None:
        return evolve(drill, schedule="", since=None, next=None, waits="")
    if drill.schedule == spec.schedule and drill.next is not None:
        return drill
    due = next_time(spec.schedule, context.name, context.now)
    return evolve(drill, schedule=spec.schedule, since=drill.since or context.now, next=due, waits="")


def _begin(context: RolloutContext, drill: DrillStatus) -> DrillStatus:
    order, spec = drill.requested, context.spec.drill
    if order is not None:
        return _obey(context, drill, order)
    if spec is None or drill.next is None or context.now < drill.next:
        return drill
    kind = _in_turn(spec, drill)
    after = evolve(drill, next=next_time(spec.schedule, context.name, context.now), waits="")
    if context.now > drill.next + parse_duration(spec.window):
        waited_for = drill.waits or "nobody looked at it in the time in which it might begin"
        return _record(after, _refused(context, kind, "", f"left out until the next time: {waited_for}"))
    why = _obstacle(context, kind)
    if why is None:
        return evolve(after, running=_run(context, kind, ""))
    return drill if why == "" else evolve(drill, waits=why)


def _obey(context: RolloutContext, drill: DrillStatus, order: DrillOrder) -> DrillStatus:
    why = _obstacle(context, order.kind)
    if why == "":
        return drill
    after = evolve(drill, requested=None)
    if why is not None:
        return _record(after, _refused(context, order.kind, order.by, f"it could not begin: {why}"))
    return evolve(after, running=_run(context, order.kind, order.by))


def _obstacle(context: RolloutContext, kind: DrillKind) -> str | None:
    """Why a drill may not begin; empty while that was not looked at; None when it may."""
    if (why := obstacle(context, kind)) is not None:
        return why
    found = context.observed.drill.preflight
    if found is None or context.observed.drill.twin is not None or context.observed.drill.left:
        return ""
    return found.taken or found.incident or found.room or None


def _in_turn(spec: Drill, drill: DrillStatus) -> DrillKind:
    last = drill.last.kind if drill.last is not None else None
    follows = spec.kinds.index(last) + 1 if last in spec.kinds else 0
    return spec.kinds[follows % len(spec.kinds)]


def _run(context: RolloutContext, kind: DrillKind, by: str) -> DrillRun:
    stable, now = context.status.stable, context.now
    if stable is None:
        raise ValueError("a drill needs a stable version")
    return DrillRun(
        kind=kind,
        stage=DrillStage.STARTING,
        since=now,
        started_at=now,
        revision=stable.revision,
        version=stable.version,
        by=by,
    )


def _refused(context: RolloutContext, kind: DrillKind, by: str, message: str) -> DrillRecord:
    stable, now = context.status.stable, context.now
    version = stable.version if stable is not None else ""
    result = DrillResult.COULD_NOT_RUN
    return DrillRecord(kind=kind, result=result, message=message, version=version, by=by, started_at=now, ended_at=now)


def _go_on(context: RolloutContext, drill: DrillStatus, run: DrillRun) -> DrillStatus:
    if run.stage is DrillStage.CLEANING:
        return _clean(context, drill, run)
    if (why := _cancelled(context, run)) is not None:
        return _end(context, drill, run, Verdict(DrillResult.CANCELLED, f"cancelled: {why}"))
    if refused := context.observed.drill.refused:
        return _end(context, drill, run, Verdict(DrillResult.COULD_NOT_RUN, f"it could not run: {refused}"))
    move = {DrillStage.STARTING: _start, DrillStage.SENDING: _send, DrillStage.FAILING: _fail}[run.stage]
    found = move(context, run, context.observed.drill.twin)
    if isinstance(found, Verdict):
        return _end(context, drill, run, found)
    return drill if found is run.stage else evolve(drill, running=evolve(run, stage=found, since=context.now))


def _clean(context: RolloutContext, drill: DrillStatus, run: DrillRun) -> DrillStatus:
    seen = context.observed.drill
    gone = seen.twin is None and not seen.left
    return evolve(drill, running=None) if gone or _waited(context, run, limits.GONE) else drill


def _cancelled(context: RolloutContext, run: DrillRun) -> str | None:
    """What is more important than the drill that runs; None where nothing is."""
    stable, twin = context.status.stable, context.observed.drill.twin
    if (why := interruption(context) or open_incident(context)) is not None:
        return why
    if stable is not None and stable.revision != run.revision:
        return f"{stable.version} serves now, and the drill is of {run.version}"
    if run.stage is not DrillStage.STARTING and (twin is None or twin.going):
        return "somebody has deleted the twin"
    return None


def _start(context: RolloutContext, run: DrillRun, twin: TwinView | None) -> DrillStage | Verdict:
    """Starting: wait until stable's version answers in the twin."""
    if twin is not None and twin.phase is Phase.STABLE and twin.available:
        return DrillStage.SENDING
    return _too_late(context, run, twin.trouble if twin is not None else "") or run.stage


def _send(context: RolloutContext, run: DrillRun, _twin: TwinView | None) -> DrillStage | Verdict:
    """Sending: wait until requests are answered well."""
    traffic = context.observed.drill.traffic
    if traffic is None:
        return _too_late(context, run, "") or run.stage
    if traffic.state is TrafficState.DONE:
        example = traffic.report.example if traffic.report is not None else "nothing is known of them"
        why = f"requests failed before anything failed on purpose: {example}"
        return Verdict(DrillResult.COULD_NOT_RUN, f"it could not run: {why}", report=traffic.report)
    if traffic.state is TrafficState.FAILED:
        return Verdict(DrillResult.COULD_NOT_RUN, f"it could not run: {traffic.trouble}")
    runs = traffic.state is TrafficState.RUNNING and traffic.since is not None
    if runs and traffic.since is not None and context.now - traffic.since >= limits.WARM_UP:
        return DrillStage.FAILING
    return _too_late(context, run, traffic.trouble) or run.stage


def _too_late(context: RolloutContext, run: DrillRun, trouble: str) -> Verdict | None:
    limit = limits.starting(context.spec)
    if not _waited(context, run, limit):
        return None
    what = "the twin did not serve stable's version" if run.stage is DrillStage.STARTING else "no requests were sent"
    why = f"{what} within {format_duration(limit)}" + (f": {trouble}" if trouble else "")
    return Verdict(DrillResult.COULD_NOT_RUN, f"it could not run: {why}")


def _fail(context: RolloutContext, run: DrillRun, twin: TwinView | None) -> DrillStage | Verdict:
    """Failing: wait until the bad version is turned back, and for the report about the requests."""
    traffic = context.observed.drill.traffic
    report = traffic.report if traffic is not None else None
    if twin is None or twin.spoiled is None:
        return run.stage
    if twin.phase in _PROMOTED:
        text = f"the version that is {run.kind.lower()} on purpose was promoted"
        return Verdict(DrillResult.NOT_TURNED_BACK, text, report=report)
    if twin.phase in _TURNED and twin.ended is not None:
        told = report is not None or twin.checked is not None
        if told or context.now - twin.ended.ended_at >= limits.quiet(run.kind) + limits.REPORT:
            return turned_back(twin.ended, twin.checked, report, limits.objective(context.spec))
        return run.stage
    limit = limits.longest(context.spec)
    if not _waited(context, run, limit):
        return run.stage
    if twin.trouble:
        return Verdict(DrillResult.COULD_NOT_RUN, f"it could not run: {twin.trouble}", report=report)
    text = f"the version that is {run.kind.lower()} on purpose was not turned back within {format_duration(limit)}"
    return Verdict(DrillResult.NOT_TURNED_BACK, text, report=report)


def _waited(context: RolloutContext, run: DrillRun, limit: timedelta) -> bool:
    return context.now - run.since >= limit


def _end(context: RolloutContext, drill: DrillStatus, run: DrillRun, verdict: Verdict) -> DrillStatus:
    now: datetime = context.now
    report, safe = verdict.report, verdict.time_to_safe
    record = DrillRecord(
        kind=run.kind,
        result=verdict.result,
        message=verdict.message,
        version=run.version,
        by=run.by,
        started_at=run.started_at,
        ended_at=now,
        first_failure_at=report.first_failure_at if report is not None else None,
        evidence_at=verdict.evidence_at,
        safe_at=verdict.safe_at,
        time_to_safe=format_duration(safe) if safe is not None else None,
        time_to_verdict=format_duration(verdict.time_to_verdict) if verdict.time_to_verdict is not None else None,
        requests=report.requests if report is not None else None,
        failed=report.failed if report is not None else None,
    )
    cleaning = evolve(run, stage=DrillStage.CLEANING, since=now)
    passed = now if verdict.result is DrillResult.PASSED else drill.passed_at
    return evolve(_record(drill, record), running=cleaning, passed_at=passed)


def _record(drill: DrillStatus, record: DrillRecord) -> DrillStatus:
    earlier = [drill.last, *drill.earlier][:EARLIER] if drill.last is not None else []
    return evolve(drill, last=record, earlier=earlier)
