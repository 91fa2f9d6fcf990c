"""After the bake the guards are off; going back is then a person's command, with warm-up."""

import pytest
from tests.rollout.scenes import at_stable, condition, message, pass_by, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict


def promoted() -> World:
    """A world in which v2 has taken over from v1."""
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-2"
    return world


def test_after_the_bake_guards_are_off_and_status_says_so():
    world = promoted()
    assert "guards are off until the next rollout" in message(world, "Reconciling")
    assert world.status.guards == []
    assert "the command rollback would bring back iris-1 (v1.0.0)" in message(world, "RollbackReady")


def test_rolling_back_warms_the_earlier_revision_up_and_then_moves_everything_at_once():
    world = promoted()
    weights = len(world.weights_seen)
    world.command = "rollback/iris-2/now"
    for _ in range(5):
        world.kubelet(healthy=frozenset({"iris-2"}))
        world.reconcile()
        world.traffic()
    assert world.deployments[Color.BLUE] == ("iris-1", 3)
    assert world.weights_seen[weights:] == []
    world.settle()
    assert world.weights_seen[weights:] == [100]
    assert world.status.stable is not None
    assert (world.status.stable.revision, world.status.stable.color) == ("iris-1", Color.BLUE)
    assert world.stable_service is Color.BLUE
    assert world.status.history[0].result == "Restored"
    assert world.status.last_revision == 2


def test_a_manual_rollback_holds_until_the_specs_generation_changes():
    world = promoted()
    world.command = "rollback/iris-2/now"
    world.settle()
    pass_by(world, 30)
    assert world.status.phase is Phase.ROLLED_BACK
    assert condition(world, "Stalled") == ("True", "RolledBackByCommand")
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"
    world.edit(spec_for("v2.0.0", revisionHistoryLimit=7))
    world.settle()
    assert world.status.stable.revision == "iris-3"
    assert world.status.stable.version == "v2.0.0"


def test_guards_do_not_stop_what_a_person_brings_back():
    world = promoted()
    world.command = "rollback/iris-2/now"
    pass_by(world, 2)
    world.verdicts["iris-1"] = Verdict.BREACH
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"


def test_a_dead_stable_does_not_keep_a_person_from_going_back():
    world = promoted()
    world.pods[Color.GREEN] = []
    world.command = "rollback/iris-2/now"
    for _ in range(60):
        world.kubelet(healthy=frozenset({"iris-1"}))
        world.reconcile()
        world.traffic()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"


def test_a_rollback_that_cannot_start_expires_and_stable_stays():
    world = promoted()
    world.command = "rollback/iris-2/now"
    for _ in range(400):
        world.kubelet(healthy=frozenset({"iris-2"}))
        world.reconcile()
        world.traffic()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-2"
    assert world.status.candidate is None
    assert world.deployments[Color.BLUE][1] == 0
    assert world.route is not None
    assert world.route.weight(Color.GREEN) == 100


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("rollback/iris-1/a", "iris-1 does not serve as stable: iris-2 does"),
        ("rollback/iris-9/a", "iris-9 does not serve as stable"),
    ],
)
def test_a_rollback_names_what_it_takes_back(command, words):
    world = promoted()
    world.command = command
    decision = world.decide()
    assert words in (decision.warning or "")
    assert decision.status.candidate is None


def test_a_rollback_without_anything_to_go_back_to_is_refused():
    world = at_stable()
    world.command = "rollback/iris-1/a"
    assert "no earlier stable revision is stored any more" in (world.decide().warning or "")


def test_a_rollback_in_the_middle_of_a_rollout_is_refused():
    world = promoted()
    world.edit(spec_for("v3.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.command = "rollback/iris-2/a"
    assert "abort/iris-3/ID takes it back" in (world.decide().warning or "")


def test_what_failed_is_nothing_to_go_back_to():
    world = promoted()
    world.command = "rollback/iris-2/now"
    world.settle()
    world.command = "rollback/iris-1/again"  # iris-2 was rolled back just now
    assert "no earlier stable revision is stored" in (world.decide().warning or "")


def test_what_is_lost_on_its_way_back_is_not_made_anew_from_another_spec():
    # given an earlier revision that warms up, whose stored revision and whose Deployment somebody deletes
    world = promoted()
    world.command = "rollback/iris-2/now"
    world.reconcile()
    world.reconcile()
    assert world.status.candidate.revision == "iris-1"
    world.lost.add("iris-1")
    world.deployments.pop(Color.BLUE, None)
    world.pods[Color.BLUE] = []
    # when the rollout goes on
    world.settle()
    # then stable stays what it was, and it is said why
    assert world.status.stable.revision == "iris-2"
    assert world.status.candidate is None
    assert world.status.history[0].result == "RevisionLost"
    assert world.status.history[0].message.startswith(
        "iris-1 (v1.0.0) cannot come back: its ControllerRevision is gone"
    )
    assert "iris-1" not in world.revisions.keys() - world.gone()


# ------------------------------------------------------------------ further back than one


def fourth() -> World:
    """A world in which v4 serves, v1 and v2 served before, and v3 failed."""
    world = promoted()
    world.edit(spec_for("v3.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-3"] = Verdict.BREACH
    world.settle()
    world.edit(spec_for("v4.0.0"))
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-4"
    return world


def test_any_kept_revision_can_be_brought_back_by_its_name():
    world = fourth()
    told = message(world, "RollbackReady")
    assert told.endswith("would bring back iris-2 (v2.0.0), and rollback/iris-4:REVISION/ID one of iris-1 (v1.0.0)")
    # when a person asks for the third last
    world.command = "rollback/iris-4:iris-1/now"
    run_until(world, Phase.FINISHING)
    run_until(world, Phase.ROLLED_BACK)
    # then it serves all requests, and stays until the spec changes
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"
    assert world.status.history[0].result == "Restored"
    # and what was rolled back can be brought back in turn, by its name alone
    world.command = "rollback/iris-1:iris-4/again"
    run_until(world, Phase.FINISHING)
    run_until(world, Phase.STABLE)
    assert world.status.stable.revision == "iris-4"
    world.edit(spec_for("v5.0.0"))
    world.settle()
    assert world.status.stable.version == "v5.0.0"


@pytest.mark.parametrize("revision", ["iris-3", "iris-4", "iris-9"])
def test_what_failed_serves_or_is_not_stored_is_not_brought_back(revision):
    world = fourth()
    world.command = f"rollback/iris-4:{revision}/now"
    warning = world.decide().warning
    assert warning is not None
    assert warning.startswith(f"iris-4 cannot be rolled back to {revision}: it is not stored, never served, or was")
    assert warning.endswith("revisions that can be brought back: iris-2 (v2.0.0), iris-1 (v1.0.0)")
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-4"


def test_a_command_that_was_meant_for_another_stable_brings_nothing_back():
    world = fourth()
    world.command = "rollback/iris-2:iris-1/old"
    assert world.decide().warning == "nothing to roll back: iris-2 does not serve as stable: iris-4 does"
