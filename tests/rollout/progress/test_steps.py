"""What each step and the bake wait for, and what holds them."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.progress.changes import BLUE, GREEN, next_status, set_status
from tests.rollout.scenes import at_stable, at_step, pass_by, rolling, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.rollout import Approval
from viridian.api.status import (
    Approved,
    Hold,
    Phase,
    StepStatus,
)
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts


def set_step(world: World, **fields: object) -> None:
    assert world.status.step is not None
    set_status(world, step=world.status.step.model_copy(update=fields))


# ------------------------------------------------------------------ a step


def test_a_step_begins_with_what_was_counted_and_weighed_before_it():
    # given a first step that is done
    world = at_step()
    world.requests = {"iris-1": 700, "iris-2": 70}
    set_step(world, requests_before=0)
    world.now += timedelta(seconds=10)
    world.fresh_at = world.now

    # when the next one is intended
    status = next_status(world)

    # then
    assert status.phase is Phase.PROGRESSING
    assert status.step == StepStatus(
        index=2,
        count=2,
        progress="2/2",
        weight=50,
        weight_before=10,
        intended_at=world.now,
        requests_before=70,
        stable_requests_before=700,
    )


def test_counts_that_fell_are_not_waited_for_again():
    # given a step that was verified at 70 requests, and whose pods have taken 60 of them with them since
    world = at_step()
    world.requests = {"iris-1": 700, "iris-2": 10}
    set_step(world, requests_before=70)
    world.now += timedelta(seconds=10)

    # when the metrics are too old to tell, then nothing is concluded from it
    assert next_status(world).step.requests_before == 70

    # and with fresh ones it goes on from what there is
    world.fresh_at = world.now
    status = next_status(world)
    assert (status.step.index, status.step.requests_before) == (1, 10)
    set_status(world, step=status.step)
    assert next_status(world).step.index == 2


def test_the_bake_is_the_step_after_the_last():
    world = at_step()
    set_step(world, index=2, weight=50)
    world.now += timedelta(seconds=10)
    world.fresh_at = world.now
    world.reporting = Counter({"iris-1": 3, "iris-2": 2})
    status = next_status(world)
    assert status.phase is Phase.BAKING
    assert (status.step.index, status.step.count, status.step.progress, status.step.weight) == (3, 2, "bake", 95)


def test_a_step_is_verified_only_in_the_route_and_with_fresh_metrics():
    # given a step that requests would verify
    world = at_step()
    set_step(world, verified_at=None, requests_before=0, stable_requests_before=0, weight_before=0)
    assert next_status(world).step.verified_at == world.now
    # but not with old metrics
    world.now += timedelta(seconds=7)
    assert next_status(world).step.verified_at is None
    # nor before it is in the route
    world.fresh_at = world.now
    world.route = RouteFacts(rules=({BLUE: 91, GREEN: 9},))
    assert next_status(world).step.verified_at is None


def done(world: World) -> bool:
    return next_status(world).step.index == 2


def test_a_step_is_done_when_it_was_held_was_used_is_seen_and_no_guard_lacks_requests():
    # given a step of ten seconds that wants seven requests
    steps = [{"weight": 10, "hold": "10s", "minRequests": 7}, {"weight": 50, "hold": "10s"}]
    world = at_step(rollout={"steps": steps, "bake": {"duration": "20s", "holdback": 5}, "deadline": "10m"})
    set_step(world, verified_at=world.now, requests_before=100)
    world.requests["iris-2"] = 107
    world.now = world.fresh_at = world.now + timedelta(seconds=10)
    assert done(world)
    # a moment earlier
    world.now -= timedelta(milliseconds=1)
    assert not done(world)
    world.now += timedelta(milliseconds=1)
    # with one request less
    world.requests["iris-2"] = 106
    assert not done(world)
    world.requests["iris-2"] = 107
    # without metrics
    world.fresh_at = None
    assert not done(world)
    world.fresh_at = world.now
    # with a guard that cannot say yet
    world.says = {"missing": ("errorRate (31 more)",)}
    assert not done(world)
    world.says = {}
    assert done(world)


def test_a_bake_is_over_after_its_duration_and_the_candidate_takes_over():
    world = rolling(Phase.BAKING)
    pass_by(world, 3)
    set_step(world, verified_at=world.now)
    world.now = world.fresh_at = world.now + timedelta(milliseconds=19_999)
    assert next_status(world).phase is Phase.BAKING
    world.now = world.fresh_at = world.now + timedelta(milliseconds=1)
    assert next_status(world).phase is Phase.FINISHING


def test_a_bake_that_needs_approval_says_so_when_it_is_over():
    rollout = {"bake": {"duration": "20s", "holdback": 5}, "deadline": "10m"}
    world = at_stable()
    world.edit(spec_for("v2.0.0", rollout={**rollout, "type": "BlueGreen", "approval": "BeforePromotion"}))
    run_until(world, Phase.HELD)
    assert world.status.hold.message == (
        "v2.0.0 has baked and is not promoted until it is approved (rollout.approval: BeforePromotion): annotate"
        " the model with viridian.dev/command=approve/iris-2/ID"
    )
    # somebody else's approval, or another gate's, is none
    for revision, gate in [("iris-1", Approval.BEFORE_PROMOTION), ("iris-2", Approval.BEFORE_TRAFFIC)]:
        set_status(world, approved=Approved(revision=revision, gate=gate))
        assert next_status(world).phase is Phase.HELD
    set_status(world, approved=Approved(revision="iris-2", gate=Approval.BEFORE_PROMOTION))
    assert next_status(world).phase is Phase.FINISHING


# ------------------------------------------------------------------ holds

HOLD = {"guards": {"metricsMissing": {"after": "1m", "then": "Hold"}, "noTraffic": {"after": "1m", "then": "Hold"}}}


def test_holds_are_asked_in_their_order_and_say_what_to_do():
    # given a step that waits for requests, where no traffic comes
    world = at_step(**HOLD)
    set_step(world, verified_at=None, intended_at=world.now)
    world.now += timedelta(seconds=61)
    world.fresh_at = world.now
    idle = "no requests reached the candidate for 1m: check the gateway, or send traffic"
    assert next_status(world).hold == Hold(reason="NoTraffic", message=idle, since=world.now)

    # and no metrics either
    world.fresh_at = None
    blind = "no metrics for 1m: check that Prometheus scrapes the serving pods"
    assert next_status(world).hold == Hold(reason="MetricsMissing", message=blind, since=world.now)
    world.says = {"trouble": "Prometheus does not answer"}
    assert next_status(world).hold.message == "no metrics for 1m: Prometheus does not answer"

    # and no stable
    pods, world.pods[BLUE] = world.pods[BLUE], []
    gone = "no pod of v1.0.0 is ready: v2.0.0 gets all traffic if that lasts for 6 s"
    assert next_status(world).hold == Hold(reason="StableUnavailable", message=gone, since=world.now)
    world.pods[BLUE] = pods

    # and an incident of both
    both = replace(judgement(Verdict.SHARED_INCIDENT), sentence="both fail")
    world.says = {"judgements": (judgement(Verdict.HEALTHY), both)}
    assert next_status(world).hold == Hold(reason="SharedIncident", message="both fail", since=world.now)

    # and a person's pause
    set_status(world, paused="iris-2")
    assert next_status(world).hold.reason == "Paused"
    set_status(world, paused="iris-1")
    assert next_status(world).hold.reason == "SharedIncident"


def test_a_hold_is_as_old_as_its_reason():
    world = at_step()
    world.command = "pause/iris-2/a"
    world.reconcile()
    world.reconcile()
    since = world.status.hold.since
    world.now += timedelta(seconds=5)
    assert next_status(world).hold.since == since
    set_status(world, hold=world.status.hold.model_copy(update={"reason": "NoTraffic"}))
    assert next_status(world).hold.since == world.now


def test_a_step_that_was_done_when_its_hold_ended_is_followed_by_the_next_without_it():
    world = at_step()
    set_step(world, verified_at=world.now - timedelta(minutes=1))
    set_status(world, phase=Phase.HELD, hold=Hold(reason="NoTraffic", message="m", since=world.now))
    status = next_status(world)
    assert (status.phase, status.step.index, status.hold) == (Phase.PROGRESSING, 2, None)


@pytest.mark.parametrize(
    ("fields", "phase"), [({"index": 1}, Phase.PROGRESSING), ({"index": 3, "weight": 95}, Phase.BAKING)]
)
def test_after_a_hold_a_rollout_goes_on_where_it_was(fields, phase):
    world = at_step()
    set_step(world, **fields)
    set_status(world, phase=Phase.HELD, hold=Hold(reason="NoTraffic", message="m", since=world.now))
    status = next_status(world)
    assert (status.phase, status.hold) == (phase, None)


@pytest.mark.parametrize("unseen", ["iris-1", "iris-2"])
def test_nothing_goes_forward_while_the_metrics_tell_of_one_color_only(unseen):
    # given a step that is over, but for one color whose pods are not scraped
    world = at_step()
    world.unseen = {unseen}
    world.now = world.fresh_at = world.now + timedelta(minutes=1)
    # when somebody looks, then it stays
    assert next_status(world).step == world.status.step
    # and when they are scraped, it goes on
    world.unseen = set()
    assert next_status(world).step.index == 2


@pytest.mark.parametrize(("policy", "phase"), [("Hold", Phase.HELD), ("Rollback", Phase.ROLLING_BACK)])
def test_a_candidate_that_is_not_scraped_is_missing_metrics_whatever_stable_tells(policy, phase):
    # given a step whose candidate cannot be scraped any more, while stable can
    world = at_step(guards={"metricsMissing": {"after": "1m", "then": policy}})
    world.unseen = {"iris-2"}
    world.now = world.fresh_at = world.now + timedelta(seconds=61)
    # when the policy's time is over, then it decides, and whose metrics are missing is said
    status = next_status(world)
    assert status.phase is phase
    said = status.hold or status.ending
    assert said.reason == "MetricsMissing"
    assert said.message.startswith("no metrics of v2.0.0's pods for 1m")


def test_a_step_waits_until_the_metrics_tell_of_as_many_pods_as_its_weight_needs():
    # given a step of half of the traffic that is over, of whose two pods one is scraped
    world = at_step()
    set_step(world, weight=50)
    world.route = RouteFacts(rules=({BLUE: 50, GREEN: 50},))
    world.now = world.fresh_at = world.now + timedelta(minutes=1)
    world.reporting = Counter({"iris-1": 3, "iris-2": 1})
    world.deployments[GREEN] = ("iris-2", 2)
    world.kubelet()
    # when somebody looks, then it stays, and says why
    status = next_status(world)
    assert status.step.index == 1
    reconciling = next(condition for condition in status.conditions if condition.type == "Reconciling")
    why = "Prometheus has the counters of 1 of the 2 pods that v2.0.0 needs"
    assert reconciling.message.endswith(f"50 % of the traffic, and does not advance: {why}")
    # and the deadline says it too
    world.now = world.fresh_at = world.now + timedelta(days=1)
    assert next_status(world).ending.message.endswith(why)


def test_a_step_waits_while_the_metrics_tell_of_no_pod():
    # given a step that is over, whose pods' counters have not been seen
    world = at_step()
    world.now = world.fresh_at = world.now + timedelta(minutes=1)
    world.reporting = Counter({"iris-1": 3})
    # when somebody looks, then it stays, and says why
    status = next_status(world)
    assert status.step.index == 1
    reconciling = next(condition for condition in status.conditions if condition.type == "Reconciling")
    assert reconciling.message.endswith("Prometheus has the counters of 0 of the 2 pods that v2.0.0 needs")
