"""Traffic goes where pods are ready: stable or candidate without any, too few of them, and back again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, message, pass_by, rolling, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict

BLUE, GREEN = Color.BLUE, Color.GREEN
ONLY_1, ONLY_2, NONE = frozenset({"iris-1"}), frozenset({"iris-2"}), frozenset()
BOTH = ONLY_1 | ONLY_2
ROLLOUT = {
    "steps": [{"weight": 10, "hold": "10s"}, {"weight": 50, "hold": "30m"}],
    "bake": {"duration": "4m", "holdback": 5},
    "deadline": "2h",
    "drainMax": "30s",
}
SERVICE = {"traffic": {"parentRefs": []}, "rollout": {"bake": {"duration": "4m"}, "deadline": "2h", "drainMax": "30s"}}


def live(world: World, seconds: int, healthy: frozenset[str]) -> None:
    """So many seconds in which the pods of these revisions are ready."""
    for _ in range(seconds // 2):
        world.kubelet(healthy)
        world.reconcile()
        world.traffic()


def at_half(**changes: object) -> World:
    """A world in which the candidate was seen to get half of the traffic."""
    world = at_stable(**changes)
    world.edit(spec_for("v2.0.0", **{"rollout": ROLLOUT, **changes}))
    while world.status.step is None or world.status.step.index < 2 or world.status.step.verified_at is None:
        pass_by(world)
    return world


def at_rest_with_a_fix() -> World:
    world = at_stable()
    live(world, 10, NONE)
    world.edit(spec_for("v2.0.0", rollout=ROLLOUT))
    return world


def in_service_mode() -> World:
    """A world without a gateway, whose candidate bakes with everything."""
    world = World(spec_for("v1.0.0", **SERVICE))
    world.settle(3000)
    world.edit(spec_for("v2.0.0", **SERVICE))
    while world.stable_service is not GREEN:
        pass_by(world)
    pass_by(world, 3)
    return world


# ------------------------------------------------------------------ stable has nobody to answer


@pytest.mark.parametrize("scene", [at_rest_with_a_fix, at_half])
def test_a_ready_candidate_gets_everything_while_stable_has_no_pod_and_the_condition_says_why(scene):
    world = scene()
    live(world, 60, ONLY_2)
    assert world.route.split(GREEN) == 100
    assert condition(world, "Available") == ("True", "Serving")
    assert condition(world, "Stalled") == ("True", "StableUnavailable")
    assert "no pod of v1.0.0 is ready, so v2.0.0 answers all requests" in message(world, "Stalled")


def test_a_blip_of_stable_within_the_grace_moves_nothing():
    world = at_half()
    live(world, 4, ONLY_2)
    assert world.route.split(GREEN) == 50
    live(world, 30, BOTH)
    assert world.route.split(GREEN) == 50
    assert world.status.outage is None


def test_the_split_goes_back_to_its_step_once_stable_stays_ready_and_the_step_is_watched_anew():
    # given
    world = at_half()
    live(world, 60, ONLY_2)
    # when stable flaps, then nothing moves
    for _ in range(5):
        live(world, 4, BOTH)
        live(world, 2, ONLY_2)
        assert world.route.split(GREEN) == 100
    # when it stays, then the split goes on
    live(world, 10, BOTH)
    assert world.route.split(GREEN) == 50
    live(world, 10, BOTH)
    assert world.status.step.index == 2
    assert world.status.step.verified_at > world.now - timedelta(seconds=20)
    assert world.status.phase is Phase.PROGRESSING


def test_a_candidate_that_answers_alone_is_neither_expired_nor_taken_back_to_nobody():
    world = at_half(guards={"metricsMissing": {"after": "1h", "then": "Rollback"}})
    world.spec = spec_for("v2.0.0", rollout=ROLLOUT | {"bake": {"duration": "3h"}, "deadline": "4h"})
    live(world, 60, ONLY_2)
    world.now += timedelta(hours=5)
    world.verdicts["iris-2"] = Verdict.BREACH
    live(world, 10, ONLY_2)
    assert world.route.split(GREEN) == 100
    assert world.status.ending is None
    # and goes back as soon as one pod of stable is ready
    live(world, 4, BOTH)
    assert world.route.split(GREEN) == 0
    assert world.status.failed[0].reason == "GuardBreached"


def test_a_candidate_that_has_answered_alone_for_as_long_as_a_bake_is_promoted():
    world = at_rest_with_a_fix()
    live(world, 400, ONLY_2)
    assert world.status.phase is Phase.STABLE
    assert world.status.stable.version == "v2.0.0"
    assert world.status.history[0].result == "Promoted"
    assert world.status.history[0].message.startswith("v1.0.0 had no ready pod.")


def test_what_is_applied_while_a_failing_candidate_answers_alone_gets_everything():
    # given
    world = at_half()
    live(world, 30, ONLY_2)
    world.verdicts["iris-2"] = Verdict.BREACH
    live(world, 10, ONLY_2)
    assert "fails too" in message(world, "Stalled")
    # when
    world.edit(spec_for("v3.0.0", rollout=ROLLOUT))
    world.weights_seen.clear()
    live(world, 120, frozenset({"iris-2", "iris-3"}))
    # then
    assert world.status.stable.version == "v3.0.0"
    assert world.weights_seen[-1] == 100
    assert [entry.result for entry in world.status.history[:2]] == ["TookOver", "Promoted"]


def test_a_first_revision_without_requests_is_promoted_as_the_first_one():
    world = World()
    world.says = {"judgements": (judgement(Verdict.NOT_ENOUGH_DATA),)}
    world.settle()
    assert (world.status.history[0].result, world.status.history[0].message) == ("Promoted", "the first revision")


@pytest.mark.parametrize("approval", ["BeforeTraffic", "None"])
def test_a_person_who_must_approve_first_is_waited_for_even_then(approval):
    world = at_stable()
    live(world, 10, NONE)
    world.edit(spec_for("v2.0.0", rollout=ROLLOUT | {"approval": approval}))
    live(world, 60, ONLY_2)
    assert world.route.split(GREEN) == (0 if approval == "BeforeTraffic" else 100)


def test_with_neither_ready_the_weights_stay_and_nothing_is_available():
    world = at_half()
    live(world, 60, NONE)
    assert world.route.split(GREEN) == 50
    assert condition(world, "Available") == ("False", "StableUnavailable")
    assert "50 % of the requests are not answered" in message(world, "Available")


# ------------------------------------------------------------------ the candidate has nobody to answer, or too few


def test_a_candidate_without_pods_has_no_weight_at_the_next_pass_and_is_not_blamed():
    world = at_half()
    live(world, 2, ONLY_1)
    assert world.route.split(GREEN) == 0
    live(world, 60, ONLY_1)
    assert (world.status.failed, world.status.expired) == ([], [])
    assert "0 % of the traffic instead of 50 %: waiting for 2 ready pods of v2.0.0 (0 so far)" in message(
        world, "Reconciling"
    )
    assert condition(world, "Available") == ("True", "Serving")
    # and takes its step again once it is ready
    live(world, 4, BOTH)
    assert world.route.split(GREEN) == 0
    live(world, 20, BOTH)
    assert world.route.split(GREEN) == 50


@pytest.mark.parametrize(("left", "weight"), [(9, 90), (5, 50), (1, 10), (0, 0)])
def test_a_weight_goes_down_to_what_the_ready_pods_carry(left, weight):
    # given ten pods at 95 %
    serving = {"replicas": 10}
    world = rolling(Phase.BAKING, serving=serving, rollout=ROLLOUT | {"steps": [{"weight": 10, "hold": "10s"}]})
    pass_by(world, 5)
    assert world.route.split(GREEN) == 95
    # when all but some are gone
    del world.pods[GREEN][left:]
    world.reconcile()
    # then
    assert world.route.split(GREEN) == weight


def test_one_that_does_not_come_back_expires_with_what_was_missing():
    world = at_half()
    live(world, 10, ONLY_1)
    world.now += timedelta(hours=2)
    live(world, 4, ONLY_1)
    assert world.status.expired[0].message.endswith("still waiting for 2 ready pods of v2.0.0 (0 so far)")


def test_a_newer_spec_replaces_one_without_pods_during_the_bake():
    world = rolling(Phase.BAKING)
    pass_by(world, 3)
    live(world, 6, ONLY_1)
    world.edit(spec_for("v3.0.0"))
    world.reconcile()
    assert world.status.ending.reason == "Replaced"


# ------------------------------------------------------------------ without a gateway


def test_without_a_gateway_name_goes_back_to_the_warm_stable():
    world = in_service_mode()
    live(world, 4, ONLY_1)
    assert world.stable_service is BLUE


def test_without_a_gateway_name_goes_to_the_ready_candidate():
    world = World(spec_for("v1.0.0", **SERVICE))
    world.settle(3000)
    live(world, 10, NONE)
    world.edit(spec_for("v2.0.0", **SERVICE))
    live(world, 60, ONLY_2)
    assert world.stable_service is GREEN


# ------------------------------------------------------------------ commands and sizes


def test_an_abort_while_stable_has_no_pod_is_carried_out_when_it_has_one():
    # given
    world = at_half()
    live(world, 30, ONLY_2)
    # when
    world.command = "abort/iris-2/now"
    live(world, 60, ONLY_2)
    # then nothing rises, nobody is sent to nobody, and that is said
    assert world.route.split(GREEN) == 100
    assert condition(world, "Stalled") == ("True", "AbortWaits")
    # and with the first pod of stable it goes back
    live(world, 4, BOTH)
    assert world.route.split(GREEN) == 0
    assert world.status.failed[0].reason == "Aborted"


def test_an_abort_within_the_grace_raises_nothing():
    world = at_half()
    live(world, 2, ONLY_2)
    world.command = "abort/iris-2/now"
    live(world, 60, ONLY_2)
    assert world.route.split(GREEN) == 50


def test_a_first_revision_that_serves_cannot_be_aborted_and_that_is_said():
    world = World()
    run_until(world, Phase.FINISHING)
    pass_by(world)
    if world.status.candidate is not None:
        world.command = f"abort/{world.status.candidate.revision}/now"
        assert "first revision and serves all requests" in (world.decide().warning or "")


def scale_by_hand(world: World) -> None:
    world.edit(spec_for("v2.0.0", serving={"replicas": 2}))


def shorten_the_steps(world: World) -> None:
    world.edit(spec_for("v2.0.0", rollout=ROLLOUT))


@pytest.mark.parametrize("edit", [scale_by_hand, shorten_the_steps])
@pytest.mark.parametrize("ended", ["aborted", "expired"])
def test_an_ended_version_stays_away_whatever_else_is_edited(ended: str, edit: Callable[[World], None]):
    # given
    world = rolling(Phase.PROGRESSING)
    if ended == "aborted":
        world.command = "abort/iris-2/now"
        run_until(world, Phase.ROLLED_BACK)
    else:
        world.now += timedelta(minutes=11)
        run_until(world, Phase.EXPIRED)
    phase = world.status.phase
    # when
    edit(world)
    world.settle()
    # then
    assert (world.status.phase, world.status.candidate) == (phase, None)


CPU = {"resources": {"requests": {"cpu": "100m"}}}
GROWS = {"autoscaling": {"minReplicas": 2, "maxReplicas": 20}, "triton": CPU, "api": CPU}


def test_a_stable_that_grows_in_mid_rollout_wants_a_larger_candidate():
    # given
    world = at_half(serving=GROWS)
    assert world.deployments[GREEN][1] == 2
    # when an autoscaler has grown stable
    world.deployments[BLUE] = ("iris-1", 16)
    pass_by(world, 3)
    # then half of that is wanted, and stays so when it shrinks again
    assert world.autoscalers[GREEN].fewest == 8
    world.deployments[BLUE] = ("iris-1", 10)
    pass_by(world, 3)
    assert world.autoscalers[GREEN].fewest == 8
    assert world.autoscalers[BLUE].fewest == 16


def test_autoscaling_that_comes_or_goes_in_mid_rollout_shrinks_nothing():
    # given
    fixed = {"replicas": 10, "triton": CPU, "api": CPU}
    world = at_half(serving=fixed)
    # when it comes
    world.edit(spec_for("v2.0.0", rollout=ROLLOUT, serving=GROWS))
    pass_by(world, 3)
    assert world.deployments[BLUE][1] == 10
    assert world.autoscalers[BLUE].fewest == 10
    # and when it goes
    world.deployments[BLUE] = ("iris-1", 14)
    pass_by(world)
    world.edit(spec_for("v2.0.0", rollout=ROLLOUT, serving=fixed))
    pass_by(world, 3)
    assert world.deployments[BLUE][1] == 14
    assert not world.autoscalers


# ------------------------------------------------------------------ stable fails by its own maximum


def test_a_stable_that_breaches_its_own_maximum_makes_room_for_a_candidate_that_keeps_it():
    # given half of the requests on each color
    world = at_half()

    # when a guard finds that stable fails beyond the fixed maximum, and the candidate does not
    world.says = {"judgements": (judgement(Verdict.HEALTHY),), "stable_breach": "400 of 900 requests on stable failed."}
    live(world, 120, BOTH)

    # then the candidate gets everything without its remaining half an hour, and the history says why
    world.says = {}
    run_until(world, Phase.STABLE)
    assert world.status.stable.version == "v2.0.0"
    assert world.route.split(world.status.stable.color) == 100
    assert world.status.failed == []
    assert (world.status.history[0].version, world.status.history[0].result) == ("v2.0.0", "Promoted")


def test_a_stable_that_breaches_its_own_maximum_keeps_its_share_until_the_candidate_can_carry_all():
    # given half of the requests on each color, three pods wanted and one of the candidate's ready
    world = at_half(serving={"replicas": 3})
    world.says = {"judgements": (judgement(Verdict.HEALTHY),), "stable_breach": "400 of 900 requests on stable failed."}

    # when time goes by
    for _ in range(30):
        world.kubelet()
        first, *others = world.pods[GREEN]
        world.pods[GREEN] = [first, *(replace(pod, ready=False) for pod in others)]
        world.reconcile()
        world.traffic()

    # then it has no more than before
    assert world.route.split(GREEN) <= 50


def test_weights_edited_by_hand_leave_no_share_on_a_stable_without_pods():
    # given a candidate that is ready, and a route on which somebody gave it 100 and stable 63
    world = at_half()
    world.route = replace(world.route, rules=({BLUE: 63, GREEN: 100},))

    # when stable has no pod
    live(world, 20, ONLY_2)

    # then the candidate has all of it
    assert world.route.rules[-1] == {BLUE: 0, GREEN: 100}
