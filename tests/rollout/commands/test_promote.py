"""The command promote: no waiting for holds, and past nothing else."""

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.status import CheckResult, Phase, Promotion
from viridian.guards.judge import Verdict
from viridian.rollout.reporting.notices import notices

SLOW = {
    "steps": [{"weight": 10, "hold": "1h", "minRequests": 100_000}, {"weight": 50, "hold": "1h"}],
    "bake": {"duration": "1h", "holdback": 5},
    "deadline": "5h",
}


def promote(world: World, *, by: str = "ada") -> None:
    world.command, world.command_by = "promote/iris-2/now", by
    assert world.decide().warning is None


def slow(**changes: object) -> World:
    """A world whose second revision starts, and whose steps take hours."""
    world = at_stable()
    world.weights_seen.clear()
    world.edit(spec_for("v2.0.0", **{"rollout": SLOW, **changes}))
    run_until(world, Phase.STARTING)
    return world


def at_slow_step(**changes: object) -> World:
    """The same when requests have shown the first step."""
    world = slow(**changes)
    run_until(world, Phase.PROGRESSING)
    pass_by(world, 2)
    assert world.status.step is not None
    assert world.status.step.verified_at is not None
    return world


def test_it_takes_over_in_seconds_and_history_says_by_whom_and_when() -> None:
    # given a step that takes hours, and guards that have seen too little
    world = at_slow_step()
    world.says = {"missing": ("errorRate (about 40 more)",)}
    began = world.now
    # when
    promote(world)
    run_until(world, Phase.STABLE)
    # then
    assert (world.now - began).total_seconds() < 60
    entry = world.status.history[0]
    assert (entry.revision, entry.result) == ("iris-2", "Promoted")
    assert "Promoted by command by ada at 2026-01-01 00:0" in entry.message
    # and the split of the bake was tried before everything moved, and nothing is left of the command
    assert world.weights_seen == [10, 95, 100]
    assert world.status.promotion is None


def test_it_is_noted_with_who_gave_it() -> None:
    world = at_slow_step()
    promote(world)
    before, after = world.status, world.decide().status
    assert after.promotion == Promotion(revision="iris-2", by="ada", at=world.now)
    said = [(each.reason, each.message) for each in notices(before, after)]
    assert ("HoldsSkipped", "iris-2 skips its remaining holds by command by ada") in said


@pytest.mark.parametrize("pods_come", [True, False])
def test_weight_waits_for_pods_as_ever(pods_come: bool) -> None:
    # given pods enough for the first step alone
    world = at_slow_step(serving={"replicas": 8})
    promote(world)
    # when
    for _ in range(10):
        if pods_come:
            world.kubelet()
        world.reconcile()
        world.traffic()
    # then
    assert (max(world.weights_seen) > 10) == pods_come


def test_a_breach_takes_it_back_all_the_same() -> None:
    # given a promotion that waits for its split to be seen
    world = at_slow_step()
    promote(world)
    world.gateway = False
    pass_by(world, 3)
    assert world.status.phase is Phase.BAKING
    # when
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    # then
    assert world.status.failed[0].reason == "GuardBreached"
    assert world.status.promotion is None


def test_a_gateway_that_does_not_follow_keeps_it_from_taking_over() -> None:
    world = at_slow_step()
    world.gateway = False
    promote(world)
    pass_by(world, 30)
    assert world.status.phase is Phase.BAKING
    world.gateway = True
    run_until(world, Phase.STABLE)


@pytest.mark.parametrize("verdict", [Verdict.SHARED_INCIDENT, Verdict.UNREACHED])
def test_what_holds_a_rollout_without_blame_holds_it_too(verdict: Verdict) -> None:
    world = at_slow_step()
    world.verdicts["iris-2"] = verdict
    promote(world)
    pass_by(world, 10)
    assert world.status.phase is Phase.HELD
    assert max(world.weights_seen) == 10


def test_without_metrics_nothing_moves() -> None:
    world = at_slow_step()
    promote(world)
    pass_by(world, 1)
    world.metrics = False
    world.traffic(seconds=60)
    pass_by(world, 20)
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"


def test_it_lets_a_paused_rollout_go_on() -> None:
    # given
    world = at_slow_step()
    world.command = "pause/iris-2/a"
    run_until(world, Phase.HELD)
    # when
    promote(world)
    run_until(world, Phase.STABLE)
    # then
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-2"


@pytest.mark.parametrize("approval", ["BeforeTraffic", "BeforePromotion"])
def test_it_is_no_approval(approval: str) -> None:
    # given a promotion
    world = slow(rollout={**SLOW, "approval": approval})
    promote(world)
    # when
    pass_by(world, 40)
    # then the gate is still closed
    assert world.status.hold is not None
    assert world.status.hold.reason == "AwaitingApproval"
    # and once it is open, nothing else is waited for
    world.command = "approve/iris-2/b"
    run_until(world, Phase.STABLE)


def test_it_does_not_skip_checks() -> None:
    # given a candidate whose check has not ended
    world = checked()
    promote(world)
    # when the check fails
    world.end_jobs(CheckResult.FAILED, "3 of 10 answers differ")
    for _ in range(10):
        world.kubelet(frozenset({"iris-1", "iris-2"}))
        world.reconcile()
        world.traffic()
    # then
    assert world.status.failed[0].reason == "ChecksFailed"


def checked() -> World:
    """A world whose second revision is being checked."""
    world = slow(checks={"jobs": [{"name": "contract"}]})
    for _ in range(10):
        world.kubelet(frozenset({"iris-1", "iris-2"}))
        world.reconcile()
        world.traffic()
    assert world.jobs
    return world


def test_who_takes_over_already_needs_no_command() -> None:
    world = rolling(Phase.FINISHING)
    world.command = "promote/iris-2/a"
    assert world.decide().warning == "nothing to promote: iris-2 takes over already"


def test_a_first_revision_has_nothing_to_skip() -> None:
    world = World()
    world.reconcile()
    world.command = "promote/iris-1/a"
    assert world.decide().warning == (
        "nothing to promote: iris-1 has no holds, and gets all traffic as soon as its pods are ready"
    )
