"""The state of a rollout in one sentence for people: what happens, why, and what comes next."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from viridian.api.names import Color
from viridian.api.quantities import format_duration
from viridian.api.status import ColorStatus, Phase, StepStatus

from .fallback import awaits_word, gap
from .split import lag
from .view import View


def pod_trouble(view: View) -> str:
    """Why pods of the candidate or of stable cannot start, as one sentence; empty when none says so."""
    if stuck := stuck_pod(view):
        return stuck
    for role in _roles(view):
        color = view.color(role.color)
        trouble = next((pod.trouble for pod in color.pods if pod.revision == role.revision and pod.trouble), "")
        if not trouble and color.refusal and color.revision == role.revision:
            trouble = f"Kubernetes refuses to create its pods, and tries it again by itself: {color.refusal}"
        if trouble:
            return f"{role.version} ({role.color}): {trouble}"
    return ""


def stuck_pod(view: View) -> str:
    """Which pod of another revision does not go, so that a color cannot be used, as one sentence; empty when none."""
    for role in _roles(view):
        color = view.color(role.color)
        stuck = next((pod.stuck for pod in color.pods if pod.stuck and pod.revision != role.revision), "")
        if stuck and color.revision != role.revision:
            return f"{role.version} ({role.color}) has to wait: {stuck}"
    return ""


def left_behind(view: View) -> str:
    """Which pod of a version that was taken back does not go, as one sentence; empty when none is left."""
    stable = view.status.stable
    colors = Color if stable is None else (stable.color.other,)
    return next((pod.stuck for color in colors for pod in view.color(color).pods if pod.stuck), "")


def _roles(view: View) -> list[ColorStatus]:
    return [role for role in (view.status.candidate, view.status.stable) if role is not None]


def blindness(view: View) -> str:
    """That the metrics do not tell of as many of the candidate's pods as its weight needs; empty when they do."""
    candidate, step = view.status.candidate, view.status.step
    if candidate is None or step is None or view.observed.evidence.fresh_at is None:
        return ""
    need = view.required_replicas(step.weight)
    if view.is_watched(candidate, need) or view.serving(candidate) < need:
        return ""
    why = f": {view.observed.evidence.trouble}" if view.observed.evidence.trouble else ""
    return (
        f"Prometheus has the counters of {view.reporting(candidate)} of the {need} pods that {candidate.version}"
        f" needs{why}"
    )


def count(number: int, noun: str) -> str:
    """A number with its noun, in the singular or the plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def waits_for(view: View) -> str:
    """What a candidate still waits for, how much of it and about how long, as a noun; empty for nothing."""
    step, candidate, stable = view.status.step, view.status.candidate, view.status.stable
    if candidate is None:
        return ""
    need, ready = required_pods(view), view.serving(candidate)
    if ready < need:
        return f"{count(need, 'ready pod')} of {candidate.version} ({ready} so far)"
    if view.status.shortfall is not None:
        return f"its pods to stay ready for {view.settings.quiet.total_seconds():.0f} s"
    if step is None:
        if stable is None or view.status.returning is not None:
            return ""
        if not view.is_watched(candidate, need):
            return view.observed.evidence.trouble or "Prometheus to have the counters of its pods"
        if awaits_word(view):
            return "its pods to say whether stable can answer for them"
        return f"a ready pod of {stable.version}" if _stable_is_missing(view) else ""
    if view.route_weight(candidate) != step.weight:
        missing = stable is not None and _stable_is_missing(view)
        return f"a ready pod of {stable.version}" if stable is not None and missing else "the route to be written"
    if step.verified_at is None:
        split = f"requests to be seen split at {step.weight} %" if view.spec.has_route else "requests to arrive"
        return lag(view) or split
    return " and ".join(_open_points(view, step, step.verified_at))


def required_pods(view: View) -> int:
    """Pods of the candidate that must be ready for what it is to get next."""
    status = view.status
    if status.step is not None:
        return view.required_replicas(status.step.weight)
    at_once = status.stable is None or status.returning is not None or bool(view.condemned)
    return view.required_replicas(100 if at_once else view.step_weight(1))


def _open_points(view: View, step: StepStatus, verified_at: datetime) -> Iterator[str]:
    """What a step whose split was seen still lacks."""
    hold = view.step_hold(step.index)
    left = hold - (view.now - verified_at)
    if left > timedelta(0):
        whole = timedelta(seconds=max(1, round(left.total_seconds())))
        yield f"{format_duration(whole)} more of {format_duration(hold)}"
    requests = view.step_min_requests(step.index) - (view.requests(view.status.candidate) - step.requests_before)
    if requests > 0:
        yield f"{count(requests, 'more request')} (minRequests)"
    if missing := view.observed.evidence.missing:
        yield f"enough requests for {', '.join(missing)}"


def _stable_is_missing(view: View) -> bool:
    return view.status.stable is not None and view.serving(view.status.stable) == 0


def story(view: View) -> str:
    """The state in one sentence: what happens, why, and what comes next."""
    if view.status.hold is not None:
        return view.status.hold.message
    return _candidate_story(view) or _settled_story(view)


def _candidate_story(view: View) -> str:
    """What happens to the candidate; empty when there is none."""
    status, candidate, step = view.status, view.status.candidate, view.status.step
    if candidate is None:
        return ""
    if status.ending is not None:
        return f"{candidate.version} is being taken back: {status.ending.message}"
    if status.returning is not None:
        return f"{candidate.version} comes back by command: {candidate.ready} of {view.full} pods are ready"
    if status.phase is Phase.STARTING:
        need = required_pods(view)
        ready = f"{candidate.ready} of {count(need, 'pod')} ready"
        return f"{candidate.version} starts: {ready}{_start_story(view)}{_gap_story(view)}"
    if status.phase is Phase.FINISHING:
        return f"{candidate.version} passed and takes over; the old color drains"
    return f"{candidate.version} {_step_story(view, step)}{_gap_story(view)}" if step is not None else ""


def _gap_story(view: View) -> str:
    """What clients see of the candidate's failures, where stable cannot answer for it."""
    return f"; {found}" if (found := gap(view)) else ""


