"""Smoke, where a spec says nothing about it: it may take a candidate back, and keeps none from its users."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.progress.checking import await_check, checking, later, names, wait_for
from tests.rollout.scenes import at_stable, run_until
from tests.rollout.world import SETTINGS, World, spec_for

from viridian.api.names import Color
from viridian.api.status import CheckResult, Phase
from viridian.rollout.checks import LONGEST, STUCK
from viridian.rollout.observed import ApplyFailure


def checking_by_default(**changes: object) -> World:
    """A candidate whose spec asks for no check, and an operator that runs smoke all the same."""
    world = at_stable(**changes)
    world.settings = replace(SETTINGS, smoke=True)
    world.weights_seen.clear()
    world.edit(spec_for("v2.0.0", **changes))
    await_check(world)
    return world


def test_smoke_runs_by_default_and_takes_a_bad_candidate_back():
    # given
    world = checking_by_default()
    assert list(world.jobs) == [("iris-2", "smoke")]
    # when it finds something
    world.end_jobs(CheckResult.FAILED, "the sample is answered with status 500")
    wait_for(world, Phase.ROLLED_BACK)
    # then no user has met it
    assert set(world.weights_seen) <= {0}
    assert world.status.failed[0].reason == "ChecksFailed"


@pytest.mark.parametrize(
    ("checks", "smoke", "names"),
    [
        ({}, True, ("smoke",)),
        ({}, False, ()),
        ({"smoke": False}, True, ()),
        ({"smoke": True}, False, ("smoke",)),
        ({"golden": {}}, False, ("smoke", "golden")),
        ({"golden": {}, "smoke": False}, True, ("golden",)),
        ({"kept": {}}, True, ("smoke",)),
    ],
)
def test_when_smoke_runs(checks: dict[str, object], smoke: bool, names: tuple[str, ...]):
    assert spec_for(checks=checks).checks.names_with(smoke=smoke) == names


def test_smoke_that_cannot_run_keeps_nobody_from_a_candidate_that_asks_for_no_check():
    # given smoke by default, for whose pod there is no room
    world = checking_by_default()
    begun = world.status.checks[0].started_at
    world.end_jobs(CheckResult.CANNOT_RUN, "no node has room")
    # when a minute has not passed, then it is waited for, and it is said why
    world.now = world.fresh_at = begun + timedelta(seconds=50)
    later(world, 1)
    assert (names(world), world.status.checks[0].message) == ([("smoke", "Running")], "no node has room")
    assert world.status.phase is Phase.STARTING
    # when it has, then the Job ends and the rollout goes on, and that is said
    world.now = world.fresh_at = begun + timedelta(minutes=1)
    world.reconcile()
    assert (names(world), world.jobs) == ([("smoke", "CannotRun")], {})
    wait_for(world, Phase.PROGRESSING)
    told = "no node has room. The rollout goes on without it; spec.checks.smoke: true would wait for it"
    assert (names(world), world.status.checks[0].message) == ([("smoke", "CannotRun")], told)
    # and the note stays to the end
    run_until(world, Phase.STABLE)
    assert world.status.history[0].checks == "smoke cannotrun"


def test_smoke_whose_job_is_refused_cannot_run_either():
    # given a quota that refuses its Job
    world = checking_by_default()
    world.jobs.clear()
    world.apply_failure = ApplyFailure("Refused", "exceeded quota")
    # when a minute has passed
    world.now = world.fresh_at = world.status.checks[0].started_at + STUCK
    world.reconcile()
    # then it is left out
    assert names(world) == [("smoke", "CannotRun")]
    assert world.status.checks[0].message.startswith("exceeded quota. The rollout goes on without it")
    assert world.jobs == {}


def test_smoke_that_runs_is_not_left_out_for_another_refusal():
    world = checking_by_default()
    world.apply_failure = ApplyFailure("Refused", "a webhook refuses the PodDisruptionBudget")
    world.now = world.fresh_at = world.status.checks[0].started_at + STUCK
    world.reconcile()
    assert names(world) == [("smoke", "Running")]


def test_smoke_by_default_has_five_minutes():
    # given one that runs on and on
    world = checking_by_default()
    begun = world.status.checks[0].started_at
    world.now = world.fresh_at = begun + LONGEST - timedelta(seconds=10)
    later(world, 1)
    assert names(world) == [("smoke", "Running")]
    # when
    world.now = world.fresh_at = begun + LONGEST
    wait_for(world, Phase.PROGRESSING)
    # then
    assert world.jobs == {}
    assert world.status.checks[0].message.startswith("it has not ended within 5m. The rollout goes on without it")


def test_smoke_by_default_keeps_no_fix_from_users_whom_nobody_answers():
    # given smoke of a fix, and stable without a pod, which smoke cannot be compared with
    world = checking_by_default()
    later(world, 20, frozenset({"iris-2"}))
    # then the fix answers
    assert world.route is not None
    assert world.route.split(Color.GREEN) == 100


def test_smoke_that_is_asked_for_is_waited_for():
    world = checking(checks={"smoke": True})
    world.end_jobs(CheckResult.CANNOT_RUN, "no node has room")
    world.now = world.fresh_at = world.now + STUCK
    later(world)
    assert world.status.phase is Phase.HELD
