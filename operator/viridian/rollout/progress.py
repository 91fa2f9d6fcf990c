"""How a rollout goes forward: one small function a phase. Each takes a view and returns the next status."""

from collections.abc import Callable

from viridian.api.guards import Policy
from viridian.api.names import Color, revision_name
from viridian.api.quantities import parse_duration
from viridian.api.status import (
    ColorStatus,
    Drain,
    Ending,
    HistoryEntry,
    Hold,
    ModelDeploymentStatus,
    Phase,
    PinnedRevision,
    Reaction,
    StepStatus,
)
from viridian.guards.judge import Verdict

from .interrupts import breach_of, metrics_missing_for, no_traffic_for, stable_is_gone
from .view import View

HISTORY = 20
"""Finished rollouts and pinned revisions to remember in status, at the most."""

_AT_REST: dict[str, object] = {
    "step": None,
    "hold": None,
    "drain": None,
    "started_at": None,
    "guards": [],
    "guard_state": "",
}
"""What a status does not have while nothing moves: no step, no deadline, no guards."""


def progress(view: View) -> ModelDeploymentStatus:
    """One move forward from wherever the status stands, or the same status."""
    return _PHASES[view.live_phase](view)


def _begin(view: View) -> ModelDeploymentStatus:
    """Settled: start what the spec asks for, unless it runs already or is pinned."""
    status = view.status
    if status.candidate is not None:
        return status
    if view.pin is not None:
        phase = Phase.ROLLED_BACK if view.pin in status.failed else Phase.EXPIRED
        return status.model_copy(update={"phase": phase})
    if view.runs_wanted(status.stable):
        return status.model_copy(update={"phase": Phase.STABLE, "expired": []})
    number = status.last_revision + 1
    color = status.stable.color.other if status.stable is not None else Color.BLUE
    name = revision_name(view.name, number)
    candidate = ColorStatus(color=color, revision=name, version=view.spec.model.version)
    return status.model_copy(
        update={
            **_AT_REST,
            "phase": Phase.STARTING,
            "candidate": candidate,
            "last_revision": number,
            "started_at": view.now,
            "verdict": "",
            "expired": [],
        }
    )


def _start(view: View) -> ModelDeploymentStatus:
    """Starting: wait for ready and published pods; then the first step, or all traffic for a first revision."""
    candidate = view.status.candidate
    if candidate is None:
        return view.status.model_copy(update={"phase": Phase.PENDING})
    first = view.status.stable is None
    if first and view.observed.gateway_problem is not None:
        return view.status.model_copy(update={"phase": Phase.STALLED})
    weight = 100 if first else view.step_weight(1)
    if view.serving(candidate) < view.required_replicas(weight):
        return view.status.model_copy(update={"phase": Phase.STARTING})
    if first:
        return view.status.model_copy(update={"phase": Phase.FINISHING})
    if not view.is_watched(candidate, view.required_replicas(weight)):
        return view.status.model_copy(update={"phase": Phase.STARTING})
    return _intend(view, 1)


def _intend(view: View, index: int) -> ModelDeploymentStatus:
    """Decide on a step; the route follows once enough pods are ready for it."""
    baking = index > len(view.spec.rollout.steps)
    count = len(view.spec.rollout.steps)
    step = StepStatus(
        index=index,
        count=count,
        progress="bake" if baking else f"{index}/{count}",
        weight=view.step_weight(index),
        intended_at=view.now,
        requests_before=view.requests(view.status.candidate),
    )
    return view.status.model_copy(
        update={"phase": Phase.BAKING if baking else Phase.PROGRESSING, "step": step, "hold": None}
    )


