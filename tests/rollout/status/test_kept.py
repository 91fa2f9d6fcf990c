"""What the command rollback would bring back is looked at now and then, and RollbackReady says what was found."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, decided, message, run_until
from tests.rollout.world import NAME, SETTINGS, World, spec_for

from viridian.api.status import CheckResult, KeptStatus, Phase
from viridian.rollout.context import RolloutContext
from viridian.rollout.kept import describe_kept, track_kept, wait_for_kept
from viridian.rollout.observed import CheckView
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


# ------------------------------------------------------------------ the rules one by one

AT_REST = promoted(checks=CHECKS)
OTHER = KeptStatus(revision="iris-9", result=CheckResult.PASSED, message="there", verified_at=AT_REST.now)


def known(**found: object) -> KeptStatus:
    """What is known of the revision that a rollback brings back."""
    return KeptStatus.model_validate({"revision": "iris-1", "result": CheckResult.PASSED, "message": "there", **found})


def seen(kept: KeptStatus | None, look_found: CheckView | None = None, **status: object) -> RolloutContext:
    world = AT_REST
    before = world.status.model_copy(update={"kept": kept, **status})
    return RolloutContext(NAME, world.spec, before, replace(world.observe(), kept=look_found), SETTINGS, world.now)


NOW = AT_REST.now
RUNNING = known(result=CheckResult.RUNNING, message="")
UNDER_WAY = known(started_at=NOW - timedelta(minutes=5))
CANNOT_RUN = CheckView(CheckResult.CANNOT_RUN, "no room")


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        pytest.param(seen(None), RUNNING.model_copy(update={"started_at": NOW}), id="never looked at"),
        pytest.param(seen(OTHER), RUNNING.model_copy(update={"started_at": NOW}), id="of another revision"),
        pytest.param(seen(OTHER, phase=Phase.BAKING), RUNNING, id="of another revision, during a rollout"),
        pytest.param(
            seen(OTHER, candidate=AT_REST.status.stable), RUNNING, id="of another revision, with a candidate at rest"
        ),
        pytest.param(
            seen(known(verified_at=NOW - DAY, next=NOW)),
            known(verified_at=NOW - DAY, started_at=NOW),
            id="due at this moment",
        ),
        pytest.param(
            seen(known(verified_at=NOW - DAY + timedelta(seconds=1), next=NOW)),
            known(verified_at=NOW - DAY + timedelta(seconds=1), next=NOW),
            id="not due yet",
        ),
        pytest.param(seen(UNDER_WAY), UNDER_WAY, id="its Job is not seen yet"),
        pytest.param(
            seen(UNDER_WAY, CANNOT_RUN),
            known(result=CheckResult.CANNOT_RUN, message="no room", verified_at=NOW, next=NOW + DAY),
            id="it cannot run for five minutes",
        ),
    ],
)
def test_what_is_noted_of_a_look(context: RolloutContext, expected: KeptStatus) -> None:
    assert track_kept(context).kept == expected


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (None, None),
        (RUNNING, None),
        (OTHER, None),
        (known(verified_at=NOW), (CheckResult.PASSED, f"there (verified at {NOW:%Y-%m-%d %H:%M} UTC)")),
    ],
)
def test_what_is_said_of_a_look(kept: KeptStatus | None, expected: tuple[CheckResult, str] | None) -> None:
    assert describe_kept(seen(kept)) == expected


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (None, None),
        (RUNNING, None),
        (UNDER_WAY, timedelta(0)),
        (known(next=NOW + DAY), DAY),
        (known(next=NOW - DAY), timedelta(0)),
    ],
)
def test_how_long_a_model_at_rest_is_left_alone(kept: KeptStatus | None, expected: timedelta | None) -> None:
    assert wait_for_kept(kept, NOW) == expected
