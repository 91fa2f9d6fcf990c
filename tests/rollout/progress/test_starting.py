"""What a candidate waits for before its first step."""

from dataclasses import replace

import pytest
from tests.rollout.progress.changes import BLUE, GREEN, next_status, promoted, set_status
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.rollout import Approval
from viridian.api.status import (
    Approved,
    Hold,
    Phase,
    Return,
)

# ------------------------------------------------------------------ Starting


def test_without_a_candidate_there_is_nothing_to_start():
    world = at_stable()
    set_status(world, phase=Phase.STARTING)
    assert next_status(world).phase is Phase.PENDING


@pytest.mark.parametrize(
    ("ready", "seen", "phase"), [(1, 2, Phase.STARTING), (2, 1, Phase.STARTING), (2, 2, Phase.PROGRESSING)]
)
def test_the_first_step_wants_pods_that_are_ready_and_that_the_guards_see(ready, seen, phase):
    world = rolling(Phase.STARTING)
    world.kubelet()
    world.pods[GREEN] = [replace(pod, ready=number < ready) for number, pod in enumerate(world.pods[GREEN])]
    world.reporting = {"iris-1": 3, "iris-2": seen}
    assert next_status(world).phase is phase


def test_a_first_revision_wants_all_its_pods_and_a_route_that_can_be():
    world = World()
    world.reconcile()
    world.kubelet()
    assert next_status(world).phase is Phase.FINISHING
    world.pods[BLUE] = world.pods[BLUE][:2]
    assert next_status(world).phase is Phase.STARTING
    world.taken = "another's"
    assert next_status(world).phase is Phase.STALLED
    set_status(world, phase=Phase.STALLED)
    world.taken = None
    assert next_status(world).phase is Phase.STARTING


def test_a_later_revision_starts_whatever_the_gateway_says():
    world = rolling(Phase.STARTING)
    world.gateway_problem = "no Gateway"
    assert next_status(world).phase is Phase.STARTING


def test_what_comes_back_wants_all_its_pods_no_approval_and_no_counters():
    # given an earlier revision that comes back by command, with an approval that others would need
    world = promoted()
    rollout = {**world.spec.rollout.model_dump(by_alias=True), "approval": "BeforeTraffic"}
    world.edit(spec_for("v2.0.0", rollout=rollout))
    pass_by(world)
    world.command = "rollback/iris-2/now"
    world.reconcile()
    assert world.status.returning == Return(instead_of="iris-2", generation=world.generation)
    world.kubelet()
    world.reporting = {}

    # then it takes over as soon as they are ready
    assert next_status(world).phase is Phase.FINISHING
    world.pods[BLUE] = world.pods[BLUE][:2]
    assert next_status(world).phase is Phase.STARTING


def test_what_comes_back_waits_while_it_is_paused():
    world = promoted()
    world.command = "rollback/iris-2/now"
    world.reconcile()
    world.command = "pause/iris-1/a"
    world.reconcile()
    world.kubelet()
    status = next_status(world)
    assert (status.phase, status.hold.reason) == (Phase.HELD, "Paused")


def test_a_pause_holds_a_candidate_before_it_is_ready():
    world = rolling(Phase.STARTING)
    world.pods[GREEN] = []
    world.command = "pause/iris-2/a"
    world.reconcile()
    assert next_status(world).phase is Phase.HELD


def test_an_approval_is_asked_for_when_the_pods_are_ready():
    world = at_stable()
    rollout = {**world.spec.rollout.model_dump(by_alias=True), "approval": "BeforeTraffic"}
    world.edit(spec_for("v2.0.0", rollout=rollout))
    world.reconcile()
    assert next_status(world).phase is Phase.STARTING
    world.kubelet()
    status = next_status(world)
    assert status.phase is Phase.HELD
    assert status.hold == Hold(
        reason="AwaitingApproval",
        message=(
            "v2.0.0 gets no traffic until it is approved (rollout.approval: BeforeTraffic): annotate the model with"
            " viridian.dev/command=approve/iris-2/ID"
        ),
        since=world.now,
    )


def test_an_approved_candidate_whose_pods_went_meanwhile_starts_again_and_is_held_no_more():
    world = at_stable()
    rollout = {**world.spec.rollout.model_dump(by_alias=True), "approval": "BeforeTraffic"}
    world.edit(spec_for("v2.0.0", rollout=rollout))
    run_until(world, Phase.HELD)
    # approved and ready
    set_status(world, approved=Approved(revision="iris-2", gate=Approval.BEFORE_TRAFFIC))
    status = next_status(world)
    assert (status.phase, status.hold) == (Phase.PROGRESSING, None)
    # approved, but not ready
    world.pods[GREEN] = []
    status = next_status(world)
    assert (status.phase, status.hold) == (Phase.STARTING, None)