def _watch(view: View) -> ModelDeploymentStatus:
    """Progressing and Baking with a candidate: verify the weight by requests, hold it, go on."""
    step = view.status.step
    if step is None:  # the bake of a first revision
        return _watch_first(view)
    hold = _hold(view)
    if hold is not None:
        return view.status.model_copy(update={"phase": Phase.HELD, "hold": hold})
    status = view.status.model_copy(update={"phase": view.live_phase, "hold": None})
    seen = view.requests(status.candidate)
    if step.verified_at is None:
        if view.route_weight(status.candidate) != step.weight or seen <= step.requests_before or not view.sees:
            return status
        verified = step.model_copy(update={"verified_at": view.now, "requests_before": seen})
        return status.model_copy(update={"step": verified})
    done = (
        view.sees
        and view.now - step.verified_at >= view.step_hold(step.index)
        and seen - step.requests_before >= view.step_min_requests(step.index)
        and not view.observed.evidence.missing
    )
    if not done:
        return status
    if step.index > len(view.spec.rollout.steps):
        return status.model_copy(update={"phase": Phase.FINISHING})
    return _intend(view, step.index + 1)


def _watch_first(view: View) -> ModelDeploymentStatus:
    """The bake of a first revision: it serves already, and there is nothing to go back to."""
    if not view.runs_wanted(view.status.stable):
        return _begin(view)
    started = view.status.started_at or view.now
    sentence = breach_of(view)
    if sentence is not None:
        hold = _since(
            view, "GuardBreached", f"{sentence} There is no earlier revision to go back to: apply a better one."
        )
        return view.status.model_copy(update={"phase": Phase.HELD, "hold": hold})
    if view.now - started < parse_duration(view.spec.rollout.bake.duration):
        return view.status.model_copy(update={"phase": Phase.BAKING, "hold": None})
    return view.status.model_copy(update={**_AT_REST, "phase": Phase.STABLE})


def _hold(view: View) -> Hold | None:
    """Why the weights stay where they are for now, or None."""
    guards = view.spec.guards
    shared = next((j.sentence for j in view.observed.evidence.judgements if j.verdict is Verdict.SHARED_INCIDENT), None)
    if shared is not None:
        return _since(view, "SharedIncident", shared)
    if stable_is_gone(view):
        text = "stable has no ready pod: weights stay until it is repaired, there would be nobody to go back to"
        return _since(view, "StableUnavailable", text)
    if guards.metrics_missing.then is Policy.HOLD and metrics_missing_for(view) > parse_duration(
        guards.metrics_missing.after
    ):
        why = view.observed.evidence.trouble or "check that Prometheus scrapes the serving pods"
        return _since(view, "MetricsMissing", f"no metrics for {guards.metrics_missing.after}: {why}")
    if guards.no_traffic.then is Policy.HOLD and no_traffic_for(view) > parse_duration(guards.no_traffic.after):
        text = f"no requests reached the candidate for {guards.no_traffic.after}: check the gateway, or send traffic"
        return _since(view, "NoTraffic", text)
    return None


def _since(view: View, reason: str, message: str) -> Hold:
    before = view.status.hold
    since = before.since if before is not None and before.reason == reason else view.now
    return Hold(reason=reason, message=message, since=since)


def _finish(view: View) -> ModelDeploymentStatus:
    """Finishing: all traffic, then NAME, then the roles, then the drain, each after the one before was seen."""
    status, candidate = view.status, view.status.candidate
    if candidate is None:
        return _finish_drain(view)
    if view.route_weight(candidate) != 100 or view.observed.stable_service is not candidate.color:
        return status
    old = status.stable
    update: dict[str, object] = {
        "stable": candidate.model_copy(update={"weight": 100}),
        "candidate": None,
        "step": None,
        "history": _remember(view, "Promoted", _praise(view) if old is not None else "the first revision"),
    }
    if old is None:
        return status.model_copy(update={**update, "phase": Phase.BAKING, "started_at": view.now})
    drain = Drain(color=old.color, revision=old.revision, since=view.now)
    return status.model_copy(update={**update, "drain": drain})


