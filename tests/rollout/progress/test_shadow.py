"""Shadow steps: the candidate gets copies, and no user."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, decided, message, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.api.status.changes import evolve
from viridian.guards.judge import Verdict
from viridian.guards.shadow_report import ShadowReport
from viridian.rollout.planning.actions import MoveWeights
from viridian.rollout.reporting.notices import notices
from viridian.rollout.shadow import describe_report

BLUE, GREEN = Color.BLUE, Color.GREEN
ROLLOUT = {
    "steps": [{"shadow": "10%", "hold": "10s", "minRequests": 15}, {"weight": 10, "hold": "10s"}],
    "bake": {"duration": "20s"},
}


def shadowed(passes: int = 2, **rollout: object) -> World:
    """A world in the shadow step of v2.0.0, whose copies have been seen."""
    world = rolling(Phase.PROGRESSING, rollout={**ROLLOUT, **rollout})
    pass_by(world, passes)
    return world


def unheard(**changes: object) -> World:
    """A world in the shadow step of v2.0.0, of which the gateway has not heard."""
    world = rolling(Phase.STARTING, **{"rollout": ROLLOUT, **changes})
    world.gateway = False
    run_until(world, Phase.PROGRESSING)
    pass_by(world, 3)
    return world


def awaiting_approval() -> World:
    """A world in the shadow step of v2.0.0, which gets no user before it is approved."""
    world = at_stable()
    world.edit(spec_for("v2.0.0", rollout={**ROLLOUT, "approval": "BeforeTraffic"}))
    run_until(world, Phase.PROGRESSING)
    pass_by(world, 2)
    return world


def test_the_route_tells_pods_to_mirror_and_gives_the_candidate_nothing() -> None:
    world = shadowed()
    assert world.status.step is not None
    assert (world.status.step.index, world.status.step.shadow, world.status.step.weight) == (1, "10%", 0)
    assert world.route is not None
    assert world.route.rules == ({BLUE: 100, GREEN: 0},)
    assert world.route.shadow == "iris-2;share=0.1"
    assert world.requests.get("iris-2") is None


def test_the_hold_begins_with_the_first_copy_that_the_candidate_completes() -> None:
    world = unheard()
    assert world.status.step is not None
    assert world.status.step.verified_at is None
    world.gateway = True
    pass_by(world, 2)
    assert world.status.step.verified_at is not None
    assert world.status.step.requests_before == 10  # the copies of one pass


def test_after_its_hold_the_first_weight_follows_and_nothing_is_mirrored() -> None:
    world = shadowed(passes=10)
    assert world.status.step is not None
    assert (world.status.step.index, world.status.step.weight, world.status.step.shadow) == (2, 10, None)
    assert world.route is not None
    assert world.route.shadow is None
    assert world.route.split(GREEN) == 10
    run_until(world, Phase.STABLE)
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_it_waits_for_as_many_copies_as_are_asked_for() -> None:
    world = shadowed(steps=[{"shadow": "10%", "hold": "2s", "minRequests": 500}])
    pass_by(world, 10)
    assert world.status.step is not None
    assert world.status.step.index == 1
    assert "more mirrored requests (minRequests)" in message(world, "Ready")


def test_as_many_pods_are_ready_as_copies_need() -> None:
    world = rolling(
        Phase.PROGRESSING, serving={"replicas": 10}, rollout={**ROLLOUT, "steps": [{"shadow": "60%", "hold": "10s"}]}
    )
    assert world.deployments[GREEN] == ("iris-2", 6)


def test_a_breach_of_a_guard_takes_the_candidate_back_before_any_user() -> None:
    world = shadowed()
    world.verdicts["iris-2"] = Verdict.BREACH
    move = next(action for action in world.decide().actions if isinstance(action, MoveWeights))
    assert (move.shadow, move.aborted) == (None, "iris-2")
    run_until(world, Phase.ROLLED_BACK)
    assert world.requests.get("iris-2") is None
    assert condition(world, "RolledBack") == ("True", "GuardBreached")


def test_without_a_ready_pod_of_the_candidate_nothing_is_mirrored() -> None:
    world = shadowed()
    world.pods[GREEN] = []
    moves = [action for action in world.decide().actions if isinstance(action, MoveWeights)]
    assert [move.shadow for move in moves] == [None]


def test_an_approval_before_traffic_is_waited_for_after_the_copies() -> None:
    world = awaiting_approval()
    run_until(world, Phase.HELD)
    assert world.status.hold is not None
    assert world.status.hold.reason == "AwaitingApproval"
    assert world.route is not None
    assert world.route.shadow is not None  # more of them do no harm while a person decides
    assert world.mirrored["iris-2"] > 0
    assert world.requests.get("iris-2") is None
    world.command = "approve/iris-2/1"
    pass_by(world, 3)
    assert world.status.step is not None
    assert world.status.step.weight == 10


def test_a_candidate_that_waits_for_approval_does_not_answer_when_stable_is_gone() -> None:
    world = awaiting_approval()
    world.kubelet(frozenset({"iris-2"}))
    for _ in range(10):
        world.reconcile()
        world.traffic()
    assert world.route is not None
    assert world.route.split(GREEN) == 0
    assert world.status.hold is not None
    assert world.status.hold.reason == "AwaitingApproval"
    world.command = "approve/iris-2/1"
    for _ in range(6):
        world.reconcile()
        world.traffic()
    assert world.route.split(GREEN) == 100


def test_when_stable_is_gone_the_candidate_answers_and_the_step_begins_anew_after() -> None:
    world = shadowed()
    for _ in range(8):
        world.kubelet(frozenset({"iris-2"}))
        world.reconcile()
        world.traffic()
    assert world.route is not None
    assert (world.route.split(GREEN), world.route.shadow) == (100, None)
    pass_by(world, 8)
    assert (world.route.split(GREEN), world.route.shadow) == (0, "iris-2;share=0.1")


def test_a_candidate_that_took_stables_place_in_a_shadow_step_gets_no_copies_any_more() -> None:
    world = shadowed()
    for _ in range(40):
        world.kubelet(frozenset({"iris-2"}))
        world.reconcile()
        world.traffic()
        if world.status.phase is Phase.FINISHING:
            break
    assert world.status.phase is Phase.FINISHING
    world.kubelet()
    moves = [action for action in world.decide().actions if isinstance(action, MoveWeights)]
    assert not [move for move in moves if move.shadow]


def test_what_stable_fails_puts_no_candidate_in_its_place_that_got_copies_alone() -> None:
    world = shadowed()
    world.says["stable_breach"] = "stable failed 30 % of the requests."
    pass_by(world)
    assert world.status.condemned is None
    assert world.status.phase is Phase.PROGRESSING


def test_pods_that_took_their_counts_with_them_are_counted_anew() -> None:
    world = unheard()
    assert world.status.step is not None
    world.status = evolve(world.status, step=evolve(world.status.step, requests_before=90))
    world.mirrored["iris-2"] = 40
    pass_by(world)
    assert (world.status.step.requests_before, world.status.step.verified_at) == (40, None)


def test_the_status_says_how_stable_and_candidate_compare() -> None:
    world = shadowed()
    world.says["shadow"] = ShadowReport()
    before = message(decided(world), "Ready")
    assert before == "v2.0.0 is at step 1 of 2 with shadow 10%: waiting for 6s more of 10s"
    assert world.status.shadow is None
    world.says["shadow"] = ShadowReport(agreed=1218, disagreed=22, p95=0.012, stable_p95=0.009)
    text = message(decided(world), "Ready")
    assert "is at step 1 of 2 with shadow 10%: waiting for" in text
    assert text.endswith("agreed on 98.2 % of 1,240 mirrored requests; P95 12 ms against 9 ms")
    assert world.status.shadow == f"v2.0.0 {text.partition('; ')[2]}"


def test_the_report_stays_when_the_step_is_over_and_goes_with_the_next_candidate() -> None:
    world = shadowed()
    world.says["shadow"] = ShadowReport(agreed=10)
    pass_by(world)
    del world.says["shadow"]
    run_until(world, Phase.STABLE)
    assert world.status.shadow == "v2.0.0 agreed on 100 % of 10 mirrored requests"
    world.edit(spec_for("v3.0.0", rollout=ROLLOUT))
    run_until(world, Phase.PROGRESSING)
    assert world.status.shadow is None


def test_an_event_tells_of_the_copies_and_of_what_they_have_shown() -> None:
    world = rolling(Phase.STARTING, rollout=ROLLOUT)
    found = []
    for _ in range(12):
        world.kubelet()
        before = world.status
        world.reconcile()
        found += notices(before, world.status)
        world.traffic()
        world.says["shadow"] = ShadowReport(agreed=10)
    told = [(notice.reason, notice.message) for notice in found]
    assert ("WeightIntended", "step 1 of 2: the candidate gets copies of 10% of stable's requests") in told
    assert told.count(("ShadowCompared", "v2.0.0 agreed on 100 % of 10 mirrored requests")) == 1


@pytest.mark.parametrize(
    ("answered", "seconds", "told"),
    [(200, 6.0, True), (199, 6.0, False), (200, 5.9, False), (199, 60.0, False), (5000, 5.9, False)],
)
def test_pods_of_an_earlier_image_mirror_nothing_and_the_status_says_so(
    answered: int, seconds: float, told: bool
) -> None:
    # given a tenth of the requests, and stable's pods that have answered some and mirrored none
    world = unheard()
    step = world.status.step
    assert step is not None
    world.status = evolve(world.status, step=evolve(step, stable_requests_before=70))
    world.requests["iris-1"] = 70 + answered
    # when it is looked at some seconds after the step was decided
    world.now = world.fresh_at = step.intended_at + timedelta(seconds=seconds)
    text = message(decided(world), "Ready")
    # then twenty copies that are missing are no accident
    waiting = "v2.0.0 is at step 1 of 2 with shadow 10%: waiting for the first mirrored request to be counted"
    if told:
        assert f"v1.0.0 has answered {answered} requests, and no copy has reached the candidate: its serving" in text
    else:
        assert text == waiting


def test_what_the_route_does_not_say_yet_is_waited_for() -> None:
    world = unheard()
    assert world.route is not None
    world.route = replace(world.route, shadow="")
    world.mirrored["iris-2"] = 40  # whoever sent them
    world.requests["iris-1"] += 5000
    text = message(decided(world), "Ready")
    assert text == "v2.0.0 is at step 1 of 2 with shadow 10%: waiting for the route to be written"
    assert world.status.step is not None
    assert world.status.step.verified_at is None


def test_a_route_that_tells_something_else_is_put_right() -> None:
    world = shadowed()
    assert world.route is not None
    world.route = replace(world.route, shadow="")
    assert [action for action in world.decide().actions if isinstance(action, MoveWeights)] == [
        MoveWeights(((BLUE, 100), (GREEN, 0)), ((BLUE, 100), (GREEN, 0)), shadow="iris-2;share=0.1")
    ]


def test_at_rest_a_route_mirrors_nothing() -> None:
    world = at_stable()
    assert world.route is not None
    world.route = replace(world.route, shadow="iris-9;share=1")
    assert [action.shadow for action in world.decide().actions if isinstance(action, MoveWeights)] == [None]


def test_without_the_steps_that_were_to_follow_the_bake_comes_next() -> None:
    world = shadowed()
    world.edit(spec_for("v2.0.0", rollout={"type": "BlueGreen", "bake": {"duration": "20s", "holdback": 5}}))
    run_until(world, Phase.BAKING)
    assert world.status.step is not None
    assert (world.status.step.weight, world.status.step.shadow, world.status.step.progress) == (95, None, "bake")


def test_without_a_gateway_nobody_sends_copies_and_the_bake_comes_next() -> None:
    world = unheard()
    world.gateway = True
    world.edit(spec_for("v2.0.0", traffic={}, rollout={"bake": {"duration": "20s"}}))
    run_until(world, Phase.BAKING)
    assert world.route is not None
    assert world.route.shadow is None
    run_until(world, Phase.STABLE)


def test_no_traffic_at_all_holds_as_in_any_step() -> None:
    world = unheard(guards={"noTraffic": {"after": "1m"}})
    pass_by(world, 40, rate=0)
    assert world.status.hold is not None
    assert world.status.hold.reason == "NoTraffic"
    assert world.now - world.status.hold.since < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (ShadowReport(), ""),
        (ShadowReport(failed=3), "3 mirrored requests failed"),
        (ShadowReport(agreed=3, p95=0.1), "agreed on 100 % of 3 mirrored requests"),
        (ShadowReport(agreed=3, stable_p95=0.1), "agreed on 100 % of 3 mirrored requests"),
        (
            ShadowReport(agreed=3, p95=1.0, stable_p95=0.999),
            "agreed on 100 % of 3 mirrored requests; P95 1 s against 999 ms",
        ),
        (ShadowReport(agreed=1999, disagreed=1), "agreed on 99.9 % of 2,000 mirrored requests"),
        (
            ShadowReport(5, 5, 1, 2, 1.5, 0.0123),
            "agreed on 50.0 % of 10 mirrored requests; 1 more failed; 2 were not sent, since too many were waiting;"
            " P95 1.5 s against 12.3 ms",
        ),
    ],
)
def test_a_report_in_words(report: ShadowReport, text: str) -> None:
    assert describe_report(report) == text
