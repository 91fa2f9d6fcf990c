"""A status changed in mid-rollout, and what is decided next."""

from tests.rollout.scenes import at_stable
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import (
    ModelDeploymentStatus,
)

BLUE, GREEN = Color.BLUE, Color.GREEN


def promoted() -> World:
    """A world in which v2 has taken over from v1."""
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    return world


def next_status(world: World) -> ModelDeploymentStatus:
    return world.decide().status


def set_status(world: World, **fields: object) -> None:
    world.status = world.status.model_copy(update=fields)
