"""A status that was lost, or a model made anew over the children of its predecessor: what serves is stable."""

from viridian.api.status import ColorStatus, Drain, ModelDeploymentStatus, Phase

from .view import View


def recovered(view: View) -> ModelDeploymentStatus | None:
    """The status that fits what is there, or None where nothing serves yet.

    Stable is the color that the Service NAME selects. Whatever runs in the other one has lost the status of its
    rollout: it loses its weight and drains.
    """
    status, color = view.status, view.observed.stable_service
    if status.stable is not None or status.last_revision or color is None:
        return None
    stable, other = view.color(color), view.color(color.other)
    revision = view.observed.revisions.get(stable.revision or "")
    if revision is None or not stable.replicas:
        return None
    drain = None
    if other.revision is not None and other.replicas:
        drain = Drain(color=color.other, revision=other.revision, since=view.now)
    return status.model_copy(
        update={
            "phase": Phase.FINISHING if drain is not None else Phase.STABLE,
            "stable": ColorStatus(color=color, revision=revision.name, version=revision.version),
            "drain": drain,
            "last_revision": highest_revision(view),
        }
    )


def highest_revision(view: View) -> int:
    """The highest number that was ever given to a revision, as far as anything still knows of it.

    What a deleted predecessor of the same name left counts too: it must not pass for ours.
    """
    known = (revision.number for revision in view.observed.revisions.values())
    return max([view.status.last_revision, view.observed.highest, *known])
