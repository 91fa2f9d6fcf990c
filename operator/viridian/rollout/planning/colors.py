"""The writes that let each color run what its role asks for.

An invariant that protects users is held here, whatever the phase says: a color that may still be answering is neither
scaled down nor given another template.
"""

from collections.abc import Iterator

from viridian.api.names import Color
from viridian.api.status import ColorStatus, Phase
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import Autoscaler
from viridian.rollout.readiness import control_pods
from viridian_shared.durations import parse_duration

from .actions import Action, ApplyAutoscaler, ApplyColor, RemoveAutoscaler


def colors(context: RolloutContext) -> Iterator[Action]:
    """The writes to both colors' Deployments and autoscalers, in order."""
    status = context.status
    if status.stable is not None:
        yield from _run(context, status.stable, context.full)
    if status.candidate is not None and context.candidate_is_live:
        yield from _run(context, status.candidate, _candidate_floor(context, status.candidate))
    if status.control is not None:
        yield from _run(context, status.control, control_pods(context))
    yield from _idle(context)
    drain = status.drain
    if drain is not None and is_drained(context):
        old = context.color(drain.color)
        if old.revision == drain.revision and old.replicas > 0:
            yield from _empty(context, drain.color, drain.revision)


def _idle(context: RolloutContext) -> Iterator[Action]:
    """At rest, pods of the other color are somebody's doing: no request is meant for them."""
    status = context.status
    if status.stable is None or status.candidate or status.watch or status.drain is not None:
        return
    color = status.stable.color.other
    idle, route = context.color(color), context.observed.route
    known = idle.revision in context.observed.revisions
    if idle.replicas and idle.revision is not None and known and (route is None or not route.weight(color)):
        yield from _empty(context, color, idle.revision)


def is_drained(context: RolloutContext) -> bool:
    """Whether the color that lost its weight answers nothing any more, or was given drainMax to finish."""
    drain, route = context.status.drain, context.observed.route
    if drain is None or (route is not None and route.weight(drain.color)):
        return False
    moved = context.observed.evidence.moved.get(drain.revision, drain.since)
    fresh = context.told_of(drain.color, drain.revision)
    flat = fresh is not None and fresh - max(moved, drain.since) >= context.settings.quiet
    return flat or context.now - drain.since >= parse_duration(context.spec.rollout.drain_max)


def _candidate_floor(context: RolloutContext, candidate: ColorStatus) -> int:
    """Pods of the candidate: what its weight needs, of which no more start at once than the spec allows.

    Users may be on those it has, so it only grows while it lives.
    """
    status = context.status
    weight = status.step.load if status.step is not None else context.step_load(1)
    alone = status.stable is None or status.returning is not None or context.failed_over or context.condemned
    if alone or status.phase is Phase.FINISHING:
        weight = 100
    need = context.required_replicas(max(weight, context.route_weight(candidate)))
    if (at_once := context.spec.rollout.max_starting) is not None:
        need = min(need, context.serving(candidate) + at_once)
    return max(need, min(context.color(candidate.color).replicas, context.full))


def _run(context: RolloutContext, role: ColorStatus, floor: int) -> Iterator[Action]:
    """Run a role's revision in its color: a new template only where no pod of another revision remains."""
    color = context.color(role.color)
    if role.revision not in context.observed.revisions and role is not context.status.candidate:
        return  # lost with its Deployment: there is nothing to run it from, and the conditions say so
    if color.revision == role.revision:
        if color.drifted:
            yield ApplyColor(role.color, role.revision, color.replicas)
        else:
            yield from _scale(context, role, floor)
    elif color.replicas == 0 and all(pod.revision == role.revision for pod in color.pods):
        # Its own pods are left where somebody deleted the Deployment; nobody is served by waiting for their end.
        # A route that somebody edited may lead here, though: it is put right before there is a pod to be found.
        if role is context.status.stable or color.revision is None or not context.is_reachable(role):
            yield ApplyColor(role.color, role.revision, floor)
    elif color.replicas > 0 and not context.is_reachable(role) and color.revision is not None:
        yield from _empty(context, role.color, color.revision)


def _scale(context: RolloutContext, role: ColorStatus, floor: int) -> Iterator[Action]:
    """Give a color its number of pods: by hand, or by an autoscaler, which owns it from then on but ignores zero."""
    color, scaling = context.color(role.color), context.spec.serving.autoscaling
    if scaling is None and color.autoscaler is not None:
        yield RemoveAutoscaler(role.color)
    elif (scaling is None and color.replicas != floor) or (scaling is not None and color.replicas == 0):
        yield ApplyColor(role.color, role.revision, floor)
    elif scaling is not None:
        wanted = Autoscaler(min(floor, scaling.max_replicas), scaling.max_replicas, scaling.cpu_percent)
        if color.autoscaler != wanted:
            yield ApplyAutoscaler(role.color, wanted)


def _empty(context: RolloutContext, color: Color, revision: str) -> Iterator[Action]:
    """Scale a color to nothing; not before its autoscaler, which would scale it up again, is gone."""
    if context.color(color).autoscaler is not None:
        yield RemoveAutoscaler(color)
    else:
        yield ApplyColor(color, revision, 0)
