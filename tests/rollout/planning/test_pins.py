"""Pinned users: who sees what, and when."""

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict

TRAFFIC = {
    "parentRefs": [{"name": "public"}],
    "pins": [{"matches": [{"headers": [{"name": "x-user-group", "value": "beta"}]}]}],
}


def rules(world: World) -> list[int]:
    """The candidate's (green's) weight in each rule, the split last."""
    assert world.route is not None
    return [rule[Color.GREEN] for rule in world.route.rules]


def test_without_a_candidate_pins_go_to_stable():
    world = at_stable(traffic=TRAFFIC)
    assert rules(world) == [0, 0]


def test_pins_are_all_on_the_candidate_while_it_is_live_and_move_with_everything_else():
    world = at_stable(traffic=TRAFFIC)
    world.edit(spec_for("v2.0.0", traffic=TRAFFIC))
    seen = []
    for _ in range(200):
        if not seen or seen[-1] != rules(world):
            seen.append(rules(world))
        pass_by(world)
    assert seen == [[0, 0], [100, 10], [100, 50], [100, 95], [100, 100]]


def test_pins_wait_until_the_candidate_is_ready():
    world = at_stable(traffic=TRAFFIC)
    world.edit(spec_for("v2.0.0", traffic=TRAFFIC))
    for _ in range(20):
        world.kubelet(healthy=frozenset({"iris-1"}))
        world.reconcile()
        world.traffic()
    assert rules(world) == [0, 0]


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.BAKING, Phase.FINISHING])
def test_a_rollback_takes_all_rules_back_in_one_patch_pins_included(phase):
    world = rolling(phase, traffic=TRAFFIC)
    world.verdicts["iris-2"] = Verdict.BREACH
    world.reconcile(writes=1)
    assert rules(world) == [0, 0]
    assert world.route is not None
    assert world.route.aborted == "iris-2"


def test_pins_are_switched_off_by_editing_the_spec_without_any_pod_changing():
    world = rolling(Phase.PROGRESSING, traffic=TRAFFIC)
    assert world.route is not None
    pods = {color: list(pods) for color, pods in world.pods.items()}
    world.edit(spec_for("v2.0.0"))
    pass_by(world)
    assert rules(world) == [10]
    assert world.pods == pods
    assert world.status.last_revision == 2


def test_pins_that_are_added_in_mid_rollout_begin_with_the_candidate():
    world = rolling(Phase.PROGRESSING)
    world.edit(spec_for("v2.0.0", traffic=TRAFFIC))
    pass_by(world)
    assert rules(world) == [100, 10]
    run_until(world, Phase.STABLE)
    assert rules(world) == [100, 100]
