"""Somebody's hand in what the operator made, or in its way: put back, taken up, or told."""

from dataclasses import replace

import pytest
from tests.rollout.scenes import at_stable, condition, of_color, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.rollout.observed import RouteFacts
from viridian.rollout.planning.actions import ApplyColor, MoveWeights

BLUE, GREEN = Color.BLUE, Color.GREEN
TAKEN = "spec.traffic: path /iris belongs to ModelDeployment older in namespace ml"


def test_an_edited_deployment_of_stable_is_written_again_as_it_was():
    world = at_stable()
    world.drifted = {BLUE}
    assert of_color(world) == [ApplyColor(BLUE, "iris-1", 3)]
    world.reconcile()
    assert of_color(world) == []


def test_an_edited_deployment_of_the_candidate_is_written_again_and_keeps_its_pods():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    pods = world.deployments[GREEN][1]
    world.drifted = {GREEN}
    assert of_color(world) == [ApplyColor(GREEN, "iris-2", pods)]


def test_a_stable_whose_deployment_was_deleted_does_not_wait_for_its_own_pods_to_end():
    # given the pods of stable still ending
    world = at_stable()
    del world.deployments[BLUE]
    world.pods[BLUE] = [replace(pod, deleting=True) for pod in world.pods[BLUE]]

    # then it is made again at once, since they are of the same revision
    assert of_color(world) == [ApplyColor(BLUE, "iris-1", 3)]


def test_a_color_is_not_used_while_a_pod_of_another_revision_remains():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.pods[GREEN] = [replace(world.pods[BLUE][0], uid="left", revision="iris-0", deleting=True)]
    for _ in range(5):
        world.reconcile()
    assert GREEN not in world.deployments
    world.pods[GREEN] = []
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_pods_that_somebody_starts_in_the_idle_color_go_again():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    world.deployments[BLUE] = ("iris-1", 2)
    assert of_color(world) == [ApplyColor(BLUE, "iris-1", 0)]


def test_the_idle_color_is_left_alone_as_long_as_the_route_leads_there():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    world.deployments[BLUE] = ("iris-1", 2)
    world.route = RouteFacts(rules=({BLUE: 20, GREEN: 80},))
    assert of_color(world) == []
    world.settle()
    assert world.deployments[BLUE] == ("iris-1", 0)


@pytest.mark.parametrize("rules", [(), ({},), ({BLUE: 100},)], ids=["no rule", "no backend", "one backend"])
def test_a_route_without_its_backends_is_given_them_again(rules):
    world = at_stable()
    world.route = RouteFacts(rules=rules, follows_spec=False)
    moves = [action for action in world.decide().actions if isinstance(action, MoveWeights)]
    assert [dict(move.weights) for move in moves] == [{BLUE: 100, GREEN: 0}]


def test_a_route_whose_backends_may_not_move_now_is_not_followed_by_halves():
    # given a candidate without a ready pod, whose route somebody left with one backend
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.pods[GREEN] = [replace(pod, ready=False) for pod in world.pods[GREEN]]
    world.route = RouteFacts(rules=({BLUE: 90},), follows_spec=False)

    # then nothing is written to it by halves, and once the pods are back it is whole again
    world.reconcile()
    world.settle()
    assert world.route is not None
    assert world.route.gives({BLUE: 0, GREEN: 100}, {BLUE: 0, GREEN: 100})


def test_a_taken_path_stalls_the_later_model_until_it_is_free():
    world = World(taken=TAKEN)
    for _ in range(5):
        world.kubelet()
        world.reconcile()
        world.traffic()
    assert world.route is None
    assert condition(world, "Stalled") == ("True", "RouteTaken")
    assert world.status.conditions[0].message == TAKEN
    world.taken = None
    world.settle()
    assert world.status.phase is Phase.STABLE


def test_a_model_that_serves_keeps_its_route_when_an_older_one_comes_to_its_path():
    world = at_stable()
    world.taken = TAKEN
    world.reconcile()
    assert world.route is not None
    assert world.route.weight(BLUE) == 100
    assert condition(world, "Stalled") == ("True", "RouteTaken")
    assert condition(world, "Available") == ("True", "Serving")


def test_an_edit_to_a_taken_path_is_not_followed():
    world = at_stable()
    world.taken = TAKEN
    assert world.route is not None
    world.route = replace(world.route, follows_spec=False)
    assert world.decide().actions == ()


def test_a_lost_status_is_found_again_from_what_serves():
    # given a model in the second revision's life, whose status somebody wiped away
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    world.status = ModelDeploymentStatus()

    # when it is looked at again
    seen = len(world.weights_seen)
    world.settle()

    # then what served is stable, nothing moved, and no number is used again
    assert world.status.phase is Phase.STABLE
    assert world.status.stable is not None
    assert (world.status.stable.revision, world.status.stable.color) == ("iris-2", GREEN)
    assert world.status.last_revision == 2
    assert world.weights_seen[seen:] == []


def test_a_status_lost_in_mid_rollout_goes_back_to_stable_and_drains_the_rest():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.status = ModelDeploymentStatus()
    world.reconcile()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"
    assert world.status.drain is not None
    assert world.status.drain.revision == "iris-2"

    # and then the spec is tried again, as its own revision
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-3"
    assert world.status.stable.version == "v2.0.0"


def test_an_empty_color_that_an_edited_route_leads_to_gets_no_pods_before_the_route_is_put_right():
    # given a model at its second version, whose route somebody has edited to give the empty color a share
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    assert world.status.stable is not None
    empty = world.status.stable.color.other
    world.route = RouteFacts(rules=({empty: 40, empty.other: 60},))

    # when a third version begins at once
    world.edit(spec_for("v3.0.0"))
    world.reconcile()

    # then the route is the first to change; World would not let the color be changed under it
    assert world.route.weight(empty) == 0
    world.settle()
    assert world.status.stable.version == "v3.0.0"
