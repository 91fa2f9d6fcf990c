"""The writes that a decision asks for, by kind."""

from tests.rollout.scenes import pass_by, rolling
from tests.rollout.world import World

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.rollout.planning.actions import FollowTraffic, MoveWeights, RemoveRoute

BLUE, GREEN = Color.BLUE, Color.GREEN
PINS = [{"matches": [{"headers": [{"name": "x-user-group", "value": "beta"}]}]}]
PINNED = {"traffic": {"parentRefs": [{"name": "public"}], "pins": PINS}}


def weights(blue: int, green: int) -> tuple[tuple[Color, int], ...]:
    return ((BLUE, blue), (GREEN, green))


def of_route(world: World) -> list[MoveWeights | FollowTraffic | RemoveRoute]:
    kinds = MoveWeights | FollowTraffic | RemoveRoute
    return [action for action in world.decide().actions if isinstance(action, kinds)]


def of_kind(world: World, kind: type) -> list[object]:
    return [action for action in world.decide().actions if isinstance(action, kind)]


def at_step(**changes: object) -> World:
    """A world in which the candidate has 10 %."""
    world = rolling(Phase.PROGRESSING, **changes)
    pass_by(world)
    assert world.route is not None
    assert world.route.split(GREEN) == 10
    return world
