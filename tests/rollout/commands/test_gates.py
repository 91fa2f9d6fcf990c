"""A person's approval and pause: what waits, what goes on meanwhile, and what the deadline makes of it."""

from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, message, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict

SHORT = {
    "steps": [{"weight": 10, "hold": "10s"}],
    "bake": {"duration": "10s", "holdback": 5},
    "deadline": "2m",
    "drainMax": "10s",
}


def waiting(gate: str, **changes: object) -> World:
    """A world in which v2 waits for approval at a gate."""
    rollout = {**SHORT, "approval": gate}
    world = at_stable()
    world.edit(spec_for("v2.0.0", rollout=rollout, **changes))
    run_until(world, Phase.HELD)
    return world


def test_before_traffic_the_candidate_is_ready_and_gets_nothing_until_a_person_approves():
    world = waiting("BeforeTraffic")
    pass_by(world, 5)
    assert world.weights_seen == [100]
    assert condition(world, "Stalled") == ("False", "AwaitingApproval")
    assert "viridian.dev/command=approve/iris-2/ID" in message(world, "Stalled")
    world.command = "approve/iris-2/yes"
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_before_promotion_the_bake_goes_on_until_a_person_approves():
    world = waiting("BeforePromotion")
    assert world.weights_seen == [100, 10, 95]
    pass_by(world, 20)
    assert world.weights_seen == [100, 10, 95]
    assert world.status.stable is not None
    assert world.status.stable.version == "v1.0.0"
    world.command = "approve/iris-2/yes"
    world.settle()
    assert world.status.stable.version == "v2.0.0"


def test_an_approval_is_for_its_revision_and_its_gate():
    world = waiting("BeforeTraffic")
    world.command = "approve/iris-1/no"
    decision = world.decide()
    assert decision.warning == "nothing to approve: iris-1 is not being rolled out"
    world.command = "approve/iris-2/yes"
    run_until(world, Phase.PROGRESSING)
    world.edit(spec_for("v2.0.0", rollout={**SHORT, "approval": "BeforePromotion"}))
    run_until(world, Phase.HELD)
    assert condition(world, "Stalled") == ("False", "AwaitingApproval")


def test_an_approval_that_nobody_waits_for_is_refused():
    world = rolling(Phase.PROGRESSING)
    world.command = "approve/iris-2/yes"
    assert world.decide().warning == (
        "nothing to approve: rollout.approval is None, so the rollout does not wait for it"
    )


def test_approval_and_pause_stop_the_deadlines_clock():
    # given a rollout that has waited for much longer than its deadline
    world = waiting("BeforePromotion")
    world.traffic(seconds=3600)
    pass_by(world, 3)
    assert world.status.phase is Phase.HELD

    # when it is approved
    world.command = "approve/iris-2/yes"
    pass_by(world)

    # then it is promoted, and the waiting is on record
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_the_clock_goes_on_where_it_stood_after_a_pause():
    world = rolling(Phase.PROGRESSING, rollout={**SHORT, "steps": [{"weight": 10, "hold": "1s", "minRequests": 9999}]})
    world.command = "pause/iris-2/a"
    pass_by(world, 2)
    assert condition(world, "Stalled") == ("False", "Paused")
    paused_at = world.status.hold.since
    world.traffic(seconds=600)
    world.command = "resume/iris-2/b"
    pass_by(world, 2)
    assert world.status.phase is Phase.PROGRESSING
    assert world.status.hold is None
    started = world.status.started_at
    assert started is not None
    assert world.status.waited == "10m4s"
    # A deadline of two minutes has run for a few seconds only; the rest of it is still there, and no more.
    world.metrics = False
    left = timedelta(minutes=2) - (paused_at - started)
    world.traffic(seconds=left.total_seconds() - 20)
    pass_by(world)
    assert world.status.phase is not Phase.ROLLING_BACK
    world.traffic(seconds=30)
    pass_by(world)
    assert world.status.phase is Phase.ROLLING_BACK
    assert world.status.ending is not None
    assert world.status.ending.reason == "DeadlineExceeded"


def test_a_policys_hold_does_not_stop_the_deadlines_clock():
    guards = {"metricsMissing": {"after": "10s", "then": "Hold"}}
    world = rolling(Phase.PROGRESSING, rollout=SHORT, guards=guards)
    world.metrics = False
    pass_by(world, 10)
    assert world.status.phase is Phase.HELD
    pass_by(world, 90)
    assert world.status.phase is Phase.EXPIRED


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.PROGRESSING, Phase.BAKING])
def test_paused_means_that_weights_stay(phase):
    world = rolling(phase)
    world.command = "pause/iris-2/a"
    pass_by(world)
    weights = list(world.weights_seen)
    pass_by(world, 60)
    assert world.status.phase is Phase.HELD
    assert world.weights_seen == weights
    world.command = "resume/iris-2/b"
    pass_by(world)
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


@pytest.mark.parametrize("gate", ["BeforeTraffic", "BeforePromotion"])
def test_a_breach_does_not_wait_for_anybody(gate):
    world = waiting(gate)
    world.verdicts["iris-2"] = Verdict.BREACH
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK


def test_a_pause_ends_with_its_rollout():
    world = rolling(Phase.PROGRESSING)
    world.command = "pause/iris-2/a"
    pass_by(world, 2)
    world.edit(spec_for("v3.0.0"))
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v3.0.0"
    assert world.status.paused == ""


def test_a_first_revision_waits_for_approval_before_any_request():
    world = World(spec_for("v1.0.0", rollout={**SHORT, "approval": "BeforeTraffic"}))
    run_until(world, Phase.HELD)
    assert world.route is None
    world.command = "approve/iris-1/yes"
    world.settle()
    assert world.route is not None
    assert world.route.weight(Color.BLUE) == 100
