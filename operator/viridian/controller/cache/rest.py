"""Is a model at rest, so that an event about it needs no look at the API?"""

from collections.abc import Mapping

from viridian.api.names import Color
from viridian.api.status import ColorStatus, ModelDeploymentStatus, Phase

from .deployments import SlimDeployment
from .models import Model

RESTING = frozenset({Phase.STABLE, Phase.ROLLED_BACK, Phase.EXPIRED})
"""Phases in which nothing happens without an event."""


def is_at_rest(model: Model, deployments: Mapping[Color, SlimDeployment]) -> bool:
    """Whether status and Deployments say that nothing is to be done.

    It does not know of the other children: whoever finds one of those out of line marks the model as dirty.

    Args:
        model: the model as it was last seen.
        deployments: its Deployments as they were last seen.

    Raises:
        InvalidSpec: its status cannot be read. (Whether its spec can be is not asked here, where it would cost most.)
    """
    status = model.status
    stable = status.stable
    if stable is None or status.phase not in RESTING or status.candidate is not None or status.drain is not None:
        return False
    if status.observed_generation != model.generation or not _has_obeyed(model):
        return False
    return not _is_hindered(status) and _runs(model, stable, deployments) and _is_empty(model, stable, deployments)


def _has_obeyed(model: Model) -> bool:
    """Whether there is no command that was not dealt with; the status keeps the beginning of a long one."""
    return model.command[:512] in {"", model.status.last_command}


def _is_hindered(status: ModelDeploymentStatus) -> bool:
    """Whether something stands in the way that may go away without an event."""
    conditions = {condition.type: condition for condition in status.conditions}
    stalled, available = conditions.get("Stalled"), conditions.get("Available")
    if stalled is None or (available is not None and available.reason == "NotRouted"):
        return True
    # After a rollback a model is stalled until its spec changes, and one in another's way until that is gone: events.
    blocked = {each.reason for each in (*status.failed, *status.expired)} if status.phase is not Phase.STABLE else set()
    return stalled.status == "True" and stalled.reason not in {*blocked, "RouteTaken"}


def _runs(model: Model, stable: ColorStatus, deployments: Mapping[Color, SlimDeployment]) -> bool:
    slim = deployments.get(stable.color)
    return (
        slim is not None
        and slim.owner == model.owner.uid
        and not slim.going
        and slim.revision == stable.revision
        and slim.replicas == stable.replicas
        # Why pods are missing shows on them and in time, without an event of their Deployment.
        and slim.ready == stable.ready == slim.replicas
    )


def _is_empty(model: Model, stable: ColorStatus, deployments: Mapping[Color, SlimDeployment]) -> bool:
    slim = deployments.get(stable.color.other)
    return slim is None or (slim.owner == model.owner.uid and not slim.going and slim.replicas == slim.pods == 0)
