"""Why a candidate is rolled back, and in which order the reasons are asked."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.rollback.causes import (
    BLUE,
    CAUSES,
    GREEN,
    ROLLBACK,
    SENTENCE,
    abort,
    ask_for_another,
    ask_for_stable,
    breach,
    crash,
    ending,
    lose_metrics,
    lose_traffic,
    mark,
    pass_the_deadline,
)
from tests.rollout.scenes import at_step, run_until
from tests.rollout.world import judgement

from viridian.api.status import BlockedRevision, Ending, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import Pod


@pytest.mark.parametrize(("cause", "phase", "reason", "message"), CAUSES, ids=[c[0].__name__ for c in CAUSES])
def test_each_reason_has_its_phase_and_its_sentence(cause, phase, reason, message):
    # given a step that is verified, where nothing is wrong
    world = at_step(**ROLLBACK)
    assert ending(world) is None

    # when something is
    cause(world)

    # then the candidate is rolled back for it, and its color drains
    decision = world.decide()
    assert decision.route_first
    assert decision.status.phase is Phase.ROLLING_BACK
    assert decision.status.ending == Ending(phase=phase, reason=reason, message=message, reverted_at=world.now)
    assert decision.status.verdict == message
    assert (decision.status.step, decision.status.hold) == (None, None)
    drain = decision.status.drain
    assert drain is not None
    assert (drain.color, drain.revision, drain.since) == (GREEN, "iris-2", world.now)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (breach, crash),
        (crash, abort),
        (abort, ask_for_stable),
        (ask_for_stable, lose_metrics),
        (ask_for_another, lose_metrics),
        (lose_metrics, pass_the_deadline),
        (lose_traffic, pass_the_deadline),
    ],
)
def test_the_first_of_two_reasons_is_the_one_that_is_given(first, second):
    world = at_step(**ROLLBACK)
    second(world)
    first(world)
    expected = next(message for cause, _, _, message in CAUSES if cause is first)
    assert ending(world).message == expected


def test_the_pin_of_a_failed_revision_says_what_status_says():
    world = at_step()
    breach(world)
    assert world.decide().status.failed == [
        BlockedRevision(revision="iris-2", version="v2.0.0", reason="GuardBreached", message=SENTENCE, at=world.now)
    ]
    assert world.decide().status.expired == []


@pytest.mark.parametrize("cause", [lose_metrics, lose_traffic, pass_the_deadline])
def test_a_candidate_that_ran_out_of_time_is_pinned_without_blame(cause):
    world = at_step(**ROLLBACK)
    cause(world)
    status = world.decide().status
    assert [(blocked.revision, blocked.until_generation) for blocked in status.expired] == [("iris-2", None)]
    assert status.failed == []


@pytest.mark.parametrize("cause", [ask_for_stable, ask_for_another])
def test_a_candidate_that_is_not_wanted_any_more_is_not_pinned(cause):
    world = at_step()
    cause(world)
    status = world.decide().status
    assert (status.failed, status.expired) == ([], [])


def test_a_persons_abort_holds_whatever_else_of_the_spec_is_edited():
    world = at_step()
    world.generation = 7
    abort(world)
    assert [blocked.until_generation for blocked in world.decide().status.failed] == [None]


def test_the_times_of_evidence_and_of_the_routes_answer_are_kept_to_the_end():
    # given what the guards' loop has noted
    world = at_step()
    breach(world)
    evidence, reverted = world.now - timedelta(seconds=2), world.now - timedelta(seconds=1)
    world.says = {"breached_at": evidence, "reverted_at": reverted}
    found = ending(world)
    assert (found.evidence_at, found.reverted_at) == (evidence, reverted)
    # then history has them
    run_until(world, Phase.ROLLED_BACK)
    assert (world.status.history[0].evidence_at, world.status.history[0].reverted_at) == (evidence, reverted)


def test_a_held_candidate_that_is_taken_back_is_held_no_more():
    world = at_step()
    world.command = "pause/iris-2/a"
    world.reconcile()
    world.reconcile()
    assert world.status.hold is not None
    breach(world)
    assert world.decide().status.hold is None


# ------------------------------------------------------------------ each reason's conditions


@pytest.mark.parametrize(
    ("says", "verdict", "message"),
    [
        ({"judgements": (replace(judgement(Verdict.BREACH), sentence="one"), judgement(Verdict.BREACH))}, "", "one"),
        ({"judgements": (judgement(Verdict.HEALTHY), judgement(Verdict.BREACH))}, "", SENTENCE),
        ({}, "what was said last", "what was said last"),
        ({}, "", "the guards rolled it back"),
    ],
)
def test_the_mark_in_the_route_is_explained_by_whoever_knows_most(says, verdict, message):
    world = at_step()
    mark(world)
    world.says = says
    world.status = world.status.model_copy(update={"verdict": verdict})
    assert ending(world).message == message


def test_the_mark_of_another_revision_says_nothing():
    world = at_step()
    world.route = replace(world.route, aborted="iris-1")
    assert ending(world) is None
    world.route = None
    assert ending(world) is None


@pytest.mark.parametrize(("deaths", "last"), [((1,), None), ((0, 1), None), ((1, 1), 0), ((0, 1, 1), 1), ((0, 2), 1)])
def test_two_deaths_are_enough_in_whichever_pods(deaths, last):
    world = at_step()
    crash(world, *deaths)
    found = ending(world)
    assert (found.message.rpartition(": ")[2] if found is not None else None) == (
        None if last is None else f"exit code {last}"
    )


def test_deaths_of_other_revisions_and_of_pods_that_are_deleted_do_not_count():
    world = at_step()
    crash(world, 1)
    world.pods[GREEN].append(Pod("old", "iris-0", False, False, 5, "exit code 9"))
    world.pods[GREEN].append(Pod("gone", "iris-2", False, True, 5, "evicted"))
    assert ending(world) is None


LATELY, LONG_AGO = timedelta(minutes=-1), timedelta(minutes=-11)


@pytest.mark.parametrize(
    ("died", "of_stable", "blamed"),
    [
        pytest.param(None, {"died_at": LATELY}, False, id="stable dies too"),
        pytest.param(timedelta(0), {"died_at": LATELY}, False, id="stable died just before"),
        pytest.param(LATELY, {"died_at": timedelta(0)}, False, id="stable died just after"),
        pytest.param(timedelta(0), {"died_at": LONG_AGO}, True, id="stable died long before"),
        pytest.param(timedelta(minutes=-25), {"died_at": timedelta(minutes=-31)}, True, id="before the rollout"),
        pytest.param(timedelta(0), {"died_at": None}, True, id="nobody knows when"),
        pytest.param(timedelta(0), {"died_at": LATELY, "deaths": 0}, True, id="stable did not die"),
        pytest.param(timedelta(0), {"died_at": LATELY, "deleting": True}, True, id="stable's pod was deleted"),
        pytest.param(timedelta(0), {"died_at": LATELY, "revision": "iris-0"}, True, id="a pod of another revision"),
    ],
)
def test_what_kills_stable_and_the_candidate_together_is_not_the_candidates_fault(died, of_stable, blamed):
    # given a rollout that has run for half an hour, in which the candidate died twice
    world = at_step(rollout={"deadline": "24h"})
    world.status = world.status.model_copy(update={"started_at": world.now - timedelta(minutes=30)})
    crash(world, 2)
    world.pods[GREEN][-1] = replace(world.pods[GREEN][-1], died_at=None if died is None else world.now + died)
    # when a pod of stable died as well
    if of_stable["died_at"] is not None:
        of_stable = {**of_stable, "died_at": world.now + of_stable["died_at"]}
    world.pods[BLUE][0] = replace(world.pods[BLUE][0], **{"deaths": 1, **of_stable})
    # then the candidate is blamed only for what it does alone, and status says why it is not
    assert (ending(world) is not None) is blamed
    stalled = next(condition for condition in world.decide().status.conditions if condition.type == "Stalled")
    assert (stalled.reason == "SharedIncident" and "v2.0.0 is not blamed" in stalled.message) is not blamed


def test_what_died_together_and_is_ready_again_is_nothing_to_tell():
    world = at_step()
    for color in (BLUE, GREEN):
        world.pods[color][0] = replace(world.pods[color][0], deaths=2, death="exit code 1", died_at=world.now)
    assert ending(world) is None
    assert next(each for each in world.decide().status.conditions if each.type == "Stalled").status == "False"
