"""When a rollback is over, and what is remembered of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.rollout.rollback.causes import BLUE, CAUSES, GREEN, ROLLBACK, abort, ask_for_stable, breach, lose_metrics
from tests.rollout.scenes import at_stable, at_step, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.status import BlockedRevision, Drain, Ending, Phase
from viridian.rollout.observed import Pod
from viridian.rollout.rollback import HISTORY, add_blocked

# ------------------------------------------------------------------ the end


def test_taken_back_is_over_when_the_color_has_neither_weight_nor_pods():
    # given a candidate that is being rolled back
    world = at_step()
    breach(world)
    world.reconcile()
    over = replace(world.route, rules=({BLUE: 100, GREEN: 0},))

    # then it is not over
    for route, deployed, pods in [
        (replace(world.route, rules=({BLUE: 99, GREEN: 1},)), 0, []),
        (over, 1, []),
        (over, 0, world.pods[GREEN]),
    ]:
        world.route, world.deployments[GREEN], world.pods[GREEN] = route, ("iris-2", deployed), pods
        assert world.decide().status.phase is Phase.ROLLING_BACK

    # before all three are so
    world.route, world.deployments[GREEN], world.pods[GREEN] = over, ("iris-2", 0), []
    assert world.decide().status.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize(
    ("cause", "phase", "result"),
    [
        (breach, Phase.ROLLED_BACK, "RolledBack"),
        (abort, Phase.ROLLED_BACK, "RolledBack"),
        (lose_metrics, Phase.EXPIRED, "Expired"),
        (ask_for_stable, Phase.STABLE, "Reverted"),
    ],
)
def test_history_tells_how_it_ended_and_status_is_at_rest(cause, phase, result):
    # given
    world = at_step(**ROLLBACK)
    world.edit(world.spec.model_copy(update={"model": world.spec.model.model_copy(update={"changes": "retrained"})}))
    started = world.status.started_at
    cause(world)
    # when
    run_until(world, phase)
    # then
    status, last = world.status, world.status.history[0]
    message = next(sentence for name, _, _, sentence in CAUSES if name is cause)
    assert (last.revision, last.version, last.result, last.message) == ("iris-2", "v2.0.0", result, message)
    assert (last.started_at, last.changes) == (started, "" if cause is ask_for_stable else "retrained")
    assert last.ended_at > started
    assert (status.candidate, status.ending, status.drain, status.step, status.hold) == (None,) * 5
    assert (status.started_at, status.waited, status.floor, status.approved, status.returning) == (None,) * 5
    assert (status.paused, status.guards, status.guard_state) == ("", [], "")


def test_the_words_about_the_next_version_are_not_told_of_the_one_that_made_room_for_it():
    world = at_step()
    world.edit(spec_for("v3.0.0", model={"version": "v3.0.0", "uri": "image:///m", "changes": "new data"}))
    world.reconcile()
    run_until(world, Phase.STABLE)
    assert [(entry.result, entry.changes) for entry in world.status.history[:1]] == [("Replaced", "")]


@pytest.mark.parametrize(("serves", "phase"), [(True, Phase.STABLE), (False, Phase.PENDING)])
@pytest.mark.parametrize("ends_as", [Phase.STABLE, Phase.ROLLED_BACK])
def test_what_is_over_without_blame_leaves_stable_or_the_wait_for_a_first_one(serves, phase, ends_as):
    # given a candidate without weight and pods
    world = rolling(Phase.STARTING)
    world.deployments.pop(GREEN)
    world.pods[GREEN] = []
    over = Ending(phase=ends_as, reason="r", message="m")
    stable = world.status.stable if serves else None
    world.status = world.status.model_copy(update={"phase": Phase.ROLLING_BACK, "ending": over, "stable": stable})
    # then
    assert world.decide().status.phase is (phase if ends_as is Phase.STABLE else ends_as)


def test_a_first_revision_that_is_not_wanted_any_more_leaves_the_model_waiting_for_the_next():
    world = World()
    world.reconcile()
    world.edit(spec_for("v2.0.0"))
    world.reconcile()
    run_until(world, Phase.PENDING)
    assert world.status.candidate is None
    world.settle()
    assert world.status.stable.version == "v2.0.0"


def test_an_ending_without_a_candidate_is_over():
    world = at_stable()
    over = Ending(phase=Phase.ROLLED_BACK, reason="r", message="m")
    drain = Drain(color=GREEN, revision="iris-2", since=world.now)
    world.status = world.status.model_copy(update={"phase": Phase.ROLLING_BACK, "ending": over, "drain": drain})
    status = world.decide().status
    assert (status.phase, status.ending, status.drain) == (Phase.STABLE, None, None)


def test_pins_are_kept_newest_first_once_each_and_twenty_of_them():
    def blocked(number: int, at: datetime) -> BlockedRevision:
        return BlockedRevision(revision=f"iris-{number}", version="v", reason="r", message="m", at=at)

    now = World().now
    pins: list[BlockedRevision] = []
    for number in range(1, 23):
        pins = add_blocked(pins, blocked(number, now))
    assert HISTORY == 20
    assert [entry.revision for entry in pins] == [f"iris-{number}" for number in range(22, 2, -1)]
    again = add_blocked(pins, blocked(5, now + timedelta(seconds=1)))
    assert [entry.revision for entry in again] == ["iris-5", *(e.revision for e in pins if e.revision != "iris-5")]


def test_history_is_kept_newest_first_and_twenty_entries_of_it():
    world = at_step()
    first = world.status.history[0]
    world.status = world.status.model_copy(update={"history": [first.model_copy()] * 20})
    breach(world)
    run_until(world, Phase.ROLLED_BACK)
    assert len(world.status.history) == 20
    assert [entry.revision for entry in world.status.history[:2]] == ["iris-2", "iris-1"]


def test_a_pod_that_a_rollback_left_behind_is_named_until_it_is_gone():
    # given a rollback that ended although one pod does not go
    world = at_step()
    breach(world)
    run_until(world, Phase.ROLLED_BACK)
    left = Pod("uid-stuck", "iris-2", False, True, stuck="pod iris-green-x on node n-1 should have been gone")
    # when it is looked at
    world.pods[GREEN] = [left]
    world.reconcile()
    # then it is named, with the reason of the rollback
    stalled = next(c for c in world.status.conditions if c.type == "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "PodStuckTerminating")
    assert stalled.message.endswith("But pod iris-green-x on node n-1 should have been gone")
    assert "v2.0.0 was rolled back" in stalled.message
    # and once it is gone, only the rollback is
    world.pods[GREEN] = []
    world.reconcile()
    assert next(c for c in world.status.conditions if c.type == "Stalled").reason == "GuardBreached"
