"""A step is verified by the split that is seen, not by single requests."""

import random
from datetime import timedelta

import pytest
from tests.rollout.test_decide import at_stable, condition, run_until
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


def test_counts_that_fell_with_their_pods_are_no_evidence():
    before = step(50, 10).model_copy(update={"requests_before": 100, "stable_requests_before": 900})
    fallen = follow(before, 90, 600, START)
    assert fallen.verified_at is None
    assert fallen.lagging_since is None
    assert follow(fallen, 90 + 20, 600 + 20, START).verified_at == START


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
