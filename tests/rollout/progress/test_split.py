"""A step is verified by the split that is seen, not by single requests."""

import random
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, pass_by, run_until
from tests.rollout.world import SETTINGS, START, World, spec_for

from viridian.api.status import Phase, StepStatus
from viridian.rollout.split import follow


def step(asked: int, before: int) -> StepStatus:
    return StepStatus(index=2, count=2, weight=asked, weight_before=before, intended_at=START)


def requests_until_verified(asked: int, before: int, actual: float, most: int, seed: int) -> int | None:
    """So many requests it takes, one look after each; None when all of them do not do."""
    chance, unverified, counts = random.Random(seed), step(asked, before), [0, 0]
    for number in range(1, most + 1):
        counts[chance.random() >= actual] += 1
        unverified = follow(unverified, *counts, START)
        if unverified.verified_at is not None:
            return number
    return None


@pytest.mark.parametrize(("before", "asked", "enough"), [(10, 50, 150), (50, 90, 200), (5, 25, 500), (90, 100, 500)])
def test_a_gateway_that_follows_is_seen_to_follow_within_few_requests(before, asked, enough):
    for seed in range(50):
        assert requests_until_verified(asked, before, asked / 100, enough, seed) is not None


@pytest.mark.parametrize(("before", "asked"), [(0, 10), (0, 100), (10, 50), (50, 90), (5, 25), (90, 100)])
def test_a_gateway_that_stays_behind_is_not_taken_for_one_that_follows(before, asked):
    # of fifty tests with a thousand requests each, each with many chances to be wrong by luck
    wrong = sum(requests_until_verified(asked, before, before / 100, 1000, seed) is not None for seed in range(50))
    assert wrong <= 1


def test_the_first_request_decides_where_there_were_none_before():
    assert follow(step(10, 0), 0, 500, START).verified_at is None
    assert follow(step(10, 0), 1, 500, START).verified_at == START
    assert follow(step(100, 0), 1, 3, START).verified_at == START


def test_a_step_of_the_same_weight_as_the_one_before_has_nothing_to_wait_for_but_a_request():
    assert follow(step(50, 50), 0, 5, START).verified_at is None
    assert follow(step(50, 50), 1, 5, START).verified_at == START


def test_requests_from_before_the_step_are_forgotten_as_soon_as_they_speak_against_it():
    # given five hundred requests that were still split as before
    late = follow(step(50, 10), 50, 450, START)
    assert late.verified_at is None
    assert late.lagging_since == START

    # when a few come that are split as asked for
    verified = follow(late, 50 + 20, 450 + 20, START + timedelta(seconds=2))

    # then they are enough
    assert verified.verified_at == START + timedelta(seconds=2)
    assert verified.lagging_since is None


@pytest.mark.parametrize(("here", "there"), [(90, 600), (90, 901), (101, 600)])
def test_counts_that_fell_with_their_pods_are_no_evidence(here, there):
    before = step(50, 10).model_copy(update={"requests_before": 100, "stable_requests_before": 900})
    fallen = follow(before, here, there, START)
    assert fallen.verified_at is None
    assert fallen.lagging_since is None
    assert follow(fallen, here + 20, there + 20, START).verified_at == START


@pytest.mark.parametrize(
    ("asked", "before", "here", "there", "verdict"),
    [
        # requests of one color alone: ln(10,000) = 9.21 is reached in steps of ln(asked / before)
        (10, 1, 3, 0, None),
        (10, 1, 4, 0, "verified"),  # ten times likelier, four times over: exactly ten thousand times
        (12, 10, 50, 0, None),
        (12, 10, 51, 0, "verified"),
        (12, 10, 0, 409, None),
        (12, 10, 0, 410, "lagging"),
        (10, 12, 50, 0, None),
        (10, 12, 51, 0, "lagging"),
        (10, 12, 0, 409, None),
        (10, 12, 0, 410, "verified"),
        # of both
        (50, 10, 8, 7, None),
        (50, 10, 8, 6, "verified"),
        (50, 10, 2, 21, None),
        (50, 10, 2, 22, "lagging"),
        # stable had nothing, or is to have nothing: the candidate's requests tell
        (90, 100, 1000, 0, "lagging"),
        (90, 100, 87, 0, None),
        (90, 100, 88, 0, "lagging"),
        (90, 100, 0, 1, "verified"),
        (100, 90, 87, 0, None),
        (100, 90, 88, 0, "verified"),
        (100, 90, 88, 1, "lagging"),
        # no weight asked for, as when steps were edited
        (0, 10, 1, 0, "lagging"),
        # the same weight as before
        (50, 50, 0, 9, None),
        (50, 50, 1, 0, "verified"),
    ],
)
def test_a_split_is_told_from_the_one_before_when_it_is_ten_thousand_times_likelier(
    asked, before, here, there, verdict
):
    later = START + timedelta(seconds=2)
    seen = follow(step(asked, before), here, there, later)
    times = {"verified": (later, None), "lagging": (None, later), None: (None, None)}
    assert (seen.verified_at, seen.lagging_since) == times[verdict]


