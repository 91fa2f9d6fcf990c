"""A status that was lost, or does not fit what is there: what serves is stable, else the spec starts anew."""

from viridian.api.names import Color
from viridian.api.status import ColorStatus, Drain, ModelDeploymentStatus, Phase
from viridian.api.status.changes import StatusChanges, evolve

from .context import RolloutContext


def recovered(context: RolloutContext) -> ModelDeploymentStatus | None:
    """The status that fits what is there, or None where it fits already, or nothing serves yet.

    A status may be lost, or come from a backup of another time or place: then it names a stable that runs nowhere.
    """
    status = context.status
    if status.stable is None:
        return None if status.last_revision else _take_up(context)
    if _is_there(context, status.stable):
        return None
    return _take_up(context) or _forget(context)


def is_lost(context: RolloutContext) -> bool:
    """Whether neither of the roles that the status names runs anywhere, nor is stored to be run."""
    status = context.status
    if status.stable is None or (status.drain is not None and status.candidate is None):
        return False
    return not any(_is_there(context, role) for role in status.roles)


def _is_there(context: RolloutContext, role: ColorStatus) -> bool:
    """Whether a role's revision can be run, or has pods that serve; and no other one serves in its place."""
    if context.serving(role):
        return True
    color, other = context.color(role.color), context.color(role.color.other)
    if color.replicas and color.revision != role.revision:
        return False  # its color runs something else
    takes_all = context.observed.route is not None and context.observed.route.split(role.color) == 0
    if takes_all and other.answering and other.revision in context.observed.revisions:
        return False
    return role.revision in context.observed.revisions


def _take_up(context: RolloutContext) -> ModelDeploymentStatus | None:
    """Stable is the color that answers users; of two, the one that NAME selects, then the one with more weight.

    Whatever runs in the other one has lost the status of its rollout: it loses its weight and drains.
    """
    route, selected = context.observed.route, context.observed.stable_service
    found = [color for color in Color if _can_be_stable(context, color)]
    if not found:
        return None

    def claim(color: Color) -> tuple[bool, bool, int]:
        weight = route.split(color) if route is not None else 0
        return context.color(color).answering > 0, selected is color, weight

    color = max(found, key=claim)
    stable, other = context.color(color), context.color(color.other)
    revision = context.observed.revisions[stable.revision or ""]
    drain = None
    if other.revision is not None and other.replicas:
        drain = Drain(color=color.other, revision=other.revision, since=context.now)
    return evolve(
        context.status,
        phase=Phase.FINISHING if drain is not None else Phase.STABLE,
        stable=ColorStatus(color=color, revision=revision.name, version=revision.version),
        drain=drain,
        last_revision=highest_revision(context),
    )


def _can_be_stable(context: RolloutContext, color: Color) -> bool:
    """Whether a color runs a known revision and gets users' requests."""
    seen, route = context.color(color), context.observed.route
    led = context.observed.stable_service is color or (route is not None and route.split(color) > 0)
    return bool(seen.replicas) and seen.revision in context.observed.revisions and led


def _forget(context: RolloutContext) -> ModelDeploymentStatus:
    """Begin with the spec, as a new model does; what was said of earlier revisions stays."""
    kept: StatusChanges = {
        "failed": context.status.failed,
        "history": context.status.history,
        "last_command": context.status.last_command,
        "conditions": context.status.conditions,
        "observed_generation": context.status.observed_generation,
        "epoch": context.status.epoch,
    }
    return evolve(ModelDeploymentStatus(), kept, last_revision=highest_revision(context))


def highest_revision(context: RolloutContext) -> int:
    """The highest number that was ever given to a revision, as far as anything still knows of it.

    What a deleted predecessor of the same name left counts too: it must not pass for ours.
    """
    known = (revision.number for revision in context.observed.revisions.values())
    return max([context.status.last_revision, context.observed.highest, *known])
