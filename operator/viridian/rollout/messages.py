"""The state of a rollout in one sentence for people: what happens, why, and what comes next."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from viridian.api.names import Color
from viridian.api.status import ColorStatus, Phase, StepStatus, WatchStatus
from viridian_shared.durations import format_duration, parse_duration
from viridian_shared.words import count

from .checks import open_check
from .context import RolloutContext
from .fallback import awaits_word, gap
from .shadow import arrived, describe, tells_pods, unmirrored
from .split import lag


def pod_trouble(context: RolloutContext) -> str:
    """Why pods of the candidate or of stable cannot start, as one sentence; empty when none says so."""
    if stuck := stuck_pod(context):
        return stuck
    for role in _roles(context):
        color = context.color(role.color)
        trouble = next((pod.trouble for pod in color.pods if pod.revision == role.revision and pod.trouble), "")
        if not trouble and color.refusal and color.revision == role.revision:
            trouble = f"Kubernetes refuses to create its pods, and keeps retrying: {color.refusal}"
        if trouble:
            return f"{role.version} ({role.color}): {trouble}"
    return ""


def stuck_pod(context: RolloutContext) -> str:
    """Which pod of another revision does not go, so that a color cannot be used, as one sentence; empty when none."""
    for role in _roles(context):
        color = context.color(role.color)
        stuck = next((pod.stuck for pod in color.pods if pod.stuck and pod.revision != role.revision), "")
        if stuck and color.revision != role.revision:
            return f"{role.version} ({role.color}) is waiting: {stuck}"
    return ""


def left_behind(context: RolloutContext) -> str:
    """Which pod of a version that was rolled back does not go, as one sentence; empty when none is left."""
    stable = context.status.stable
    colors = Color if stable is None else (stable.color.other,)
    return next((pod.stuck for color in colors for pod in context.color(color).pods if pod.stuck), "")


def _roles(context: RolloutContext) -> list[ColorStatus]:
    return [role for role in (context.status.candidate, context.status.stable) if role is not None]


def blindness(context: RolloutContext) -> str:
    """That the metrics do not tell of as many of the candidate's pods as its weight needs; empty when they do."""
    candidate, step = context.status.candidate, context.status.step
    if candidate is None or step is None or context.observed.evidence.fresh_at is None:
        return ""
    need = context.required_replicas(step.load)
    if context.is_monitored(candidate, need) or context.serving(candidate) < need:
        return ""
    why = f": {context.observed.evidence.trouble}" if context.observed.evidence.trouble else ""
    return (
        f"Prometheus has the counters of {context.reporting(candidate)} of the {need} pods that {candidate.version}"
        f" needs{why}"
    )


def waits_for(context: RolloutContext) -> str:
    """What a candidate still waits for, how much of it and about how long, as a noun; empty for nothing."""
    step, candidate, stable = context.status.step, context.status.candidate, context.status.stable
    if candidate is None:
        return ""
    need, ready = required_pods(context), context.serving(candidate)
    if ready < need:
        return f"{count(need, 'ready pod')} of {candidate.version} ({ready} so far)"
    if context.status.shortfall is not None:
        return f"its pods to stay ready for {context.settings.quiet.total_seconds():.0f} s"
    if step is None:
        return _waits_for_before_traffic(context, candidate, need)
    if context.route_weight(candidate) != step.weight or not tells_pods(context):
        missing = stable is not None and _stable_is_missing(context)
        return f"a ready pod of {stable.version}" if stable is not None and missing else "the route to be written"
    if step.verified_at is None:
        if step.shadow:
            return "the first mirrored request to be counted"
        split = f"requests to be seen split at {step.weight} %" if context.spec.has_route else "requests to arrive"
        return lag(context) or split
    return " and ".join(_open_points(context, step, step.verified_at))


