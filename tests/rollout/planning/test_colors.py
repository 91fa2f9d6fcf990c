"""Which revision runs in which color, with how many pods, and when a color is emptied."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.planning.test_autoscaling import SERVING
from tests.rollout.scenes import at_stable, of_color, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts
from viridian.rollout.planning.actions import ApplyColor

BLUE, GREEN = Color.BLUE, Color.GREEN


def draining() -> World:
    """A world in which v2 has just taken over from v1, whose color drains."""
    world = rolling(Phase.FINISHING)
    while world.status.candidate is not None:
        world.reconcile()
    assert world.status.drain is not None
    return world


def promoted() -> World:
    """A world in which v2 (green) serves, and blue is empty."""
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    return world


# ------------------------------------------------------------------ the end of a drain


@pytest.mark.parametrize(
    ("moved", "fresh", "now", "ends"),
    [
        (None, 5.9, 5.9, False),
        (None, 6, 6, True),  # three scrapes of two seconds without a request
        (3, 8.9, 8.9, False),
        (3, 9, 9, True),
        (3, 8.9, 20, False),  # metrics that stopped do not say that nothing moved since
        (None, None, 29.9, False),
        (None, None, 30, True),  # drainMax
        (29, 29, 30, True),
    ],
)
def test_a_drain_ends_when_the_counters_stand_still_or_at_drain_max(moved, fresh, now, ends):
    # given a color that lost its weight, whose last request and last scrape are so many seconds later
    world = draining()
    since = world.status.drain.since
    world.moved = {} if moved is None else {"iris-1": since + timedelta(seconds=moved)}
    world.fresh_at = None if fresh is None else since + timedelta(seconds=fresh)

    # when somebody looks
    world.now = since + timedelta(seconds=now)

    # then it is emptied, or not yet
    assert of_color(world) == ([ApplyColor(BLUE, "iris-1", 0)] if ends else [])


def test_no_drain_ends_early_while_its_own_pods_are_not_scraped():
    # given a color that lost its weight, and that Prometheus has lost
    world = draining()
    world.unseen = {"iris-1"}
    world.now = world.fresh_at = world.status.drain.since + timedelta(seconds=20)
    # when the other color is scraped, then nothing is known of this one's requests, so it is kept
    assert of_color(world) == []
    # until drainMax
    world.now = world.fresh_at = world.status.drain.since + timedelta(seconds=30)
    assert of_color(world) == [ApplyColor(BLUE, "iris-1", 0)]


def test_no_drain_ends_while_the_route_leads_to_its_color():
    world = draining()
    world.now += timedelta(minutes=5)
    world.route = RouteFacts(rules=({BLUE: 1, GREEN: 99},))
    assert of_color(world) == []


def test_an_emptied_color_is_written_once_and_its_last_pods_are_awaited():
    # given a drain that has ended, and a pod that takes its time
    world = draining()
    world.traffic(seconds=60)
    world.reconcile()
    assert world.deployments[BLUE] == ("iris-1", 0)
    world.pods[BLUE] = [replace(world.pods[BLUE][0], deleting=True)]

    # then there is nothing more to write, and the promotion is not over before it is gone
    world.reconcile()
    assert of_color(world) == []
    assert world.status.phase is Phase.FINISHING
    world.pods[BLUE] = []
    world.reconcile()
    assert world.status.phase is Phase.STABLE


def test_a_drain_is_over_for_a_color_that_runs_something_else_by_now():
    world = draining()
    world.deployments[BLUE] = ("iris-9", 2)
    world.traffic(seconds=60)
    assert of_color(world) == []


def test_a_candidate_that_is_taken_back_gets_no_pods_again_while_its_last_ones_end():
    # given
    world = rolling(Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    world.reconcile()
    world.traffic(seconds=60)
    world.reconcile()
    assert world.deployments[GREEN] == ("iris-2", 0)
    # when
    world.pods[GREEN] = [replace(world.pods[GREEN][0], deleting=True)]
    world.reconcile()
    # then
    assert world.status.phase is Phase.ROLLING_BACK
    assert of_color(world) == []


# ------------------------------------------------------------------ how many pods


@pytest.mark.parametrize(("by_hand", "kept"), [(2, []), (3, []), (5, [ApplyColor(GREEN, "iris-2", 3)])])
def test_a_candidate_only_grows_but_not_beyond_what_the_spec_asks_for(by_hand, kept):
    world = rolling(Phase.PROGRESSING)
    world.deployments[GREEN] = ("iris-2", by_hand)
    assert of_color(world) == kept


def test_users_whom_somebody_led_to_the_candidate_find_pods_enough():
    world = rolling(Phase.PROGRESSING)
    world.route = RouteFacts(rules=({BLUE: 30, GREEN: 70},))
    assert of_color(world) == [ApplyColor(GREEN, "iris-2", 3)]


@pytest.mark.parametrize(("pods", "writes"), [(0, [ApplyColor(BLUE, "iris-1", 2)]), (1, []), (7, [])])
def test_an_autoscaled_color_is_scaled_by_the_operator_from_zero_only(pods, writes):
    world = at_stable(serving=SERVING)
    world.deployments[BLUE] = ("iris-1", pods)
    assert of_color(world) == writes


# ------------------------------------------------------------------ a color that somebody meddled with


def test_a_candidate_whose_deployment_was_deleted_under_its_users_is_made_again():
    world = rolling(Phase.PROGRESSING)
    pass_by(world)
    assert world.route is not None
    assert world.route.weight(GREEN) == 10
    del world.deployments[GREEN]
    assert of_color(world) == [ApplyColor(GREEN, "iris-2", 2)]


def test_pods_that_somebody_starts_where_a_candidate_is_to_run_are_ended_first():
    # given a third version that begins while a pod of the first is in its color
    world = promoted()
    world.edit(spec_for("v3.0.0"))
    world.deployments[BLUE] = ("iris-1", 1)
    world.kubelet()
    world.reconcile(writes=1)  # the status alone
    assert world.status.phase is Phase.STARTING

    # then they are ended, and it gets the color when they are gone
    assert of_color(world) == [ApplyColor(BLUE, "iris-1", 0)]
    world.reconcile()
    assert of_color(world) == []
    run_until(world, Phase.PROGRESSING)
    assert world.deployments[BLUE] == ("iris-3", 2)


def test_pods_that_somebody_starts_where_a_candidate_is_to_run_serve_on_as_long_as_users_are_led_there():
    world = promoted()
    world.edit(spec_for("v3.0.0"))
    world.deployments[BLUE] = ("iris-1", 1)
    world.kubelet()
    world.reconcile(writes=1)
    world.route = RouteFacts(rules=({BLUE: 20, GREEN: 80},))
    assert of_color(world) == []


# ------------------------------------------------------------------ how many pods start at once


@pytest.mark.parametrize(("at_once", "sizes"), [(None, [5]), (2, [2, 4, 5]), (1, [1, 2, 3, 4, 5]), (9, [5])])
def test_no_more_of_the_candidates_pods_start_at_once_than_the_spec_allows(at_once, sizes):
    # given five pods that serve
    serving = {"replicas": 5}
    rollout = {"type": "BlueGreen", "bake": {"duration": "1m"}, "drainMax": "30s"}
    world = at_stable(serving=serving, rollout=rollout)

    # when another version takes over, and its pods become ready from one pass to the next
    world.edit(spec_for("v2.0.0", serving=serving, rollout={**rollout, "maxStarting": at_once}))
    seen = []
    for _ in range(12):
        world.reconcile()
        seen.append(world.deployments.get(GREEN, ("", 0))[1])
        world.kubelet()
        world.traffic()

    # then its Deployment grows by so many
    assert [size for size in dict.fromkeys(seen) if size] == sizes


def test_while_none_of_the_candidates_pods_becomes_ready_no_more_are_started():
    serving, rollout = {"replicas": 5}, {"type": "BlueGreen", "bake": {"duration": "1m"}}
    world = at_stable(serving=serving, rollout=rollout)
    world.edit(spec_for("v2.0.0", serving=serving, rollout={**rollout, "maxStarting": 2}))
    for _ in range(12):
        world.kubelet(frozenset({"iris-1"}))
        world.reconcile()
        world.traffic()
    assert world.deployments[GREEN] == ("iris-2", 2)
