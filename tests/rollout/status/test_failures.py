"""A verdict says what most of the candidate's requests failed with, and keeps it."""

from dataclasses import replace

from tests.rollout.scenes import message, rolling, run_until
from tests.rollout.world import World, judgement

from viridian.api.status import Phase
from viridian.guards.judge import Verdict
from viridian.rollout.reporting.notices import notices

FAILURE = "Mostly 500 preprocess-failed: \"KeyError: 'age'\"."


def test_a_breach_says_what_most_requests_failed_with_in_condition_event_and_history():
    # given a candidate whose pods say what they fail with
    world = rolling(Phase.PROGRESSING)
    world.says = {"failure": FAILURE}
    world.verdicts["iris-2"] = Verdict.BREACH
    before = world.status

    # when it is rolled back
    world.reconcile()
    said = f"40 of 100 requests on the candidate failed. {FAILURE}"
    assert world.status.ending.message == said
    assert [each.message for each in notices(before, world.status)] == [f"rolled back: {said}"]

    # then that stays when its pods, and what they said, are gone
    world.says = {}
    run_until(world, Phase.ROLLED_BACK)
    assert world.status.history[0].message == said
    assert world.status.failed[0].message == said
    assert FAILURE.removesuffix(".") in message(world, "RolledBack")


def test_a_query_of_the_user_s_own_is_not_explained_by_failed_requests():
    world = rolling(Phase.PROGRESSING)
    breach = replace(judgement(Verdict.BREACH), kind="query", sentence="drift is 0.4, above its maximum of 0.2.")
    world.says = {"failure": FAILURE, "judgements": (breach,)}
    world.reconcile()
    assert world.status.ending.message == "drift is 0.4, above its maximum of 0.2."


def test_a_first_revision_that_fails_says_with_what():
    world = World()
    run_until(world, Phase.BAKING)
    breach = replace(judgement(Verdict.BREACH), sentence="9 of 10 requests failed.")
    world.says = {"failure": FAILURE, "judgements": (breach,)}
    world.reconcile()
    assert f"9 of 10 requests failed. {FAILURE} There is no revision to roll back to" in message(world, "Stalled")