def _settled_story(view: View) -> str:
    status = view.status
    if status.phase in {Phase.ROLLED_BACK, Phase.EXPIRED} and view.pin is not None:
        version = view.pin.version
        again = f"{version} starts again only on the command retry; another version in the spec starts at once."
        stable = _who_serves(view)
        return f"{view.pin.version} was taken back: {view.pin.message.removesuffix('.')}. {stable} {again}"
    if status.phase is Phase.FINISHING:
        return "the new version passed and takes over; the old color drains"
    if status.phase is Phase.BAKING and status.stable is not None:
        return f"{status.stable.version} serves all requests and is watched for {view.spec.rollout.bake.duration}"
    if status.stable is not None:
        return f"{status.stable.version} serves all requests; guards are off until the next rollout"
    if status.phase is Phase.STALLED and view.barred is not None:
        return view.barred
    return "waiting for the first revision"


def _who_serves(view: View) -> str:
    stable = view.status.stable
    if stable is None:
        return "Nothing serves."
    if _stable_is_missing(view):
        return f"No pod of {stable.version}, which all requests go to, is ready."
    return f"{stable.version} serves all requests."


def _start_story(view: View) -> str:
    """What a candidate that starts is waiting for, beside its own pods."""
    if trouble := pod_trouble(view):
        return f"; {trouble}"
    if view.serving(view.status.candidate) < required_pods(view):
        return ""
    waiting = waits_for(view)
    return f"; waiting for {waiting}" if waiting else ""


def _step_story(view: View, step: StepStatus) -> str:
    text = _step_state(view, step)
    fails = any(guard.failing and guard.verdict not in {"Healthy", "Ignored"} for guard in view.status.guards)
    return f"{text}. {view.status.verdict}" if fails and view.status.verdict else text


def _step_state(view: View, step: StepStatus) -> str:
    name = "bakes" if step.index > step.count else f"is at step {step.index} of {step.count}"
    if not view.runs_wanted(view.status.candidate):
        name += f" ({view.spec.model.version} waits until this is over)"
    weight = view.route_weight(view.status.candidate)
    waiting = waits_for(view)
    if weight != step.weight:
        return f"{name} with {weight} % of the traffic instead of {step.weight} %: waiting for {waiting}"
    trouble = view.observed.evidence.trouble if not view.sees else ""
    if trouble := trouble or blindness(view):
        return f"{name} with {step.weight} % of the traffic, and stays there: {trouble}"
    if step.verified_at is None:
        return f"{name}: {lag(view) or f'waiting for {waiting}'}"
    return f"{name} with {step.weight} % of the traffic" + (f": waiting for {waiting}" if waiting else "")
