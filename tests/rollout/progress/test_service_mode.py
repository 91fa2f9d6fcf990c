"""Without a gateway the Service NAME is all there is; with one, BlueGreen flips at once."""

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts

SERVICE = {"traffic": {}}
FLIP = {"rollout": {"type": "BlueGreen", "bake": {"duration": "20s", "holdback": 10}, "deadline": "10m"}}


def test_the_type_is_canary_with_a_gateway_and_blue_green_without():
    assert spec_for().is_canary
    assert not spec_for(**SERVICE).is_canary
    assert not spec_for(**FLIP).is_canary


def test_canary_without_a_gateway_is_refused():
    with pytest.raises(ValueError, match="Canary splits the traffic at a gateway"):
        ModelDeploymentSpec.model_validate(
            {"model": {"version": "v1", "uri": "image:///m"}, "rollout": {"type": "Canary"}}
        )


def test_a_first_revision_without_a_gateway_is_reached_by_its_service():
    world = at_stable(**SERVICE)
    assert world.stable_service is Color.BLUE
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"


def test_the_flip_is_the_selector_and_stable_swaps_after_the_bake():
    world = at_stable(**SERVICE)
    world.edit(spec_for("v2.0.0", **SERVICE))
    run_until(world, Phase.BAKING)
    pass_by(world)
    assert world.stable_service is Color.GREEN
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-1"
    assert world.deployments[Color.BLUE] == ("iris-1", 3)
    world.settle()
    assert world.status.stable.revision == "iris-2"
    assert world.weights_seen == [100, 100]
    assert world.deployments[Color.BLUE][1] == 0


def test_a_flip_waits_for_as_many_pods_as_stable_has():
    world = at_stable(**SERVICE)
    world.edit(spec_for("v2.0.0", **SERVICE))
    run_until(world, Phase.BAKING)
    assert world.deployments[Color.GREEN] == ("iris-2", 3)


def test_a_breach_without_a_gateway_flips_back_first():
    world = rolling(Phase.BAKING, **SERVICE)
    pass_by(world)
    world.verdicts["iris-2"] = Verdict.BREACH
    assert world.decide().route_first
    world.reconcile(writes=1)
    assert world.stable_service is Color.BLUE
    assert world.route is not None
    assert world.route.aborted == "iris-2"
    run_until(world, Phase.ROLLED_BACK)
    assert world.deployments[Color.GREEN][1] == 0


def test_an_aborted_first_revision_ends_even_if_somebody_led_users_to_it():
    # given
    world = World(spec_for(**SERVICE))
    world.kubelet(healthy=frozenset())
    world.reconcile()
    world.command = "abort/iris-1/1"
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    # when
    world.stable_service = Color.BLUE
    world.route = RouteFacts(rules=({Color.BLUE: 100, Color.GREEN: 0},))
    run_until(world, Phase.ROLLED_BACK)
    # then nobody was left on pods that went
    assert world.stable_service is Color.GREEN
    assert world.deployments[Color.BLUE] == ("iris-1", 0)


def test_a_first_revision_begins_even_if_somebody_led_users_to_its_empty_color():
    # given a first revision that was rolled back, and left its empty Deployment
    world = World(spec_for(**SERVICE))
    run_until(world, Phase.STARTING)
    world.command = "abort/iris-1/1"
    run_until(world, Phase.ROLLED_BACK)
    # when
    world.stable_service = Color.BLUE
    world.route = RouteFacts(rules=({Color.BLUE: 100, Color.GREEN: 0},))
    world.edit(spec_for("v2.0.0", **SERVICE))
    world.settle()
    # then
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"
    assert world.stable_service is Color.BLUE


def test_a_route_of_ours_goes_when_the_spec_names_no_gateway_any_more():
    world = at_stable()
    world.edit(spec_for("v1.0.0", **SERVICE))
    assert world.stray_route
    pass_by(world)
    assert not world.stray_route


def test_blue_green_with_a_gateway_flips_once_and_keeps_a_holdback():
    world = at_stable(**FLIP)
    world.edit(spec_for("v2.0.0", **FLIP))
    world.settle()
    assert world.weights_seen == [100, 90, 100]
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_steps_need_not_fit_where_they_have_no_meaning():
    hour = [{"weight": 10, "hold": "1h"}]
    rollout = {"steps": hour, "bake": {"duration": "1m"}, "deadline": "30m"}
    with pytest.raises(ValueError, match="do not fit"):
        spec_for(rollout=rollout)
    assert spec_for(rollout={**rollout, "type": "BlueGreen"}).rollout.deadline == "30m"


def test_a_gateway_that_is_named_later_takes_over_without_a_rollout():
    world = at_stable(**SERVICE)
    world.edit(spec_for("v1.0.0"))
    pass_by(world, 3)
    assert world.route is not None
    assert world.route.weight(Color.BLUE) == 100
    assert world.status.last_revision == 1
