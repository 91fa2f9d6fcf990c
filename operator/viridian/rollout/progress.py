"""How a rollout goes forward: one small function a phase. Each takes a view and returns the next status."""

from collections.abc import Callable

from viridian.api.names import Color, revision_name
from viridian.api.quantities import parse_duration
from viridian.api.rollout import Approval
from viridian.api.status import (
    ColorStatus,
    Condemned,
    Drain,
    Hold,
    ModelDeploymentStatus,
    Phase,
    PinnedRevision,
    Return,
)
from viridian.guards.judge import Verdict

from .commands import Verb, pending_command
from .endings import AT_REST, add_pin, remember, remember_first, roll_back
from .fallback import awaits_word
from .holds import entry_gate, gate, held, hold_of, paused_hold
from .interrupts import breach_of
from .readiness import step_at
from .recover import highest_revision, is_lost, recovered
from .split import follow
from .story import blindness, required_pods
from .takeover import replace_what_fails, takes_over
from .view import View


def progress(view: View) -> ModelDeploymentStatus:
    """One move forward from wherever the status stands, or the same status."""
    if is_lost(view):
        return recovered(view) or view.status
    return _PHASES[view.live_phase](view)


def _begin(view: View) -> ModelDeploymentStatus:
    """Settled: start what the spec asks for, unless it runs already or is pinned."""
    status = view.status
    if status.candidate is not None:
        return status
    found = recovered(view)
    if found is not None:
        return found
    if pending_command(view, Verb.ROLLBACK) is not None:
        return _return_to_previous(view)
    if view.pin is not None:
        phase = Phase.ROLLED_BACK if view.pin in status.failed else Phase.EXPIRED
        return status.model_copy(update={"phase": phase})
    if view.runs_wanted(status.stable):
        if view.condemned:  # its own guard has the last word once more
            return status.model_copy(update={**AT_REST, "phase": Phase.BAKING, "started_at": view.now})
        return status.model_copy(update={"phase": Phase.STABLE, "expired": []})
    number = highest_revision(view) + 1
    name = revision_name(view.name, number)
    update = {**_fresh_start(view, name, view.spec.model.version), "last_revision": number, "expired": []}
    if status.phase is not Phase.STABLE and view.bakes_alone:
        update["history"] = remember_first(view, *_first_result(view))
    return status.model_copy(update=update)


def _first_result(view: View) -> tuple[str, str]:
    """How the bake of a revision that was put to use without a comparison ended."""
    if view.condemned:
        return "GuardBreached", view.condemned
    return "Promoted", _kept(view) or "the first revision"


def _fresh_start(view: View, revision: str, version: str) -> dict[str, object]:
    """What a status begins a rollout with."""
    stable = view.status.stable
    color = stable.color.other if stable is not None else Color.BLUE
    return {
        **AT_REST,
        "phase": Phase.STARTING,
        "candidate": ColorStatus(color=color, revision=revision, version=version),
        "started_at": view.now,
        "floor": view.color(stable.color).replicas if stable is not None and view.spec.serving.autoscaling else None,
        "verdict": "",
    }


def _return_to_previous(view: View) -> ModelDeploymentStatus:
    """A person's rollback: what served before is warmed up in the other color, and then gets all traffic at once."""
    status, previous = view.status, view.previous
    if status.stable is None or previous is None:
        return status
    returning = Return(instead_of=status.stable.revision, generation=view.observed.generation)
    update = {**_fresh_start(view, previous.name, previous.version), "returning": returning}
    return status.model_copy(update=update)


def _start(view: View) -> ModelDeploymentStatus:
    """Starting: wait for ready and published pods; then the first step, or all traffic at once where none is split."""
    candidate = view.status.candidate
    if candidate is None:
        return view.status.model_copy(update={"phase": Phase.PENDING})
    first = view.status.stable is None
    if first and view.barred is not None:
        return view.status.model_copy(update={"phase": Phase.STALLED})
    at_once = first or view.status.returning is not None or bool(view.condemned)
    need = required_pods(view)
    starting = view.status.model_copy(update={"phase": Phase.STARTING, "hold": None})
    hold = paused_hold(view)
    if hold is None and view.serving(candidate) < need and not view.failed_over:
        return starting
    if hold is None and view.status.returning is None:
        hold = entry_gate(view)
    if hold is not None:
        return _hold_still(view, hold)
    watched = not view.condemned or view.is_watched(candidate, need)
    if at_once:
        return starting.model_copy(update={"phase": Phase.FINISHING}) if watched else starting
    known = view.is_watched(candidate, need) and not awaits_word(view)
    return _intend(view, 1) if view.failed_over or known else starting


def _hold_still(view: View, hold: Hold) -> ModelDeploymentStatus:
    return view.status.model_copy(update={"phase": Phase.HELD, "hold": hold})


def _intend(view: View, index: int) -> ModelDeploymentStatus:
    """Decide on a step; the route follows once enough pods are ready for it."""
    phase = Phase.BAKING if index > len(view.steps) else Phase.PROGRESSING
    return view.status.model_copy(update={"phase": phase, "step": step_at(view, index), "hold": None})


