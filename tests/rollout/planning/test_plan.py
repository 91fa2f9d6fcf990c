"""From what status means to the writes between it and the world."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.world import START, World, spec_for

from viridian.api.names import Color
from viridian.api.serving import Cache
from viridian.api.status import BlockedRevision, Ending, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts
from viridian.rollout.planning.actions import (
    ApplyBudget,
    ApplyColorService,
    ApplyLiveSettings,
    FollowTraffic,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RemoveRoute,
    RestoreRevision,
    StoreRevision,
)

BLUE, GREEN = Color.BLUE, Color.GREEN
PINS = [{"matches": [{"headers": [{"name": "x-user-group", "value": "beta"}]}]}]
PINNED = {"traffic": {"parentRefs": [{"name": "public"}], "pins": PINS}}


def weights(blue: int, green: int) -> tuple[tuple[Color, int], ...]:
    return ((BLUE, blue), (GREEN, green))


def of_route(world: World) -> list[MoveWeights | FollowTraffic | RemoveRoute]:
    kinds = MoveWeights | FollowTraffic | RemoveRoute
    return [action for action in world.decide().actions if isinstance(action, kinds)]


def of_kind(world: World, kind: type) -> list[object]:
    return [action for action in world.decide().actions if isinstance(action, kind)]


def at_step(**changes: object) -> World:
    """A world in which the candidate has 10 %."""
    world = rolling(Phase.PROGRESSING, **changes)
    pass_by(world)
    assert world.route is not None
    assert world.route.split(GREEN) == 10
    return world


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


# ------------------------------------------------------------------ revisions and small children


def test_a_candidate_is_stored_with_its_number_once():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    assert of_kind(world, StoreRevision) == [StoreRevision("iris-2", 2)]
    world.reconcile()
    assert of_kind(world, StoreRevision) == []


def test_one_that_is_taken_back_before_it_was_stored_is_not_stored_any_more():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.reconcile(writes=1)
    world.command = "abort/iris-2/a"
    assert of_kind(world, StoreRevision) == []


def test_lost_revisions_that_are_needed_are_stored_again_in_order_and_others_are_not():
    world = at_step()
    world.verdicts["iris-2"] = Verdict.BREACH
    world.revisions["iris-0"] = replace(world.revisions["iris-1"], name="iris-0", number=0)
    observed = world.observe()
    world.observe = lambda: replace(observed, lost=frozenset({"iris-2", "iris-1", "iris-0"}))
    assert of_kind(world, RestoreRevision) == [RestoreRevision("iris-1"), RestoreRevision("iris-2")]


def test_each_missing_child_is_made():
    world = at_stable()
    world.services.remove(BLUE)
    world.budgets.remove(GREEN)
    assert world.decide().actions == (ApplyColorService(BLUE), ApplyBudget(GREEN))


def test_pods_are_told_what_the_spec_has_for_them_to_reload():
    world = at_stable()
    assert of_kind(world, ApplyLiveSettings) == []
    world.told = Cache(ttl="30s")
    assert world.decide().actions == (ApplyLiveSettings(),)


def test_a_model_that_runs_nothing_needs_no_children():
    # given a first revision that was rolled back
    world = World()
    world.reconcile()
    world.command = "abort/iris-1/a"
    run_until(world, Phase.ROLLED_BACK)
    # when somebody deletes what is left
    world.services.clear()
    world.budgets.clear()
    world.told = Cache(ttl="30s")
    # then it stays away
    assert world.decide().actions == ()


def stored(world: World, *numbers: int) -> None:
    """More revisions, as they are left behind by rollouts."""
    for number in numbers:
        name = f"iris-{number}"
        world.revisions[name] = replace(world.revisions["iris-1"], name=name, number=number)


@pytest.mark.parametrize(("limit", "pruned"), [(1, [2, 3]), (2, [2]), (3, []), (9, [])])
def test_revisions_beyond_the_limit_go_oldest_first(limit, pruned):
    world = at_stable(revisionHistoryLimit=limit)
    stored(world, 10, 3, 2)
    assert of_kind(world, PruneRevision) == [PruneRevision(f"iris-{number}") for number in pruned]


def test_nothing_goes_that_is_in_use_pinned_or_could_be_gone_back_to():
    # given a candidate, a stable, one before it, a failed and an expired one, pods of one more, and others
    world = at_step(revisionHistoryLimit=1)
    stored(world, *range(3, 10))
    pins = [
        BlockedRevision(revision=f"iris-{number}", version="v", reason="r", message="m", at=START) for number in (3, 4)
    ]
    before = world.status.history[0].model_copy(update={"revision": "iris-5"})
    world.status = world.status.model_copy(
        update={"failed": pins[:1], "expired": pins[1:], "history": [before], "phase": Phase.PROGRESSING}
    )
    world.lost = {"iris-6"}
    observed = world.observe()
    world.observe = lambda: replace(observed, lost=frozenset({"iris-6"}), revisions=world.revisions)

    # then only the others go, save the newest of them, and what is lost cannot
    assert of_kind(world, PruneRevision) == [PruneRevision("iris-7"), PruneRevision("iris-8")]


@pytest.mark.parametrize("color", [BLUE, GREEN])
def test_a_role_keeps_its_revision_where_its_deployment_is_gone(color):
    world = at_step(revisionHistoryLimit=1)
    stored(world, 7, 8)
    world.deployments.pop(color)
    assert of_kind(world, PruneRevision) == [PruneRevision("iris-7")]


def test_a_revision_is_kept_while_its_pods_run_or_drain():
    # given a promotion whose old color drains
    world = rolling(Phase.FINISHING, revisionHistoryLimit=1)
    stored(world, 10)
    while world.status.candidate is not None:
        world.reconcile()
    world.status = world.status.model_copy(update={"history": []})
    assert of_kind(world, PruneRevision) == []

    # when it is empty, but the drain is not over
    world.deployments[BLUE] = ("iris-1", 0)
    assert of_kind(world, PruneRevision) == []

    # when it is over, pods that somebody started keep it as well
    world.status = world.status.model_copy(update={"drain": None, "phase": Phase.STABLE})
    world.pods[BLUE] = []
    assert of_kind(world, PruneRevision) == [PruneRevision("iris-1")]
    world.deployments[BLUE] = ("iris-1", 1)
    assert of_kind(world, PruneRevision) == []


def test_writes_come_in_the_order_in_which_each_may_rely_on_the_one_before():
    # given a world in which everything is to be written at once
    world = at_step(revisionHistoryLimit=1)
    stored(world, 7, 8)
    world.lost = {"iris-1"}
    world.services.clear()
    world.budgets.clear()
    world.told = Cache(ttl="30s")
    world.stable_service = None
    world.route = RouteFacts(rules=({BLUE: 80, GREEN: 20},))
    world.deployments[BLUE] = ("iris-1", 2)
    world.now += timedelta(seconds=1)

    # then
    kinds = [type(action).__name__ for action in world.decide().actions]
    assert kinds == [
        "RestoreRevision",
        *["ApplyColorService", "ApplyBudget"] * 2,
        "ApplyLiveSettings",
        "ApplyColor",
        "MoveWeights",
        "PointStableService",
        "PruneRevision",
    ]


def test_nothing_goes_back_to_a_stable_without_pods_while_the_candidates_service_is_being_made_again():
    # given a candidate that is being rolled back, to which somebody has led everything, while stable lost its pods
    world = rolling(Phase.PROGRESSING)
    world.command = "abort/iris-2/1"
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    world.pods[BLUE] = []
    world.route = RouteFacts(rules=({BLUE: 0, GREEN: 100},))
    # when the candidate's Service is deleted
    world.services.discard(GREEN)
    world.reconcile()
    # then it is made again, and the traffic stays with those who can answer
    assert GREEN in world.services
    assert world.route.split(GREEN) == 100


def test_a_rollback_waits_a_pass_for_stables_service_that_was_deleted():
    # given a candidate with a share, and a stable whose Service somebody has deleted, with a route that leads nowhere
    world = rolling(Phase.PROGRESSING)
    pass_by(world)
    world.services.discard(BLUE)
    world.route = RouteFacts(rules=({BLUE: 0, GREEN: 0},))
    # when it is aborted
    world.command = "abort/iris-2/1"
    world.reconcile()
    # then the Service is made first, and the traffic follows
    assert world.route.split(BLUE) == 0
    assert BLUE in world.services
    world.reconcile()
    assert world.route.split(BLUE) == 100
