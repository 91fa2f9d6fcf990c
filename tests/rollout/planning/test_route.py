"""When the weights move, and when the Service NAME follows."""

from dataclasses import replace

import pytest
from tests.rollout.planning.writes import BLUE, GREEN, PINNED, at_step, of_kind, of_route, weights
from tests.rollout.scenes import at_stable, pass_by, rolling
from tests.rollout.world import World

from viridian.api.status import Ending, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts
from viridian.rollout.planning.actions import FollowTraffic, MoveWeights, PointStableService, RemoveRoute

# ------------------------------------------------------------------ weights


def test_weights_and_pins_of_a_rise_and_of_a_rollback():
    # given a step that is not in the route yet
    world = at_step(**PINNED)
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0}, {BLUE: 100, GREEN: 0}))
    assert of_route(world) == [MoveWeights(weights(90, 10), weights(0, 100))]
    # when a guard rolls it back
    pass_by(world)
    world.verdicts["iris-2"] = Verdict.BREACH
    # then all rules go back, with the mark of what failed
    assert of_route(world) == [MoveWeights(weights(100, 0), weights(100, 0), aborted="iris-2")]


@pytest.mark.parametrize("phase", [Phase.STABLE, Phase.EXPIRED])
def test_only_what_failed_is_marked_in_the_route(phase):
    world = at_step()
    ending = Ending(phase=phase, reason="r", message="m")
    world.status = world.status.model_copy(update={"phase": Phase.ROLLING_BACK, "ending": ending})
    assert of_route(world) == [MoveWeights(weights(100, 0), weights(100, 0))]


@pytest.mark.parametrize(
    ("candidates", "stables", "moves"),
    [(2, 3, True), (2, 1, True), (1, 3, False), (2, 0, False), (0, 0, False)],
)
def test_a_rise_wants_pods_for_its_weight_and_a_stable_that_could_take_it_back(candidates, stables, moves):
    # given a candidate that is to get 50 %, for which it takes two of three pods
    world = at_step()
    step = world.status.step.model_copy(update={"index": 2, "weight": 50, "verified_at": None})
    world.status = world.status.model_copy(update={"step": step})
    world.pods[GREEN] = [replace(world.pods[GREEN][0], uid=f"g{number}") for number in range(candidates)]
    world.pods[BLUE] = world.pods[BLUE][:stables]

    # then
    assert of_route(world) == ([MoveWeights(weights(50, 50), weights(0, 100))] if moves else [])


def test_a_weight_that_falls_waits_for_nobody():
    world = at_step()
    world.route = RouteFacts(rules=({BLUE: 40, GREEN: 60},))
    assert of_route(world) == [MoveWeights(weights(90, 10), weights(0, 100))]


def test_a_candidate_without_pods_has_no_weight():
    world = at_step()
    world.pods[GREEN] = []
    assert of_route(world) == [MoveWeights(weights(100, 0), weights(100, 0))]


def test_pins_alone_that_were_edited_are_put_back():
    world = at_step(**PINNED)
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0}, {BLUE: 90, GREEN: 10}))
    assert of_route(world) == [MoveWeights(weights(90, 10), weights(0, 100))]


def test_before_anything_serves_there_is_no_route():
    world = World()
    world.kubelet(healthy=frozenset())
    world.reconcile()
    assert of_route(world) == []


@pytest.mark.parametrize("led", [True, False])
def test_a_first_revision_that_is_taken_back_gives_up_users_whom_somebody_led_to_it(led):
    world = World()
    world.kubelet(healthy=frozenset())
    world.reconcile()
    world.command = "abort/iris-1/a"
    world.reconcile()
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},)) if led else RouteFacts(rules=({BLUE: 0, GREEN: 100},))
    expected = MoveWeights(weights(0, 100), weights(0, 100), aborted="iris-1")
    assert of_route(world) == ([expected] if led else [])


