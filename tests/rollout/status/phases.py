"""Worlds in each phase, and what their conditions say."""

from tests.rollout.scenes import pass_by, rolling, run_until
from tests.rollout.world import World

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict

BLUE, GREEN = Color.BLUE, Color.GREEN
AGAIN = "v2.0.0 starts again only by the command retry; a different version in the spec starts at once."
WHY_BACK = "40 of 100 requests on the candidate failed."
GOING_BACK = f"v2.0.0 is being rolled back: {WHY_BACK}"
SERVES = ("True", "Serving", "3 ready pods of v1.0.0")


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


def first_bakes() -> World:
    world = World()
    run_until(world, Phase.BAKING)
    return world


def taken_back(settled: bool) -> World:
    world = at_step()
    world.verdicts["iris-2"] = Verdict.BREACH
    world.reconcile()
    if settled:
        run_until(world, Phase.ROLLED_BACK)
    return world