def test_requests_are_counted_anew_from_each_verdict_on():
    verified = follow(step(50, 10), 20, 20, START)
    assert (verified.requests_before, verified.stable_requests_before) == (20, 20)
    lagging = follow(step(50, 10), 5, 45, START)
    assert (lagging.requests_before, lagging.stable_requests_before) == (5, 45)
    undecided = follow(step(50, 10), 1, 1, START)
    assert (undecided.requests_before, undecided.stable_requests_before) == (0, 0)


def test_a_gateway_that_stays_behind_lags_since_it_was_first_seen_to():
    late = follow(step(50, 10), 5, 45, START)
    later = follow(late, 10, 90, START + timedelta(seconds=2))
    assert later.lagging_since == START


def stopped_gateway(phase: Phase, index: int) -> World:
    """A world whose gateway stops just before a step."""
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    for _ in range(200):
        world.kubelet()
        world.reconcile()
        if world.status.phase is phase and world.status.step is not None and world.status.step.index == index:
            world.gateway = False
            return world
        world.traffic()
    raise AssertionError(f"step {index} was not reached")


@pytest.mark.parametrize(("phase", "index"), [(Phase.PROGRESSING, 1), (Phase.PROGRESSING, 2), (Phase.BAKING, 3)])
def test_no_hold_runs_while_the_gateway_does_not_follow_and_the_rollout_goes_on_when_it_does(phase, index):
    # given a gateway that stopped before a step
    world = stopped_gateway(phase, index)

    # when time passes, far more than the step's hold
    for _ in range(60):
        world.kubelet()
        world.reconcile()
        world.traffic()

    # then the step is not verified, and its owner reads why
    assert world.status.phase is phase
    assert world.status.step is not None
    assert (world.status.step.index, world.status.step.verified_at) == (index, None)
    message = next(c.message for c in world.status.conditions if c.type == "Reconciling")
    assert "check that the gateway's controller runs" in message

    # and when the gateway is back, the rollout ends well
    world.gateway = True
    world.settle()
    assert world.status.phase is Phase.STABLE
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_at_the_deadline_the_gateway_is_named():
    world = stopped_gateway(Phase.PROGRESSING, 2)
    run_until(world, Phase.EXPIRED, rounds=400)
    assert condition(world, "Stalled") == ("True", "DeadlineExceeded")
    assert "gateway's controller" in world.status.expired[0].message


def test_a_gateway_that_follows_a_moment_late_is_not_complained_of():
    world = stopped_gateway(Phase.PROGRESSING, 2)
    messages = []
    for _ in range(2):
        world.traffic(seconds=SETTINGS.quiet.total_seconds() / 3)
        world.reconcile()
        messages += [c.message for c in world.status.conditions if c.type == "Reconciling"]
    assert not [message for message in messages if "controller" in message]


def test_a_gateway_that_stays_behind_for_three_scrapes_is_named_with_what_it_should_do():
    # given
    world = stopped_gateway(Phase.PROGRESSING, 2)
    pass_by(world, 10)
    assert world.status.step is not None
    assert world.status.step.lagging_since is not None
    # when so much time has passed, and not before
    world.now = world.status.step.lagging_since + SETTINGS.quiet
    named = next(c.message for c in world.decide().status.conditions if c.type == "Reconciling")
    world.now -= timedelta(milliseconds=1)
    silent = next(c.message for c in world.decide().status.conditions if c.type == "Reconciling")
    # then
    assert named == (
        "v2.0.0 is at step 2 of 2: the route gives the candidate 50 %, but it is seen to complete 10 % of the requests,"
        " as before this step: check that the gateway's controller runs, what the status of HTTPRoute iris says, and"
        " that requests reach the candidate's pods"
    )
    assert silent == "v2.0.0 is at step 2 of 2: waiting for requests to be seen split at 50 %"
