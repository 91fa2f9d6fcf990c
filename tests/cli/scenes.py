"""Worlds in which a command is given."""

from typing import Any

from tests.cli.test_verdict import ask_for, at_stable, promoted
from tests.cli.worlds import RecordedWorld, printed
from tests.rollout.world import spec_for

from viridian.api.status import Phase
from viridian.cli.model import Model
from viridian.cli.orders import subject
from viridian.guards.judge import Verdict as GuardVerdict


def rolling() -> RecordedWorld:
    world = at_stable()
    ask_for(world)
    world.until(Phase.PROGRESSING)
    return world


def waiting() -> RecordedWorld:
    world = at_stable()
    ask_for(world, rollout={**_rollout(world), "approval": "BeforeTraffic"})
    world.until(Phase.HELD)
    return world


def paused() -> RecordedWorld:
    world = rolling()
    obey(world, f"pause/{subject('pause', printed(world))}/0")
    world.until(Phase.HELD)
    return world


def blocked() -> RecordedWorld:
    world = rolling()
    obey(world, f"abort/{subject('abort', printed(world))}/0")
    world.until(Phase.ROLLED_BACK)
    return world


def promoted_twice() -> RecordedWorld:
    world = at_stable()
    promoted(world)
    return world


def watched() -> RecordedWorld:
    world = at_stable()
    bake = {"duration": "20s", "holdback": 5, "watch": {"duration": "1h"}}
    ask_for(world, rollout={**_rollout(world), "bake": bake})
    world.until(Phase.WATCHING)
    return world


def _rollout(world: RecordedWorld) -> dict[str, Any]:
    found: dict[str, Any] = world.spec.rollout.manifest()
    return found


def obey(world: RecordedWorld, command: str) -> Model:
    """The first status that knows a command, as the operator writes it."""
    world.command = command
    world.models.clear()
    for _ in range(5):
        world.pass_by(1)
        for model in world.models:
            if model.status.get("lastCommand") == command:
                return model
    raise AssertionError(f"{command} was not answered")


def taking_over() -> RecordedWorld:
    world = rolling()
    world.until(Phase.FINISHING)
    while world.status.candidate is not None:
        world.pass_by(1)
    return world


def breached() -> RecordedWorld:
    world = rolling()
    world.verdicts["iris-2"] = GuardVerdict.BREACH
    world.until(Phase.ROLLING_BACK)
    return world


def first() -> RecordedWorld:
    world = RecordedWorld(spec_for("v1.0.0"))
    world.until(Phase.BAKING)
    return world
