"""Replicas in the hands of a HorizontalPodAutoscaler."""

from tests.rollout.scenes import at_stable, pass_by, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.rollout.observed import Autoscaler

CPU = {"resources": {"requests": {"cpu": "100m"}}}
SERVING = {"autoscaling": {"minReplicas": 2, "maxReplicas": 10, "cpuPercent": 60}, "triton": CPU, "api": CPU}


def scaled_to(count: int) -> World:
    """A world in which an autoscaler has brought stable to so many pods."""
    world = at_stable(serving=SERVING)
    world.deployments[Color.BLUE] = ("iris-1", count)
    pass_by(world)
    return world


def test_at_rest_the_autoscaler_has_the_bounds_of_the_spec():
    world = at_stable(serving=SERVING)
    assert world.autoscalers == {Color.BLUE: Autoscaler(2, 10, 60)}
    assert world.deployments[Color.BLUE] == ("iris-1", 2)


def test_the_operator_never_writes_replicas_that_an_autoscaler_owns():
    world = scaled_to(7)  # World.apply raises if it does
    world.edit(spec_for("v2.0.0", serving=SERVING))
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_during_a_rollout_stable_keeps_its_count_and_the_candidate_its_floor():
    world = scaled_to(7)
    world.edit(spec_for("v2.0.0", serving=SERVING))
    run_until(world, Phase.BAKING)
    pass_by(world, 2)
    assert world.autoscalers[Color.BLUE] == Autoscaler(7, 10, 60)
    assert world.autoscalers[Color.GREEN] == Autoscaler(7, 10, 60)  # ceil(7 x 95 %)


def test_floors_go_after_the_bake():
    world = scaled_to(7)
    world.edit(spec_for("v2.0.0", serving=SERVING))
    world.settle()
    pass_by(world, 2)
    assert world.autoscalers == {Color.GREEN: Autoscaler(2, 10, 60)}
    assert world.deployments[Color.BLUE][1] == 0


def test_a_step_wants_its_share_of_what_stable_had():
    world = scaled_to(7)
    world.edit(spec_for("v2.0.0", serving=SERVING))
    run_until(world, Phase.PROGRESSING)
    assert world.deployments[Color.GREEN] == ("iris-2", 2)  # ceil(7 x 10 %) is 1
    while world.status.step is None or world.status.step.index < 2:
        pass_by(world)
    pass_by(world, 2)
    assert world.deployments[Color.GREEN] == ("iris-2", 4)  # ceil(7 x 50 %)


def test_autoscaling_that_is_taken_out_of_the_spec_gives_the_replicas_back():
    world = scaled_to(7)
    world.edit(spec_for("v1.0.0", serving={"replicas": 3, "triton": CPU, "api": CPU}))
    pass_by(world, 3)
    assert world.autoscalers == {}
    assert world.deployments[Color.BLUE] == ("iris-1", 3)
    assert world.status.last_revision == 1
