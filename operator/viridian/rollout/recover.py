"""A status that was lost, or does not fit what is there: what serves is stable, else the spec starts anew."""

from viridian.api.names import Color
from viridian.api.status import ColorStatus, Drain, ModelDeploymentStatus, Phase

from .view import View


def recovered(view: View) -> ModelDeploymentStatus | None:
    """The status that fits what is there, or None where it fits already, or nothing serves yet.

    A status may be lost, or come from a backup of another time or place: then it names a stable that runs nowhere.
    """
    status = view.status
    if status.stable is None:
        return None if status.last_revision else _take_up(view)
    if _is_there(view, status.stable):
        return None
    return _take_up(view) or _forget(view)


def is_lost(view: View) -> bool:
    """Whether neither of the roles that the status names runs anywhere, nor is stored to be run."""
    status = view.status
    if status.stable is None or (status.drain is not None and status.candidate is None):
        return False
    roles = [role for role in (status.stable, status.candidate) if role is not None]
    return not any(_is_there(view, role) for role in roles)


def _is_there(view: View, role: ColorStatus) -> bool:
    """Whether a role's revision can be run, or has pods that serve; and no other one serves in its place."""
    if view.serving(role):
        return True
    color, other = view.color(role.color), view.color(role.color.other)
    if color.replicas and color.revision != role.revision:
        return False  # its color runs something else
    takes_all = view.observed.route is not None and view.observed.route.split(role.color) == 0
    if takes_all and other.answering and other.revision in view.observed.revisions:
        return False
    return role.revision in view.observed.revisions


def _take_up(view: View) -> ModelDeploymentStatus | None:
    """Stable is the color that answers users; of two, the one that NAME selects, then the one with more weight.

    Whatever runs in the other one has lost the status of its rollout: it loses its weight and drains.
    """
    route, selected = view.observed.route, view.observed.stable_service
    found = [color for color in Color if _can_be_stable(view, color)]
    if not found:
        return None

    def claim(color: Color) -> tuple[bool, bool, int]:
        weight = route.split(color) if route is not None else 0
        return view.color(color).answering > 0, selected is color, weight

    color = max(found, key=claim)
    stable, other = view.color(color), view.color(color.other)
    revision = view.observed.revisions[stable.revision or ""]
    drain = None
    if other.revision is not None and other.replicas:
        drain = Drain(color=color.other, revision=other.revision, since=view.now)
    return view.status.model_copy(
        update={
            "phase": Phase.FINISHING if drain is not None else Phase.STABLE,
            "stable": ColorStatus(color=color, revision=revision.name, version=revision.version),
            "drain": drain,
            "last_revision": highest_revision(view),
        }
    )


def _can_be_stable(view: View, color: Color) -> bool:
    """Whether a color runs a known revision, and users are led to it."""
    seen, route = view.color(color), view.observed.route
    led = view.observed.stable_service is color or (route is not None and route.split(color) > 0)
    return bool(seen.replicas) and seen.revision in view.observed.revisions and led


def _forget(view: View) -> ModelDeploymentStatus:
    """Begin with the spec, as a new model does; what was said of earlier revisions stays."""
    kept = {
        "failed": view.status.failed,
        "history": view.status.history,
        "last_command": view.status.last_command,
        "conditions": view.status.conditions,
        "observed_generation": view.status.observed_generation,
        "epoch": view.status.epoch,
    }
    return ModelDeploymentStatus().model_copy(update={**kept, "last_revision": highest_revision(view)})


def highest_revision(view: View) -> int:
    """The highest number that was ever given to a revision, as far as anything still knows of it.

    What a deleted predecessor of the same name left counts too: it must not pass for ours.
    """
    known = (revision.number for revision in view.observed.revisions.values())
    return max([view.status.last_revision, view.observed.highest, *known])
