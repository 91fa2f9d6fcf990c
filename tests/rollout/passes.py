"""One pass of an operator, write by write."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from viridian.api.status import ModelDeploymentStatus
from viridian.rollout.decide import Decision
from viridian.rollout.planning.actions import (
    Action,
    ApplyAutoscaler,
    ApplyBudget,
    ApplyColor,
    ApplyColorService,
    ApplyLiveSettings,
    EndCheck,
    FollowTraffic,
    LookAtKept,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RemoveAutoscaler,
    RemoveRoute,
    RestoreRevision,
    RunCheck,
    StoreRevision,
)

if TYPE_CHECKING:
    from tests.rollout.world import World


class Conflict(Exception):
    """A write was made over something else than what was read, and did not land."""


def target_of(write: Action | ModelDeploymentStatus) -> object:
    """The object that a write goes to, and whose version it must still have been read at."""
    match write:
        case ModelDeploymentStatus():
            return "model"
        case MoveWeights() | FollowTraffic() | RemoveRoute():
            return "route"
        case PointStableService():
            return "name"
        case StoreRevision(name) | RestoreRevision(name) | PruneRevision(name):
            return "revision", name
        case RunCheck(name) | EndCheck(name) | LookAtKept(name):
            return "job", name
        case _:
            return _child_of(write)


def _child_of(
    write: ApplyColor | ApplyColorService | ApplyBudget | ApplyAutoscaler | RemoveAutoscaler | ApplyLiveSettings,
) -> object:
    match write:
        case ApplyColor(color):
            return "deployment", color
        case ApplyColorService(color):
            return "service", color
        case ApplyBudget(color):
            return "budget", color
        case ApplyLiveSettings():
            return "settings"
        case ApplyAutoscaler(color) | RemoveAutoscaler(color):
            return "autoscaler", color


class Pass:
    """One pass of one operator between looking and writing; others may write in between.

    Attributes:
        left: the writes to come.
        done: how many have landed.
    """

    def __init__(self, world: "World", decision: Decision) -> None:
        self._world = world
        self._seen = world.versions.copy()
        self.left = list(_in_order(decision, world.status))
        self.done = 0

    def step(self) -> bool:
        """Make the next write; returns whether it landed. One that does not ends the pass."""
        write = self.left.pop(0)
        target = target_of(write)
        try:
            self._world.write(write, self._seen[target])
        except Conflict:
            self.left.clear()
            return False
        self._seen[target] = self._world.versions[target]
        self.done += 1
        return True


def _in_order(decision: Decision, before: ModelDeploymentStatus) -> Iterator[Action | ModelDeploymentStatus]:
    first = [a for a in decision.actions if decision.route_first and isinstance(a, MoveWeights)]
    yield from first
    if decision.status != before:
        yield decision.status
    yield from (action for action in decision.actions if action not in first)