def _waits_for_before_traffic(context: RolloutContext, candidate: ColorStatus, need: int) -> str:
    stable = context.status.stable
    if due := open_check(context):
        return f"its check {due}"
    if stable is None or context.status.returning is not None:
        return ""
    if not context.is_monitored(candidate, need):
        return context.observed.evidence.trouble or "Prometheus to have the counters of its pods"
    if awaits_word(context):
        return "its pods to report whether stable can answer for them"
    return f"a ready pod of {stable.version}" if _stable_is_missing(context) else ""


def required_pods(context: RolloutContext) -> int:
    """Pods of the candidate that must be ready for its next weight."""
    status = context.status
    if status.step is not None:
        return context.required_replicas(status.step.load)
    at_once = status.stable is None or status.returning is not None or bool(context.condemned)
    return context.full if at_once else context.required_replicas(context.step_load(1))


def _open_points(context: RolloutContext, step: StepStatus, verified_at: datetime) -> Iterator[str]:
    """What a step whose split was seen still lacks."""
    hold = context.step_hold(step.index)
    left = hold - (context.now - verified_at)
    if left > timedelta(0):
        whole = timedelta(seconds=max(1, round(left.total_seconds())))
        yield f"{format_duration(whole)} more of {format_duration(hold)}"
    requests = context.step_min_requests(step.index) - (arrived(context, step) - step.requests_before)
    if requests > 0:
        yield f"{count(requests, 'more mirrored request' if step.shadow else 'more request')} (minRequests)"
    if missing := context.observed.evidence.missing:
        yield f"enough requests for {', '.join(missing)}"


def _stable_is_missing(context: RolloutContext) -> bool:
    return context.status.stable is not None and context.serving(context.status.stable) == 0


def state_message(context: RolloutContext) -> str:
    """The state in one sentence: what happens, why, and what comes next."""
    if context.status.hold is not None:
        return context.status.hold.message
    return _candidate_message(context) or _settled_message(context)


def _candidate_message(context: RolloutContext) -> str:
    """What happens to the candidate; empty when there is none."""
    status, candidate, step = context.status, context.status.candidate, context.status.step
    if candidate is None:
        return ""
    if status.ending is not None:
        return f"{candidate.version} is being rolled back: {status.ending.message}{_warming(context, candidate)}"
    if status.returning is not None:
        return f"{candidate.version} is being restored by command: {candidate.ready} of {context.full} pods are ready"
    if status.phase is Phase.STARTING:
        need = required_pods(context)
        ready = f"{candidate.ready} of {count(need, 'pod')} ready"
        return f"{candidate.version} starts: {ready}{_start_message(context)}{_gap_message(context)}"
    if status.phase is Phase.FINISHING:
        return _takes_over(candidate)
    return f"{candidate.version} {_step_message(context, step)}{_gap_message(context)}" if step is not None else ""


def _takes_over(color: ColorStatus) -> str:
    return f"{color.version} takes over; the old color drains"


def _warming(context: RolloutContext, candidate: ColorStatus) -> str:
    """What a promoted version that is taken back still answers, and why; empty for nothing."""
    stable, share = context.status.stable, context.route_weight(candidate)
    if not share or stable is None or context.status.ending is None or context.status.ending.warms_since is None:
        return ""
    ready = f"{context.serving(stable)} of {count(context.full, 'pod')} of {stable.version}"
    return f". It keeps {share} % of the traffic until more than {ready} are ready"


def _gap_message(context: RolloutContext) -> str:
    """What clients see of the candidate's failures, where stable cannot answer for it."""
    return f"; {found}" if (found := gap(context)) else ""


