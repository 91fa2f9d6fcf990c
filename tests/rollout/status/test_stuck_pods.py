"""Pods that stay when they should be gone: what ends without them, what waits for them, and what status says."""

from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, at_step, decided, message, pass_by, rolling
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.rollout.observed import Pod

BLUE, GREEN = Color.BLUE, Color.GREEN
WHY = "pod iris-green-x on node n2 should have been gone, but its node is dead; delete it"


def leave(world: World, color: Color, revision: str, stuck: str = WHY) -> None:
    """Put a pod into a color that is deleted and does not go."""
    pods = [pod for pod in world.pods[color] if pod.uid != "left"]
    world.pods[color] = [*pods, Pod("left", revision, False, True, stuck=stuck)]


def pass_with(world: World, color: Color, revision: str, stuck: str = WHY, passes: int = 60) -> None:
    """Passes of an operator in a world whose kubelets work, but for that of one pod."""
    for _ in range(passes):
        world.kubelet()
        leave(world, color, revision, stuck)
        world.reconcile()
        world.traffic()


@pytest.mark.parametrize(("stuck", "phase"), [(WHY, Phase.ROLLED_BACK), ("", Phase.ROLLING_BACK)])
def test_a_rollback_ends_without_a_pod_that_is_stuck(stuck, phase):
    # given a candidate that is aborted, and a pod of it that does not go
    world = at_step()
    world.command = "abort/iris-2/a"
    # when all others are gone, then the rollback waits only while that one may still go by itself
    pass_with(world, GREEN, "iris-2", stuck)
    assert world.status.phase is phase


@pytest.mark.parametrize(("stuck", "phase"), [(WHY, Phase.STABLE), ("", Phase.FINISHING)])
def test_a_promotion_ends_without_a_pod_of_the_old_color_that_is_stuck(stuck, phase):
    world = rolling(Phase.FINISHING)
    pass_with(world, BLUE, "iris-1", stuck)
    assert world.status.phase is phase


def test_a_rollback_waits_for_a_pod_beside_the_one_that_is_stuck():
    world = at_step()
    world.command = "abort/iris-2/a"
    pass_with(world, GREEN, "iris-2", stuck="")
    world.pods[GREEN].append(Pod("another", "iris-2", False, True, stuck=WHY))
    assert world.decide().status.phase is Phase.ROLLING_BACK


def test_the_next_rollout_in_that_color_waits_and_names_the_pod():
    # given a rollback that has left a pod behind
    world = at_step()
    world.command = "abort/iris-2/a"
    pass_with(world, GREEN, "iris-2")
    # when another version is asked for, then nothing is written into that color, and status says why
    world.edit(spec_for("v3.0.0"))
    pass_with(world, GREEN, "iris-2")
    text = f"v3.0.0 (green) is waiting: {WHY}"
    assert world.deployments[GREEN] == ("iris-2", 0)
    assert (world.status.phase, message(world, "Stalled")) == (Phase.STARTING, text)
    found = {c.type: (c.status, c.reason) for c in world.status.conditions}
    assert found["Stalled"] == ("True", "PodStuckTerminating")
    assert found["Ready"] == ("False", "Starting")
    assert found["Available"][0] == "True"
    # and when it is gone, the rollout goes on by itself
    pass_by(world, 5)
    assert world.deployments[GREEN][0] == "iris-3"
    assert message(world, "Stalled") == "no obstacle"


def test_a_rollout_that_ends_at_its_deadline_names_the_pod_that_it_waited_for():
    world = at_step()
    world.command = "abort/iris-2/a"
    pass_with(world, GREEN, "iris-2")
    world.edit(spec_for("v3.0.0"))
    pass_with(world, GREEN, "iris-2", passes=2)
    world.now += timedelta(minutes=10)
    pass_with(world, GREEN, "iris-2", passes=5)
    assert world.status.phase is Phase.EXPIRED
    assert WHY in world.status.expired[0].message


@pytest.mark.parametrize(("color", "revision"), [(BLUE, "iris-1"), (GREEN, "iris-2"), (BLUE, "iris-0")])
def test_a_stuck_pod_in_a_color_that_runs_what_it_should_is_in_the_way_of_nothing(color, revision):
    # given a node that dies in a rollout: the Deployment makes another pod, and the old one stays
    world = at_step()
    leave(world, color, revision)
    assert message(decided(world), "Stalled") == "no obstacle"


def test_what_is_left_in_the_other_color_is_in_the_way_of_nothing_at_rest():
    world = at_stable()
    leave(world, GREEN, "iris-0")
    found = decided(world)
    assert message(found, "Stalled") == "no obstacle"
    assert message(found, "Ready") == "v1.0.0 serves all requests"
