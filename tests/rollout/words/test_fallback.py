"""What stable answers in a candidate's stead: in which words, and for whom it matters."""

from typing import Any

import pytest
from tests.rollout.words.looks import look
from tests.rollout.world import START

from viridian.api.status import Ending, Outage, Phase, Return
from viridian.rollout.conditions import conditions
from viridian.rollout.context import RolloutContext
from viridian.rollout.fallback import UNSAID, awaits_word, describe, gap, lack
from viridian.rollout.observed import Cover
from viridian.rollout.reporting.notices import notices

GAP = "stable cannot answer for v2.0.0: feature `age` is new"
ENDING = Ending(phase=Phase.ROLLED_BACK, reason="r", message="m")
RETURNING = Return(instead_of="iris-3", generation=1)
OVER = Outage(since=START, failed_over_at=START)
NOBODY = (False, "NoCandidate", "there is no candidate to answer for")


def says(cover: Cover) -> dict[str, Any]:
    return {"cover": cover, "no_fallback": GAP}


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        (look(says=says(Cover.ALL)), (True, "Ready", "v1.0.0 answers requests that v2.0.0 fails")),
        (look(says=says(Cover.SOME)), (False, "PartlyCovered", GAP)),
        (look(says=says(Cover.NONE)), (False, "NoFallback", GAP)),
        (
            look(says=says(Cover.UNKNOWN)),
            (False, "Unknown", "the pods of v2.0.0 have not reported yet whether stable can answer for them"),
        ),
        (look(says=says(Cover.UNSAID)), (False, "Unsaid", f"the pods of v2.0.0 {UNSAID}")),
        (look(says=says(Cover.ALL), candidate=None), NOBODY),
        (look(says=says(Cover.ALL), stable=None), NOBODY),
        (look(says=says(Cover.ALL), ending=ENDING), NOBODY),
        (
            look({"traffic": {}}, says=says(Cover.ALL)),
            (
                False,
                "NoGateway",
                "without a gateway, candidates never share the traffic, so stable answers for none",
            ),
        ),
        (
            look(says=says(Cover.ALL), returning=RETURNING),
            (False, "NoCandidate", "v2.0.0 is restored by command and gets all traffic at once"),
        ),
    ],
)
def test_what_the_condition_claims(given: RolloutContext, claim: tuple[bool, str, str]) -> None:
    assert describe(given) == claim


@pytest.mark.parametrize(
    ("given", "clause"),
    [
        (look(says=says(Cover.ALL)), ""),
        (look(says=says(Cover.SOME)), ""),
        (look(says=says(Cover.UNKNOWN)), ""),
        (look(says=says(Cover.NONE)), GAP),
        (look(says=says(Cover.UNSAID)), f"its pods {UNSAID}"),
        (look(says=says(Cover.NONE), stable=None), ""),
        (look(says=says(Cover.UNSAID), stable=None), ""),
        (look({"traffic": {}}, says=says(Cover.NONE)), ""),
    ],
)
def test_why_stable_answers_nothing(given: RolloutContext, clause: str) -> None:
    assert lack(given) == clause


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (look(says=says(Cover.SOME)), GAP),
        (look(says=says(Cover.SOME), candidate=None), ""),
        (look(says=says(Cover.SOME), ending=ENDING), ""),
        (look(says=says(Cover.SOME), returning=RETURNING), ""),
        (look(says=says(Cover.SOME), outage=OVER), ""),
        (look(says=says(Cover.SOME), outage=Outage(since=START)), GAP),
    ],
)
def test_whose_failures_clients_see(given: RolloutContext, said: str) -> None:
    assert gap(given) == said


@pytest.mark.parametrize("cover", list(Cover))
def test_only_what_may_yet_be_said_is_waited_for(cover: Cover) -> None:
    assert awaits_word(look(says=says(cover))) is (cover is Cover.UNKNOWN)


@pytest.mark.parametrize(
    ("cover", "told"),
    [
        (Cover.SOME, [("PartlyCovered", GAP, True)]),
        (Cover.NONE, [("NoFallback", GAP, True)]),
        (Cover.ALL, []),
        (Cover.UNKNOWN, []),
        (Cover.UNSAID, []),
    ],
)
def test_which_gaps_are_worth_an_event(cover: Cover, told: list[tuple[str, str, bool]]) -> None:
    # given the conditions of before, when stable could answer, and those of now
    before, after = (
        given.status.model_copy(update={"conditions": conditions(given)})
        for given in (look(says=says(Cover.ALL)), look(says=says(cover)))
    )
    # then
    assert [(each.reason, each.message, each.warning) for each in notices(before, after)] == told


def test_a_serving_image_that_says_nothing_is_named() -> None:
    assert UNSAID == "do not report whether stable can answer for them (an earlier serving image)"