def _settled_message(context: RolloutContext) -> str:
    status = context.status
    if status.phase in {Phase.ROLLED_BACK, Phase.EXPIRED} and context.blocked is not None:
        version = context.blocked.version
        again = f"{version} starts again only by the command retry; a different version in the spec starts at once."
        stable = _who_serves(context)
        return (
            f"{context.blocked.version} was rolled back: {context.blocked.message.removesuffix('.')}. {stable} {again}"
        )
    if status.phase is Phase.FINISHING and status.stable is not None:
        return _takes_over(status.stable)
    if status.phase is Phase.WATCHING and status.stable is not None and status.watch is not None:
        return _watch_message(context, status.stable, status.watch)
    if status.phase is Phase.BAKING and status.stable is not None:
        return f"{status.stable.version} serves all requests and is watched for {context.spec.rollout.bake.duration}"
    if status.stable is not None:
        return f"{status.stable.version} serves all requests; guards are off until the next rollout"
    if status.phase is Phase.STALLED and context.barred is not None:
        return context.barred
    return "waiting for the first revision"


def _watch_message(context: RolloutContext, stable: ColorStatus, watch: WatchStatus) -> str:
    control, wanted, share = watch.control, context.watch_wanted, context.route_weight(watch.control)
    if wanted is None or not context.runs_wanted(stable):
        return f"the watch of {stable.version} ends"
    if context.failed_over:
        return f"no pod of {stable.version} is ready, so {control.version}, which it replaced, answers all requests"
    left = parse_duration(wanted.duration) - (context.now - watch.since)
    rest = format_duration(max(timedelta(seconds=1), timedelta(seconds=round(left.total_seconds()))))
    text = f"{stable.version} was promoted and is watched for {rest} more of {wanted.duration}: "
    if not share:
        why = f"{context.serving(control)} of {count(context.required_replicas(wanted.holdback), 'pod')} ready"
        return f"{text}{control.version} is to keep {wanted.holdback} % of the traffic as a control, and has {why}"
    return f"{text}{control.version} keeps {share} % of the traffic as a control, and gets all back in case of a breach"


def _who_serves(context: RolloutContext) -> str:
    stable = context.status.stable
    if stable is None:
        return "Nothing serves."
    if _stable_is_missing(context):
        return f"No pod of {stable.version} is ready, but all requests go to it."
    return f"{stable.version} serves all requests."


def _start_message(context: RolloutContext) -> str:
    """What a candidate that starts is waiting for, beside its own pods."""
    if trouble := pod_trouble(context):
        return f"; {trouble}"
    if context.serving(context.status.candidate) < required_pods(context):
        return ""
    waiting = waits_for(context)
    return f"; waiting for {waiting}" if waiting else ""


def _step_message(context: RolloutContext, step: StepStatus) -> str:
    text = _step_state(context, step)
    fails = any(guard.failing and guard.verdict not in {"Healthy", "Ignored"} for guard in context.status.guards)
    return f"{text.removesuffix('.')}. {context.status.verdict}" if fails and context.status.verdict else text


def _step_state(context: RolloutContext, step: StepStatus) -> str:
    name = "bakes" if step.index > step.count else f"is at step {step.index} of {step.count}"
    if not context.runs_wanted(context.status.candidate):
        name += f" ({context.spec.model.version} starts after this rollout)"
    weight = context.route_weight(context.status.candidate)
    waiting = waits_for(context)
    if weight != step.weight:
        return f"{name} with {weight} % of the traffic instead of {step.weight} %: waiting for {waiting}"
    what = f"shadow {step.shadow}" if step.shadow else f"{step.weight} % of the traffic"
    trouble = context.observed.evidence.trouble if not context.sees else ""
    if trouble := trouble or blindness(context):
        return f"{name} with {what}, and does not advance: {trouble}"
    if step.verified_at is None:
        if step.shadow:
            told = unmirrored(context, step) if tells_pods(context) else ""
            return f"{name} with {what}: {told or f'waiting for {waiting}'}"
        return f"{name}: {lag(context) or f'waiting for {waiting}'}"
    text = f"{name} with {what}" + (f": waiting for {waiting}" if waiting else "")
    return f"{text}; {report}" if step.shadow and (report := describe(context)) else text
