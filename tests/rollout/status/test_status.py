"""What a decision takes over into status without deciding anything, and when that is worth a write."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling
from tests.rollout.world import START, judgement, spec_for

from viridian.api.names import Color
from viridian.api.status import (
    BlockedRevision,
    ColorStatus,
    Condition,
    Counted,
    GuardStatus,
    Hold,
    ModelDeploymentStatus,
    Phase,
)
from viridian.guards.counts import Counts
from viridian.guards.judge import Verdict
from viridian.rollout.decide import LEISURE, is_worth_writing, limits, show_judgement, summary

A_MOMENT = timedelta(milliseconds=1)


def guard(**changes: object) -> GuardStatus:
    fields = {"name": "errorRate", "kind": "absolute", "verdict": "Healthy", "evidence": "1", "threshold": "300"}
    return GuardStatus.model_validate({**fields, "message": "fine", **changes})


def condition(**changes: object) -> Condition:
    fields = {"type": "Ready", "status": "True", "reason": "Stable", "message": "fine", "lastTransitionTime": START}
    return Condition.model_validate({**fields, **changes})


def blocked(until: int | None) -> BlockedRevision:
    return BlockedRevision(
        revision=f"iris-{until}", version="v", reason="r", message="m", at=START, until_generation=until
    )


BEFORE = ModelDeploymentStatus(
    phase=Phase.PROGRESSING, guards=[guard()], guard_state="[1]", verdict="fine", conditions=[condition()]
)


@pytest.mark.parametrize(
    ("change", "at_once"),
    [
        # what the guards count
        ({"guards": [guard(evidence="2", message="still fine")]}, False),
        ({"guard_state": "[2]"}, False),
        ({"verdict": "still fine"}, False),
        ({"conditions": [condition(message="still fine")]}, False),
        # what they conclude, and what people wait for
        ({"guards": [guard(verdict="Breach")]}, True),
        ({"guards": [guard(name="latency-p95")]}, True),
        ({"guards": [guard(kind="relative")]}, True),
        ({"guards": []}, True),
        ({"conditions": [condition(status="False")]}, True),
        ({"conditions": [condition(reason="PodsNotReady")]}, True),
        ({"conditions": [condition(type="Stalled")]}, True),
        # anything else
        ({"phase": Phase.BAKING}, True),
        ({"stable": ColorStatus(color=Color.BLUE, revision="iris-1", version="v1", ready=2)}, True),
    ],
)
def test_counts_are_written_now_and_then_and_everything_else_at_once(change, at_once):
    after = BEFORE.model_copy(update=change)
    assert is_worth_writing(BEFORE, after, LEISURE - A_MOMENT) is at_once
    assert is_worth_writing(BEFORE, after, LEISURE)


ALLOWED = limits(spec_for())


def test_a_status_that_says_the_same_is_never_written():
    assert not is_worth_writing(BEFORE, BEFORE.model_copy(), timedelta(days=1))


def test_counts_are_written_every_fifteen_seconds():
    assert timedelta(seconds=15) == LEISURE


def test_a_judgement_is_shown_with_its_numbers():
    shown = show_judgement(replace(judgement(Verdict.BREACH), e_value=1234.5678, threshold=299.96), ALLOWED)
    assert shown == GuardStatus(
        name="errorRate",
        kind="relative",
        verdict="Breach",
        evidence="1.23e+03",
        threshold="300",
        message="40 of 100 requests on the candidate failed.",
        limit="1.5",
        candidate=Counted(requests=100, events=40),
        stable=Counted(requests=900, events=1),
        failing=True,
    )


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        # nearest to its own threshold
        ([(Verdict.HEALTHY, 2, 10), (Verdict.HEALTHY, 30, 300)], 0),
        ([(Verdict.HEALTHY, 2, 10), (Verdict.HEALTHY, 90, 300)], 1),
        # but one that has nothing to say only where no other has
        *[
            ([(silent, 299, 300), (Verdict.HEALTHY, 1, 300)], 1)
            for silent in (Verdict.NOT_ENOUGH_DATA, Verdict.NO_CONTROL)
        ],
        *[([(silent, 299, 300), (Verdict.HEALTHY, 1, 300)], 1) for silent in (Verdict.INCONCLUSIVE, Verdict.IGNORED)],
        *[
            ([(Verdict.HEALTHY, 1, 300), (loud, 2, 300)], 1)
            for loud in (Verdict.BREACH, Verdict.SHARED_INCIDENT, Verdict.UNREACHED)
        ],
        ([(Verdict.NO_CONTROL, 1, 300), (Verdict.IGNORED, 5, 300)], 1),
        # and one that decides is heard whatever the others have seen
        ([(Verdict.BREACH, 1, 300), (Verdict.HEALTHY, 299, 300)], 0),
    ],
)
def test_the_verdict_is_the_sentence_of_the_guard_that_is_nearest_to_a_breach(verdicts, said):
    judgements = [
        replace(judgement(verdict), e_value=e_value, threshold=threshold, sentence=str(number))
        for number, (verdict, e_value, threshold) in enumerate(verdicts)
    ]
    assert summary(judgements) == str(said)


def test_failures_are_told_of_before_what_has_nothing_against_the_candidate():
    # given a guard that is nearer to its threshold and saw no failure, and one that saw some and has too few requests
    calm = replace(judgement(Verdict.HEALTHY), e_value=90.0, candidate=Counts(7, 0), sentence="0 of 7 failed")
    alarmed = replace(judgement(Verdict.NOT_ENOUGH_DATA), candidate=Counts(23, 6), sentence="6 of 23 failed")
    # when, then
    assert summary([calm, alarmed]) == "6 of 23 failed"
    assert summary([alarmed, calm]) == "6 of 23 failed"


def test_a_first_failure_is_written_at_once_and_more_of_them_now_and_then():
    calm, alarmed = BEFORE.guards[0], BEFORE.guards[0].model_copy(update={"failing": True, "message": "1 of 9 failed"})
    first = BEFORE.model_copy(update={"guards": [alarmed]})
    more = first.model_copy(update={"guards": [alarmed.model_copy(update={"message": "2 of 20 failed"})]})
    assert calm.failing is False
    assert is_worth_writing(BEFORE, first, A_MOMENT)
    assert not is_worth_writing(first, more, A_MOMENT)


def test_what_the_guards_say_is_taken_over_and_stays_while_they_are_silent():
    # given guards that speak
    world = rolling(Phase.PROGRESSING)
    loud = replace(judgement(Verdict.HEALTHY), sentence="all is well")
    world.says = {"judgements": (loud,), "state": "[1, 2]"}
    world.reconcile()
    expected = ([show_judgement(loud, ALLOWED)], "all is well", "[1, 2]")
    assert (world.status.guards, world.status.verdict, world.status.guard_state) == expected

    # when they say nothing for a while, it is remembered
    world.says = {}
    world.reconcile()
    assert (world.status.guards, world.status.verdict, world.status.guard_state) == expected


def test_a_persons_pin_holds_until_the_generation_is_above_it():
    world = at_stable()
    world.generation = 7
    pins = [blocked(None), blocked(6), blocked(7), blocked(8)]
    world.status = world.status.model_copy(update={"failed": pins})
    assert world.decide().status.failed == [blocked(None), blocked(7), blocked(8)]


# ------------------------------------------------------------------ roles


def test_roles_are_shown_as_they_are_seen():
    # given a candidate with 10 %, one of whose two pods is ready
    world = rolling(Phase.PROGRESSING)
    pass_by(world)
    world.pods[Color.GREEN][1] = replace(world.pods[Color.GREEN][1], ready=False)

    # then status says so of either role
    status = world.decide().status
    blue = {"color": Color.BLUE, "revision": "iris-1", "version": "v1.0.0", "weight": 90, "replicas": 3, "ready": 3}
    green = {"color": Color.GREEN, "revision": "iris-2", "version": "v2.0.0", "weight": 10, "replicas": 2, "ready": 1}
    assert status.stable == ColorStatus.model_validate(blue)
    assert status.candidate == ColorStatus.model_validate(green)


def test_the_pods_of_another_revision_are_not_shown_as_a_roles_own():
    world = rolling(Phase.STARTING)
    world.deployments[Color.GREEN] = ("iris-0", 3)
    world.kubelet()
    candidate = world.decide().status.candidate
    assert candidate is not None
    assert (candidate.replicas, candidate.ready) == (0, 0)


def test_a_version_is_shown_as_it_was_stored_and_as_it_was_known_where_it_is_lost():
    world = at_stable()
    assert world.status.stable is not None
    world.status = world.status.model_copy(update={"stable": world.status.stable.model_copy(update={"version": "odd"})})
    assert world.decide().status.stable.version == "v1.0.0"
    world.revisions.clear()
    assert world.decide().status.stable.version == "odd"


# ------------------------------------------------------------------ the deadline's clock


@pytest.mark.parametrize(
    ("reason", "waited", "after", "expected"),
    [
        ("Paused", None, 90, "1m30s"),
        ("AwaitingApproval", "10s", 90, "1m40s"),
        ("NoTraffic", "10s", 90, "10s"),  # a policy's hold does not stop the clock
    ],
)
def test_the_time_for_which_a_person_was_waited_for_is_added_up(reason, waited, after, expected):
    # given a hold
    world = rolling(Phase.PROGRESSING)
    hold = Hold(reason=reason, message="why", since=world.now)
    world.status = world.status.model_copy(update={"phase": Phase.HELD, "hold": hold, "waited": waited})

    # when it is over
    world.now += timedelta(seconds=after)
    world.fresh_at = world.now
    status = world.decide().status

    # then the deadline leaves that time out, or not
    assert status.hold is None
    assert status.waited == expected


def test_the_time_of_a_wait_is_added_once_it_is_over_not_before():
    world = rolling(Phase.PROGRESSING)
    world.command = "pause/iris-2/a"
    pass_by(world, 2)
    world.traffic(seconds=60)
    world.reconcile()
    assert world.status.hold is not None
    assert world.status.waited is None


def test_a_wait_for_approval_that_becomes_a_pause_is_counted_in_two_parts():
    # given a candidate that has waited for approval for a minute
    world = rolling(Phase.STARTING)
    approval = {**world.spec.rollout.model_dump(by_alias=True), "approval": "BeforeTraffic"}
    world.edit(world.spec.model_copy(update={"rollout": type(world.spec.rollout).model_validate(approval)}))
    while world.status.phase is not Phase.HELD:
        pass_by(world)
    assert world.status.hold is not None
    began = world.status.hold.since
    world.now = began + timedelta(seconds=60)

    # when somebody pauses it, that minute is on record, and the next ones are counted from there
    world.command = "pause/iris-2/a"
    world.reconcile()
    world.reconcile()
    assert world.status.hold.reason == "Paused"
    assert (world.status.hold.since, world.status.waited) == (began + timedelta(seconds=60), "1m")
    world.now += timedelta(seconds=30)
    world.command = "resume/iris-2/b"
    world.reconcile()
    world.reconcile()
    assert world.status.waited == "1m30s"


def test_where_no_rollout_is_under_way_no_clock_was_stopped():
    world = at_stable()
    hold = Hold(reason="Paused", message="why", since=world.now)
    world.status = world.status.model_copy(update={"phase": Phase.HELD, "hold": hold})
    world.now += timedelta(seconds=90)
    status = world.decide().status
    assert status.hold is None
    assert status.waited is None
