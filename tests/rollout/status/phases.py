"""Worlds in each phase, and what their conditions say."""

from tests.rollout.scenes import pass_by, rolling
from tests.rollout.world import World

from viridian.api.names import Color
from viridian.api.status import Phase

BLUE, GREEN = Color.BLUE, Color.GREEN


def said(world: World) -> dict[str, tuple[str, str, str]]:
    """Status, reason and sentence of each condition that the next decision makes."""
    return {c.type: (c.status, c.reason, c.message) for c in world.decide().status.conditions}


def at_step(**changes: object) -> World:
    """A world in which the candidate has 10 %, and requests have shown it."""
    world = rolling(Phase.PROGRESSING, **changes)
    pass_by(world, 3)
    return world


def first_starts() -> World:
    world = World()
    world.reconcile()
    return world