def _praise(view: View) -> str:
    """What the guards have to say for a candidate: the maximum that it keeps by the most requests."""
    kept = [
        judgement
        for judgement in view.observed.evidence.judgements
        if judgement.kind == "absolute" and judgement.verdict is Verdict.HEALTHY
    ]
    return max(kept, key=lambda judgement: judgement.candidate.total).sentence if kept else view.status.verdict


def _finish_drain(view: View) -> ModelDeploymentStatus:
    drain = view.status.drain
    if drain is not None and view.color(drain.color).pods:
        return view.status
    return view.status.model_copy(update={**_AT_REST, "phase": Phase.STABLE})


def take_back(view: View, ending: Ending) -> ModelDeploymentStatus:
    """Turn the candidate back: pin it where the ending blames it, and let its color drain."""
    candidate = view.status.candidate
    if candidate is None:
        raise ValueError("there is no candidate to take back")
    pin = PinnedRevision(
        revision=candidate.revision,
        version=candidate.version,
        reason=ending.reason,
        message=ending.message,
        at=view.now,
        until_generation=view.observed.generation if ending.reason == "Aborted" else None,
    )
    times = {
        "evidence_at": view.observed.evidence.breached_at,
        "reverted_at": view.observed.evidence.reverted_at or view.now,
    }
    pins = {Phase.ROLLED_BACK: "failed", Phase.EXPIRED: "expired"}
    update: dict[str, object] = {
        "phase": Phase.ROLLING_BACK,
        "ending": ending.model_copy(update=times),
        "step": None,
        "hold": None,
        "verdict": ending.message,
        "drain": Drain(color=candidate.color, revision=candidate.revision, since=view.now),
    }
    if ending.phase in pins:
        field = pins[ending.phase]
        update[field] = [pin, *getattr(view.status, field)][:HISTORY]
    return view.status.model_copy(update=update)


def _roll_back(view: View) -> ModelDeploymentStatus:
    """RollingBack: over when the color has neither weight nor pods."""
    candidate, ending = view.status.candidate, view.status.ending
    if candidate is None or ending is None:
        return view.status.model_copy(update={"phase": Phase.STABLE, "drain": None, "ending": None})
    if view.route_weight(candidate) or view.color(candidate.color).pods or view.color(candidate.color).replicas:
        return view.status
    results = {Phase.ROLLED_BACK: "RolledBack", Phase.EXPIRED: "Expired"}
    phase = Phase.PENDING if view.status.stable is None and ending.phase is Phase.STABLE else ending.phase
    return view.status.model_copy(
        update={
            **_AT_REST,
            "phase": phase,
            "candidate": None,
            "ending": None,
            "history": _remember(view, results.get(ending.phase, ending.reason), ending.message),
        }
    )


def _remember(view: View, result: str, message: str) -> list[HistoryEntry]:
    candidate, ending = view.status.candidate, view.status.ending
    if candidate is None:
        return view.status.history
    reaction = Reaction() if ending is None else ending
    entry = HistoryEntry(
        revision=candidate.revision,
        version=candidate.version,
        result=result,
        message=message,
        changes=view.spec.model.changes if view.runs_wanted(candidate) else "",
        started_at=view.status.started_at or view.now,
        ended_at=view.now,
        evidence_at=reaction.evidence_at,
        reverted_at=reaction.reverted_at,
    )
    return [entry, *view.status.history][:HISTORY]


_PHASES: dict[Phase, Callable[[View], ModelDeploymentStatus]] = {
    Phase.PENDING: _begin,
    Phase.STABLE: _begin,
    Phase.ROLLED_BACK: _begin,
    Phase.EXPIRED: _begin,
    Phase.STARTING: _start,
    Phase.STALLED: _start,
    Phase.PROGRESSING: _watch,
    Phase.BAKING: _watch,
    Phase.HELD: _watch,
    Phase.FINISHING: _finish,
    Phase.ROLLING_BACK: _roll_back,
}
