"""What ends a rollout because time has passed: the deadline, missing metrics, missing traffic."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.rollback.causes import BLUE, GREEN, ROLLBACK, ending, lose_metrics, lose_traffic, pass_the_deadline
from tests.rollout.scenes import at_step, rolling
from tests.rollout.world import World, spec_for

from viridian.api.status import Phase
from viridian.rollout.observed import RouteFacts


@pytest.mark.parametrize(
    ("started", "now", "passed"), [(0, 599, False), (0, 600, True), (30, 629, False), (30, 630, True)]
)
def test_the_deadline_passes_when_its_clock_has_run_out(started, now, passed):
    world = at_step()
    begin = world.now
    world.status = world.status.model_copy(update={"started_at": begin + timedelta(seconds=started)})
    world.now = world.fresh_at = begin + timedelta(seconds=now)
    assert (ending(world) is not None) is passed


def test_at_the_deadline_the_reason_is_named_that_is_known():
    past = "not promoted within 10m (rollout.deadline): "
    # given requests that a step wants, and not the verdict of a guard that has nothing against the candidate
    world = at_step(
        rollout=spec_for().rollout.manifest() | {"steps": [{"weight": 10, "hold": "1s", "minRequests": 100000}]}
    )
    world.status = world.status.model_copy(update={"verdict": "0 of 7 failed"})
    pass_the_deadline(world)
    assert ending(world).message == past + "still waiting for 99,980 more requests (minRequests)"
    # or pods that cannot start
    world.pods[GREEN][0] = replace(world.pods[GREEN][0], trouble="image not found")
    assert ending(world).message == past + "v2.0.0 (green): image not found"
    # or too few pods that the metrics tell of
    world = at_step()
    world.reporting.clear()
    pass_the_deadline(world)
    assert ending(world).message == past + "Prometheus has the counters of 0 of the 2 pods that v2.0.0 needs"
    # but not of an operator that has just begun to look
    world.fresh_at = None
    assert ending(world).message == past.removesuffix(": ")
    # or pods that never got ready, as before the first step
    world = rolling(Phase.STARTING)
    pass_the_deadline(world)
    assert ending(world).message == past + "still waiting for 2 ready pods of v2.0.0 (0 so far)"
    # or a hold
    world = at_step(guards={"metricsMissing": {"after": "1m", "then": "Hold"}})
    world.metrics = False
    world.now += timedelta(seconds=70)
    world.reconcile()
    world.now += timedelta(minutes=10)
    assert ending(world).message == (past + "no metrics for 1m: check that Prometheus scrapes the serving pods")


def test_one_that_takes_over_has_made_it_in_time():
    world = rolling(Phase.FINISHING)
    pass_the_deadline(world)
    assert ending(world) is None


def test_a_first_revision_that_does_not_get_ready_has_no_deadline():
    world = World()
    world.reconcile()
    pass_the_deadline(world)
    assert ending(world) is None
    assert world.decide().status.phase is Phase.STARTING


@pytest.mark.parametrize(("seconds", "missing"), [(60, False), (60.001, True)])
@pytest.mark.parametrize("policy", ["Rollback", "Hold"])
@pytest.mark.parametrize("kind", ["metricsMissing", "noTraffic"])
def test_a_policy_decides_when_its_time_is_over_and_not_before(kind, policy, seconds, missing):
    # given a step that was intended just now and sees nothing
    world = at_step(guards={kind: {"after": "1m", "then": policy}})
    began = world.now
    assert world.status.step is not None
    step = world.status.step.model_copy(update={"verified_at": None, "intended_at": began})
    world.status = world.status.model_copy(update={"step": step})

    # when so much time has passed
    world.now = began + timedelta(seconds=seconds)
    world.fresh_at = world.now if kind == "noTraffic" else began
    status = world.decide().status

    # then the policy is asked, or not yet
    assert (status.ending is not None) is (missing and policy == "Rollback")
    assert (status.hold is not None) is (missing and policy == "Hold")


@pytest.mark.parametrize(
    ("intended", "fresh", "long"),
    [(0, None, True), (0, 1, False), (1, 0, False), (1, None, False), (0, 0, True), (0, 3600, False)],
)
def test_blindness_is_counted_from_the_step_or_from_the_last_thing_that_was_seen(intended, fresh, long):
    # given a step and a scrape, a second more or less ago than the policy's time
    world = at_step(**ROLLBACK)
    now = world.now
    assert world.status.step is not None
    step = world.status.step.model_copy(update={"intended_at": now + timedelta(seconds=intended)})
    world.status = world.status.model_copy(update={"step": step})
    world.fresh_at = None if fresh is None else now + timedelta(seconds=fresh)
    world.now = now + timedelta(seconds=60.5)

    # then it was too long ago, or not
    assert (ending(world) is not None) is long


@pytest.mark.parametrize(("seconds", "ends"), [(59, False), (61, True)])
@pytest.mark.parametrize("kind", ["metricsMissing", "noTraffic"])
def test_what_an_operator_did_not_see_because_it_was_not_there_is_not_missing(kind, seconds, ends):
    # given a step of long ago, and an operator that begins to look just now
    world = at_step(guards={kind: {"after": "1m", "then": "Rollback"}})
    step = world.status.step.model_copy(update={"verified_at": None, "intended_at": world.now - timedelta(hours=1)})
    world.status = world.status.model_copy(update={"step": step})
    world.fresh_at, world.moved = None, {}
    world.says = {"monitored_since": world.now}
    # when it has seen nothing for so long, then the policy's time is over, or not yet
    world.now += timedelta(seconds=seconds)
    assert (ending(world) is not None) is ends


def test_before_the_first_step_nothing_is_missing():
    world = rolling(Phase.STARTING, **ROLLBACK)
    world.metrics = False
    world.now += timedelta(minutes=5)
    assert ending(world) is None


@pytest.mark.parametrize(
    ("moved", "long"),
    [
        ({}, True),
        ({"iris-2": -1}, True),
        ({"iris-2": 1}, False),
        ({"iris-1": 1}, False),
        ({"iris-1": 1, "iris-2": -1}, False),
        ({"iris-9": 1}, True),
    ],
)
def test_a_request_on_either_color_is_traffic(moved, long):
    world = at_step(**ROLLBACK)
    began = world.now
    world.moved = {revision: began + timedelta(seconds=when) for revision, when in moved.items()}
    lose_traffic(world)
    assert (ending(world) is not None) is long


def test_traffic_is_missed_only_while_a_step_waits_to_be_verified_and_is_in_the_route():
    world = at_step(**ROLLBACK)
    lose_traffic(world)
    assert ending(world).reason == "NoTraffic"
    # verified
    step = world.status.step
    verified = step.model_copy(update={"verified_at": step.intended_at})
    world.status = world.status.model_copy(update={"step": verified})
    assert ending(world) is None
    # or not in the route yet
    world.status = world.status.model_copy(update={"step": step})
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert ending(world) is None


def test_trouble_with_the_metrics_is_named_when_they_are_missing():
    world = at_step(**ROLLBACK)
    lose_metrics(world)
    world.says = {"trouble": "Prometheus does not answer"}
    assert ending(world).message == (
        "no metrics for 1m (guards.metricsMissing), so the candidate could not be judged: Prometheus does not answer"
    )