def _watch(view: View) -> ModelDeploymentStatus:
    """Progressing and Baking with a candidate: verify the split by requests, hold it, go on."""
    step = view.status.step
    if step is None:  # the bake of a first revision
        return _watch_first(view)
    hold = hold_of(view)
    if hold is not None:
        return takes_over(view, hold) or _hold_still(view, hold)
    status = view.status.model_copy(update={"phase": view.live_phase, "hold": None})
    if status.shortfall is not None:
        return status
    if found := view.observed.evidence.stable_breach:
        return replace_what_fails(view, status, found)
    seen = view.requests(status.candidate)
    if step.verified_at is None:
        if view.route_weight(status.candidate) != step.weight or not view.sees:
            return status
        return status.model_copy(update={"step": follow(step, seen, view.requests(status.stable), view.now)})
    done = (
        view.sees
        and view.now - step.verified_at >= view.step_hold(step.index)
        and seen - step.requests_before >= view.step_min_requests(step.index)
        and not view.observed.evidence.missing
        and not blindness(view)
    )
    if not done:
        return status
    if step.index <= len(view.steps):
        return _intend(view, step.index + 1)
    hold = gate(view, Approval.BEFORE_PROMOTION)
    return status.model_copy(update={"phase": Phase.FINISHING}) if hold is None else _hold_still(view, hold)


def _watch_first(view: View) -> ModelDeploymentStatus:
    """The bake of a revision that nothing is compared with: it serves already, and there is nothing to go back to."""
    status = view.status
    if not view.runs_wanted(status.stable):
        return _begin(view)
    started = status.started_at or view.now
    sentence = breach_of(view)
    if sentence is not None and status.stable is not None:
        again = "There is no revision to go back to: apply a better one, it gets all traffic as soon as it is ready."
        condemned = Condemned(revision=status.stable.revision, message=sentence)
        on_hold = _hold_still(view, held(view, "GuardBreached", f"{sentence} {again}"))
        return on_hold.model_copy(update={"condemned": condemned})
    drains = status.drain is not None and not view.color(status.drain.color).is_empty
    if drains or view.now - started < parse_duration(view.spec.rollout.bake.duration):
        return status.model_copy(update={"phase": Phase.BAKING, "hold": None})
    update = {"phase": Phase.STABLE, "condemned": None, "history": remember_first(view, *_first_result(view))}
    return status.model_copy(update={**AT_REST, **update})


def _finish(view: View) -> ModelDeploymentStatus:
    """Finishing: all traffic, then NAME, then the roles, then the drain, each after the one before was seen."""
    status, candidate = view.status, view.status.candidate
    if candidate is None:
        return _finish_drain(view)
    if status.shortfall is not None:  # its pods went before it took over
        return status.model_copy(update={"phase": Phase.BAKING if status.step is not None else Phase.STARTING})
    if view.route_weight(candidate) != 100 or view.observed.stable_service is not candidate.color:
        return status
    old = status.stable
    swapped = status.model_copy(update={"stable": candidate, "candidate": None, "step": None, "outage": None})
    drain = Drain(color=old.color, revision=old.revision, since=view.now) if old is not None else None
    if old is None or view.condemned:
        return swapped.model_copy(
            update={"phase": Phase.BAKING, "started_at": view.now, "condemned": None, "drain": drain, "floor": None}
        )
    update: dict[str, object] = {"drain": drain, "history": remember(view, *_result(view, old, candidate))}
    failed = status.failed
    if status.returning is not None:
        failed = add_pin(failed, _pin_of(view, status.returning, old, candidate))
    return swapped.model_copy(update={**update, "failed": failed})


def _pin_of(view: View, returning: Return, old: ColorStatus, back: ColorStatus) -> PinnedRevision:
    """The pin of what a person's rollback has replaced: else the spec, which still asks for it, would start it anew."""
    return PinnedRevision(
        revision=old.revision,
        version=old.version,
        reason="RolledBackByCommand",
        message=f"{old.revision} ({old.version}) was rolled back by command to {back.revision} ({back.version})",
        at=view.now,
        until_generation=returning.generation,
    )


def _result(view: View, old: ColorStatus, candidate: ColorStatus) -> tuple[str, str]:
    """How a candidate that takes over got there, in a word and in a sentence."""
    if view.status.returning is not None:
        return "Restored", f"brought back by command instead of {view.status.returning.instead_of}"
    condemned = view.status.condemned
    if condemned is not None and condemned.revision == candidate.revision:
        return "TookOver", condemned.message
    alone = f"{old.version} had no ready pod. " if view.failed_over else ""
    return "Promoted", f"{alone}{_kept(view) or view.status.verdict}"


def _kept(view: View) -> str:
    """The sentence about the maximum that is kept by the most requests; empty where none has enough of them."""
    kept = [
        judgement
        for judgement in view.observed.evidence.judgements
        if judgement.kind == "absolute" and judgement.verdict is Verdict.HEALTHY
    ]
    return max(kept, key=lambda judgement: judgement.candidate.total).sentence if kept else ""


def _finish_drain(view: View) -> ModelDeploymentStatus:
    drain = view.status.drain
    if drain is not None and not view.color(drain.color).is_empty:
        return view.status
    return view.status.model_copy(update={**AT_REST, "phase": Phase.STABLE})


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
    Phase.ROLLING_BACK: roll_back,
}
