"""What a rollback waits for or leaves alone: the bake, a stable without pods, revisions restored by command."""

import pytest
from tests.rollout.rollback.causes import (
    BLUE,
    GREEN,
    ROLLBACK,
    abort,
    ask_for_another,
    ask_for_stable,
    breach,
    crash,
    ending,
    lose_metrics,
    mark,
    pass_the_deadline,
)
from tests.rollout.scenes import at_stable, at_step, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.status import Phase, Return
from viridian.rollout.observed import RouteFacts

# ------------------------------------------------------------------ specs that change


@pytest.mark.parametrize("phase", [Phase.BAKING, Phase.FINISHING])
def test_another_version_waits_until_the_bake_and_the_promotion_are_over(phase):
    world = rolling(phase)
    ask_for_another(world)
    assert ending(world) is None


def test_a_held_bake_makes_the_next_version_wait_too():
    world = rolling(Phase.BAKING)
    world.command = "pause/iris-2/a"
    pass_by(world, 2)
    assert world.status.phase is Phase.HELD
    ask_for_another(world)
    assert ending(world) is None


def test_a_candidate_that_was_named_and_not_stored_yet_becomes_what_the_spec_asks_for_by_now():
    # given a revision that has got a name, and no more
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.reconcile(writes=1)
    assert world.status.candidate is not None
    assert world.revisions.keys() == {"iris-1"}

    # when the spec changes
    world.edit(spec_for("v3.0.0"))

    # then it is stored with that, and nothing is rolled back
    assert ending(world) is None
    world.settle()
    assert (world.status.stable.revision, world.status.stable.version) == ("iris-2", "v3.0.0")


def test_a_candidate_that_was_named_only_is_not_stored_with_what_has_failed_before():
    # given a failed version, and the next one that has got a name, and no more
    world = at_step()
    breach(world)
    run_until(world, Phase.ROLLED_BACK)
    world.edit(spec_for("v3.0.0"))
    world.reconcile(writes=1)
    assert world.status.candidate.revision == "iris-3"

    # when the failed one is asked for again
    world.edit(spec_for("v2.0.0"))

    # then the name is given up
    assert ending(world).reason == "Replaced"
    run_until(world, Phase.ROLLED_BACK)
    assert world.revisions.keys() == {"iris-1", "iris-2"}


def test_a_stable_that_is_stored_no_more_is_not_what_the_spec_asks_for():
    world = at_step()
    ask_for_stable(world)
    world.lost = {"iris-1"}
    world.deployments.pop(BLUE)
    assert ending(world).reason == "Replaced"


# ------------------------------------------------------------------ where nobody can go back


def test_a_first_revision_that_serves_is_not_taken_back_and_one_that_does_not_yet_is():
    world = World()
    world.kubelet()
    world.reconcile()
    world.command = "abort/iris-1/a"
    assert ending(world) is not None
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert ending(world) is None


@pytest.mark.parametrize("cause", [breach, crash, abort, ask_for_stable, ask_for_another, pass_the_deadline])
def test_while_stable_has_no_ready_pod_the_candidate_stays_unless_the_route_was_marked_already(cause):
    world = at_step()
    world.pods[BLUE] = []
    cause(world)
    assert ending(world) is None
    mark(world)
    assert ending(world).reason == "GuardBreached"


def test_a_candidate_that_does_not_serve_either_is_taken_back_all_the_same():
    world = at_step()
    world.pods[BLUE], world.pods[GREEN] = [], []
    breach(world)
    assert ending(world) is not None


def test_a_candidate_without_users_is_taken_back_even_if_stable_is_gone():
    world = rolling(Phase.PROGRESSING)
    world.kubelet()
    world.pods[BLUE] = []
    breach(world)
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert ending(world) is not None


@pytest.mark.parametrize(
    ("cause", "counts"),
    [(breach, False), (crash, True), (abort, True), (pass_the_deadline, True), (lose_metrics, False)],
)
def test_what_a_person_brings_back_was_judged_before(cause, counts):
    # given an earlier revision that comes back by command
    world = rolling(Phase.STARTING, **ROLLBACK)
    world.kubelet(healthy=frozenset({"iris-1"}))
    world.status = world.status.model_copy(
        update={"returning": Return(instead_of="iris-1", generation=world.generation)}
    )

    # when something is wrong with it
    cause(world)

    # then it is the person's choice as long as it runs at all
    assert (ending(world) is not None) is counts
