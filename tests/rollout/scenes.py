"""What tests of rollouts begin with."""

from tests.rollout.world import World, spec_for

from viridian.api.status import Phase
from viridian.rollout.planning.actions import ApplyColor

AT_REST = {Phase.STABLE, Phase.ROLLED_BACK, Phase.EXPIRED}


def at_stable(version: str = "v1.0.0", **changes: object) -> World:
    """A world in which this version serves, and nothing moves."""
    world = World(spec_for(version, **changes))
    world.settle()
    assert world.status.phase is Phase.STABLE
    return world


def run_until(world: World, phase: Phase, rounds: int = 200) -> None:
    """Let everything go well until a phase is reached."""
    for _ in range(rounds):
        if world.status.phase is phase:
            return
        world.kubelet()
        world.reconcile()
        world.traffic()
    raise AssertionError(f"{phase} was not reached, but {world.status.phase}")


def rolling(phase: Phase, version: str = "v2.0.0", **changes: object) -> World:
    """A world in which another version has reached this phase."""
    world = at_stable(**changes)
    world.edit(spec_for(version, **changes))
    run_until(world, phase)
    return world


def condition(world: World, kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    found = next(c for c in world.status.conditions if c.type == kind)
    return found.status, found.reason


def message(world: World, kind: str) -> str:
    """The sentence of a condition."""
    return next(c.message for c in world.status.conditions if c.type == kind)


def pass_by(world: World, passes: int = 1, rate: int = 50) -> None:
    """So many passes of an operator in a world that behaves, two seconds each."""
    for _ in range(passes):
        world.kubelet()
        world.reconcile()
        world.traffic(rate=rate)


def of_color(world: World) -> list[ApplyColor]:
    """The writes to Deployments that one decision asks for."""
    return [action for action in world.decide().actions if isinstance(action, ApplyColor)]


def at_step(**changes: object) -> World:
    """A world in which the candidate has 10 %, and requests have shown it."""
    world = rolling(Phase.PROGRESSING, **changes)
    pass_by(world, 2)
    assert world.status.step is not None
    assert world.status.step.verified_at is not None
    return world


def decided(world: World) -> World:
    """The world with the status that the next decision writes."""
    world.status = world.decide().status
    return world
