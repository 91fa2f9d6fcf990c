"""Checks before traffic: a candidate that fails one is taken back, and no user has met it."""

import pytest
from tests.rollout.progress.checking import CHECKS, checking, later, names, wait_for
from tests.rollout.scenes import at_stable, condition, message, pass_by, rolling, run_until
from tests.rollout.world import NAME, World, spec_for

from viridian.api.names import Color
from viridian.api.status import CheckResult, Phase
from viridian.api.status.changes import evolve
from viridian.rollout.checks import open_check, summary, track_checks
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import RouteFacts


def test_checks_run_one_after_the_other_and_traffic_follows():
    # given a candidate with three checks
    world = checking()
    assert names(world) == [("smoke", "Running")]
    later(world)
    assert list(world.jobs) == [("iris-2", "smoke")]
    assert message(world, "Reconciling") == "v2.0.0 starts: 2 of 2 pods ready; waiting for its check smoke"
    # when each is passed, the next one begins
    for name in ("golden", "contract"):
        world.end_jobs(CheckResult.PASSED, "30 of 30 answers are as expected")
        later(world)
        assert list(world.jobs)[-1] == ("iris-2", name)
        assert world.route is not None
        assert world.route.split(Color.GREEN) == 0
    world.end_jobs(CheckResult.PASSED)
    # then the walk of weights begins, and history names them
    run_until(world, Phase.STABLE)
    assert names(world) == [("smoke", "Passed"), ("golden", "Passed"), ("contract", "Passed")]
    assert world.status.checks[1].message == "30 of 30 answers are as expected"
    assert world.status.history[0].checks == "smoke passed, golden passed, contract passed"


@pytest.mark.parametrize("rollout", [{}, {"rollout": {"type": "BlueGreen", "bake": {"duration": "20s"}}}])
def test_a_failed_check_takes_the_candidate_back_before_any_traffic(rollout):
    world = checking(**rollout)
    world.end_jobs(CheckResult.FAILED, "3 of 30 answers differ: row 7 is 0.2 and not 0.9")
    wait_for(world, Phase.ROLLED_BACK)
    # then nobody was led to it, it is blocked, and the reason is told
    assert set(world.weights_seen) <= {0}
    assert condition(world, "Stalled") == ("True", "ChecksFailed")
    told = "v2.0.0 failed the check smoke before any traffic: 3 of 30 answers differ: row 7 is 0.2 and not 0.9"
    assert world.status.failed[0].message == told
    assert world.status.history[0].checks == "smoke failed"
    # and retry runs the checks again, as another revision's
    world.command = "retry/iris-2/1"
    run_until(world, Phase.STABLE)
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-3"
    assert [check.revision for check in world.status.checks] == ["iris-3"] * 3


def test_a_first_revision_passes_its_checks_before_its_route_exists():
    world = World(spec_for(checks={"smoke": True}))
    later(world, 6)
    assert names(world) == [("smoke", "Running")]
    assert world.route is None
    world.end_jobs(CheckResult.FAILED, "the sample is answered with status 500")
    run_until(world, Phase.ROLLED_BACK)
    assert world.route is None
    assert world.status.stable is None


def test_a_check_that_cannot_run_blames_nobody():
    # given
    world = checking()
    # when its pod cannot start
    world.end_jobs(CheckResult.CANNOT_RUN, "no room on any node")
    later(world)
    # then the candidate waits
    assert world.status.phase is Phase.HELD
    assert condition(world, "Stalled") == ("True", "CheckCannotRun")
    assert message(world, "Stalled").endswith("gets no traffic and is not blamed: no room on any node")
    assert world.status.failed == []
    # until it can
    world.end_jobs(CheckResult.RUNNING)
    later(world)
    assert (world.status.phase, world.status.hold) == (Phase.STARTING, None)
    # or until somebody has deleted the Job, or time has run out
    world.end_jobs(CheckResult.CANNOT_RUN, "image not found")
    later(world)
    world.jobs.clear()
    later(world)
    assert list(world.jobs) == [("iris-2", "smoke")]
    world.end_jobs(CheckResult.CANNOT_RUN, "image not found")
    later(world)
    world.now = world.fresh_at = world.now.replace(hour=1)
    wait_for(world, Phase.EXPIRED)
    assert "the check smoke of v2.0.0 cannot run" in world.status.history[0].message


def test_a_check_whose_pods_have_gone_is_not_begun():
    # given a check that was decided on
    world = checking()
    world.jobs.clear()
    # when there is no pod to check, then it waits for one
    world.pods[Color.GREEN] = []
    world.reconcile()
    assert world.jobs == {}
    later(world)
    assert list(world.jobs) == [("iris-2", "smoke")]


def test_a_check_that_runs_ends_with_its_candidate():
    world = checking()
    world.command = "abort/iris-2/1"
    later(world)
    assert world.jobs == {}
    run_until(world, Phase.ROLLED_BACK)
    assert world.status.history[0].result == "RolledBack"