@pytest.mark.parametrize(("ready", "moves"), [(0, [MoveWeights(weights(0, 100), weights(0, 100))]), (1, [])])
def test_users_whom_somebody_led_to_a_first_revision_are_led_away_unless_it_answers_them(ready, moves):
    world = World()
    world.reconcile()
    world.kubelet(healthy=frozenset())
    world.pods[BLUE] = [replace(pod, ready=number < ready) for number, pod in enumerate(world.pods[BLUE])]
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert of_route(world) == moves


def test_pinned_users_are_with_the_candidate_from_its_first_percent_on():
    world = at_step(**PINNED)
    world.status = world.status.model_copy(update={"step": world.status.step.model_copy(update={"weight": 1})})
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0}, {BLUE: 99, GREEN: 1}))
    assert of_route(world) == [MoveWeights(weights(99, 1), weights(0, 100))]


def test_a_route_that_is_gone_is_made_again_unless_its_gateway_is_gone_too():
    world = at_stable()
    world.route = None
    assert of_route(world) == [MoveWeights(weights(100, 0), weights(100, 0))]
    world.gateway_problem = "no Gateway"
    assert of_route(world) == []


def test_a_route_whose_gateway_is_gone_still_takes_a_candidate_back():
    world = at_step()
    world.gateway_problem = "no Gateway"
    world.verdicts["iris-2"] = Verdict.BREACH
    assert of_route(world) == [MoveWeights(weights(100, 0), weights(100, 0), aborted="iris-2")]


@pytest.mark.parametrize(
    ("rules", "follows"),
    [
        (({BLUE: 90, GREEN: 10},), [FollowTraffic(weights(0, 100))]),
        (({BLUE: 0, GREEN: 100}, {BLUE: 90, GREEN: 10}), [FollowTraffic(weights(0, 100))]),
    ],
)
def test_an_edited_traffic_is_followed_with_the_split_as_it_is(rules, follows):
    world = at_step()
    world.route = RouteFacts(rules=rules, follows_spec=False)
    assert of_route(world) == follows
    world.route = replace(world.route, follows_spec=True)
    assert of_route(world) == []


def test_an_edited_traffic_is_followed_even_while_a_rise_waits_and_pins_keep_to_what_is_live():
    # given a first step that waits for pods, and a traffic that was edited
    world = at_step()
    world.pods[GREEN] = []
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},), follows_spec=False)
    # then the route follows, and pinned users stay where the split is
    assert of_route(world) == [FollowTraffic(weights(100, 0))]
    # but not by halves
    world.route = RouteFacts(rules=({BLUE: 99},), follows_spec=False)
    assert of_route(world) == []


def test_a_stray_route_goes_and_the_rest_comes_as_ever():
    world = at_stable(traffic={})
    world.stray_route = True
    assert of_route(world) == [RemoveRoute()]


def test_while_a_candidate_takes_over_the_weights_are_all_its_own():
    world = rolling(Phase.FINISHING)
    world.route = RouteFacts(rules=({BLUE: 5, GREEN: 95},))
    assert of_route(world) == [MoveWeights(weights(0, 100), weights(0, 100))]


# ------------------------------------------------------------------ the Service NAME


def test_the_service_moves_when_all_traffic_has_and_not_before():
    world = rolling(Phase.FINISHING)
    assert world.stable_service is BLUE
    world.route = RouteFacts(rules=({BLUE: 1, GREEN: 99},))
    assert of_kind(world, PointStableService) == []
    world.route = RouteFacts(rules=({BLUE: 0, GREEN: 100},))
    assert of_kind(world, PointStableService) == [PointStableService(GREEN)]
    world.stable_service = GREEN
    assert of_kind(world, PointStableService) == []


@pytest.mark.parametrize("selected", [None, GREEN])
def test_a_service_that_was_edited_is_pointed_at_stable_again(selected):
    world = at_step()
    world.stable_service = selected
    assert of_kind(world, PointStableService) == [PointStableService(BLUE)]


def test_before_anything_serves_the_service_points_nowhere():
    world = World()
    world.reconcile()
    assert of_kind(world, PointStableService) == []


def test_without_a_gateway_the_service_carries_the_weights_and_is_not_written_beside_them():
    world = at_stable(traffic={})
    world.stable_service = None
    assert of_kind(world, PointStableService) == []
