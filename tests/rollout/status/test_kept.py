"""What the command rollback would bring back is looked at now and then, and RollbackReady says what was found."""

from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, decided, message, run_until
from tests.rollout.world import World, spec_for

from viridian.api.status import CheckResult, Phase
from viridian.rollout.kept import wait_for_kept
from viridian.rollout.planning.actions import LookAtKept

CHECKS = {"kept": {"every": "24h"}}
DAY = timedelta(hours=24)


def promoted(**changes: object) -> World:
    """A world in which v2.0.0 has taken over from v1.0.0, and nobody has looked at that yet."""
    world = at_stable(**changes)
    world.edit(spec_for("v2.0.0", **changes))
    run_until(world, Phase.BAKING)
    run_until(world, Phase.STABLE)
    world.looks.clear()
    return world


def look(world: World, passes: int = 2) -> None:
    for _ in range(passes):
        world.reconcile()
        world.now += timedelta(seconds=1)


def looking() -> World:
    """A world in which a look is under way."""
    world = promoted(checks=CHECKS)
    world.status = world.status.model_copy(update={"kept": None})
    look(world)
    assert len(world.looks) == 1
    return world


def ended(result: CheckResult, words: str) -> World:
    world = looking()
    world.end_jobs(result, words)
    world.now += timedelta(minutes=6)
    look(world)
    return world


def test_without_the_setting_nobody_looks() -> None:
    world = promoted()
    look(world, 5)
    assert world.status.kept is None
    assert not world.looks
    assert "verified" not in message(world, "RollbackReady")


def test_a_look_begins_once_the_rollout_is_over_and_runs_once() -> None:
    world = looking()
    assert world.status.kept is not None
    assert (world.status.kept.revision, world.status.kept.started_at is not None) == ("iris-1", True)
    assert wait_for_kept(world.status.kept, world.now) == timedelta(0)
    look(world, 5)
    assert len(world.looks) == 1
    # a Job that somebody deleted is made again
    world.looks.clear()
    look(world)
    assert len(world.looks) == 1


def test_what_is_there_is_said_with_the_time_and_looked_at_again_a_day_later() -> None:
    # given a look that has found what a rollback needs
    world = ended(CheckResult.PASSED, "s3://models/iris/v1.0.0/ is there, with 3 files of 4,711 bytes")
    # then the condition says so, and the model is left alone for a day
    kept = world.status.kept
    assert kept is not None
    assert kept.verified_at is not None
    assert condition(world, "RollbackReady") == ("True", "Kept")
    told = message(world, "RollbackReady")
    assert f"with 3 files of 4,711 bytes (verified at {kept.verified_at:%Y-%m-%d %H:%M} UTC)" in told
    assert wait_for_kept(kept, kept.verified_at) == DAY
    look(world, 3)
    assert len(world.looks) == 1
    # and then looked at once more
    world.now = kept.verified_at + DAY
    assert wait_for_kept(kept, world.now) == timedelta(0)
    look(world)
    assert len(world.looks) == 2
    assert condition(world, "RollbackReady") == ("True", "Kept")  # what was known holds until the look has ended


@pytest.mark.parametrize(
    ("result", "reason", "words"),
    [
        (CheckResult.FAILED, "ArtifactMissing", "the command rollback brings back, cannot be run: gone (verified"),
        (CheckResult.CANNOT_RUN, "NotVerified", "brings back, may not be able to run: gone (verified"),
    ],
)
def test_what_is_gone_is_said(result: CheckResult, reason: str, words: str) -> None:
    world = ended(result, "gone")
    assert condition(world, "RollbackReady") == ("False", reason)
    assert words in message(world, "RollbackReady")
    assert message(world, "RollbackReady").startswith("iris-1 (v1.0.0), which")
    # that is no fault of what serves
    assert condition(world, "Ready") == ("True", "Stable")


def test_a_look_that_cannot_run_yet_is_given_some_minutes() -> None:
    world = looking()
    world.end_jobs(CheckResult.CANNOT_RUN, "no node has room for it")
    look(world)
    assert world.status.kept is not None
    assert world.status.kept.verified_at is None
    world.now += timedelta(minutes=5)
    look(world)
    assert world.status.kept.result is CheckResult.CANNOT_RUN


def test_rollouts_come_first() -> None:
    # given a look that is due while another version starts
    world = promoted(checks=CHECKS)
    world.edit(spec_for("v3.0.0", checks=CHECKS))
    for _ in range(4):
        world.kubelet()
        world.reconcile()
        world.traffic()
        assert not [action for action in world.decide().actions if isinstance(action, LookAtKept)]
    assert world.status.candidate is not None
    # when that is over, then what it has replaced is looked at
    run_until(world, Phase.BAKING)
    run_until(world, Phase.STABLE)
    look(world)
    assert world.status.kept is not None
    assert world.status.kept.revision == "iris-2"


def test_without_the_setting_what_was_known_is_forgotten() -> None:
    world = ended(CheckResult.FAILED, "gone")
    world.edit(spec_for("v2.0.0"))
    assert decided(world).status.kept is None
    look(world)
    assert condition(world, "RollbackReady") == ("True", "Kept")
