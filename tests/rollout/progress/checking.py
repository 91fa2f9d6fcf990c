"""A candidate that is checked, for tests of what comes of it."""

from tests.rollout.scenes import at_stable
from tests.rollout.world import World, spec_for

from viridian.api.status import Phase

BOTH = frozenset({"iris-1", "iris-2"})
CHECKS = {"golden": {}, "jobs": [{"name": "contract"}]}


def checking(**changes: object) -> World:
    """A candidate whose pods are ready and whose first check runs."""
    asked: dict[str, object] = {"checks": CHECKS, **changes}
    world = at_stable(**asked)
    world.jobs.clear()
    world.weights_seen.clear()
    world.edit(spec_for("v2.0.0", **asked))
    await_check(world)
    return world


def await_check(world: World) -> None:
    """Passes until the first check of a candidate has begun."""
    for _ in range(20):
        later(world, 1)
        if world.jobs:
            return
    raise AssertionError("no check has begun")


def later(world: World, passes: int = 3, ready: frozenset[str] = BOTH) -> None:
    """Passes in which pods stay as they are, and so do Jobs; pods of these revisions are ready."""
    for _ in range(passes):
        world.kubelet(ready)
        world.reconcile()
        world.traffic()


def wait_for(world: World, phase: Phase) -> None:
    """Passes in which nothing else happens until a phase is reached."""
    for _ in range(60):
        if world.status.phase is phase:
            return
        later(world, 1)
    raise AssertionError(f"{phase} was not reached, but {world.status.phase}")


def names(world: World) -> list[tuple[str, str]]:
    return [(check.name, check.result) for check in world.status.checks]