def test_a_check_that_the_spec_asks_for_no_more_ends_and_is_not_waited_for():
    world = checking()
    world.end_jobs(CheckResult.CANNOT_RUN, "no room on any node")
    later(world)
    world.edit(spec_for("v2.0.0"))
    later(world)
    assert world.jobs == {}
    assert world.status.checks == []
    wait_for(world, Phase.PROGRESSING)


def test_a_paused_candidate_is_not_checked():
    world = at_stable(checks=CHECKS)
    world.jobs.clear()
    world.edit(spec_for("v2.0.0", checks=CHECKS))
    world.reconcile()
    world.kubelet(frozenset({"iris-1"}))
    world.command = "pause/iris-2/1"
    world.reconcile()
    later(world, 6)
    assert world.status.phase is Phase.HELD
    assert world.jobs == {}


def test_a_result_stays_when_the_job_is_gone():
    world = checking()
    world.end_jobs(CheckResult.PASSED)
    later(world, 1)
    world.jobs = {key: job for key, job in world.jobs.items() if key[1] != "smoke"}
    later(world, 1)
    assert names(world)[0] == ("smoke", "Passed")
    assert ("iris-2", "smoke") not in world.jobs


def test_an_earlier_revision_that_comes_back_is_not_checked_again():
    world = rolling(Phase.FINISHING, checks=CHECKS)
    run_until(world, Phase.STABLE)
    world.jobs.clear()
    world.command = "rollback/iris-2/1"
    pass_by(world)
    run_until(world, Phase.ROLLED_BACK)
    assert world.jobs == {}
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"


def test_stable_that_is_gone_hands_nobody_to_a_candidate_that_was_not_checked():
    world = checking()
    world.kubelet(frozenset({"iris-2"}))
    later(world, 20, frozenset({"iris-2"}))
    assert world.status.candidate is not None
    assert world.route is not None
    assert world.route.split(Color.GREEN) == 0


# ------------------------------------------------------------------ when a check is due, and what is noted of it


def seen(world: World) -> RolloutContext:
    """What the rules see of a world now."""
    return RolloutContext(NAME, world.spec, world.status, world.observe(), world.settings, world.now)


def test_a_check_has_ended_when_its_result_was_first_known():
    # given a check that runs, and then cannot
    world = checking()
    assert world.status.checks[0].ended_at is None
    world.end_jobs(CheckResult.CANNOT_RUN, "no room on any node")
    world.reconcile()
    first = world.status.checks[0].ended_at
    assert first is not None
    # when that goes on, then the time stays; when it runs again, it is gone
    later(world)
    assert world.status.checks[0].ended_at == first
    world.end_jobs(CheckResult.RUNNING)
    later(world, 1)
    assert world.status.checks[0].ended_at is None
    # and a result has its own
    world.end_jobs(CheckResult.PASSED)
    now = world.now
    world.reconcile()
    assert world.status.checks[0].ended_at == now


def test_no_check_is_due_of_a_candidate_that_goes():
    world = checking()
    assert open_check(seen(world)) == "smoke"
    world.command = "abort/iris-2/1"
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    assert open_check(seen(world)) is None


def test_a_first_revision_that_users_have_reached_is_not_checked():
    # given a first revision that takes its traffic, and a check that the spec asks for since then
    world = World()
    run_until(world, Phase.FINISHING)
    world.spec = spec_for(checks=CHECKS)
    assert open_check(seen(world)) is None
    # nor once its route is there, whatever the phase
    world.reconcile()
    assert world.route is not None
    world.status = evolve(world.status, phase=Phase.STARTING)
    assert open_check(seen(world)) is None
    # but before
    world.route = None
    assert open_check(seen(world)) == "smoke"


def test_a_candidate_that_takes_over_is_not_checked_any_more():
    world = rolling(Phase.FINISHING)
    world.spec = spec_for("v2.0.0", checks=CHECKS)
    world.status = evolve(world.status, step=None)
    assert open_check(seen(world)) is None


def test_somebody_who_leads_users_to_a_candidate_by_hand_spares_it_no_check():
    world = checking()
    world.route = RouteFacts(rules=({Color.BLUE: 50, Color.GREEN: 50},))
    assert open_check(seen(world)) == "smoke"


def test_what_was_noted_of_an_earlier_candidate_is_left_alone():
    world = checking()
    old = evolve(world.status.checks[0], revision="iris-0", result=CheckResult.CANNOT_RUN, message="as it was")
    world.status = evolve(world.status, checks=[old, *world.status.checks])
    world.end_jobs(CheckResult.CANNOT_RUN, "no room on any node")
    assert track_checks(seen(world)).checks[0] == old


def test_the_summary_fits_into_the_history():
    check = checking().status.checks[0]
    assert summary([check]) == "smoke running"
    assert len(summary([evolve(check, name="x" * 32)] * 40)) == 1024
