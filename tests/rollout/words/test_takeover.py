"""A candidate that takes stable's place: stable has no pods, or breaches its own guard."""

from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.surroundings import judgement
from tests.rollout.words.looks import look, pods
from tests.rollout.world import START

from viridian.api.rollout import Approval
from viridian.api.status import Approved, Hold, Outage, Phase, Return
from viridian.guards import Verdict
from viridian.rollout.context import RolloutContext
from viridian.rollout.takeover import replace_what_fails, takes_over

BAKE = {"rollout": {"steps": [{"weight": 10, "hold": "10s"}], "bake": {"duration": "20s", "holdback": 5}}}
APPROVED = {"rollout": {**BAKE["rollout"], "approval": "BeforePromotion"}}
GONE = Hold(reason="StableUnavailable", message="m", since=START)
ABORTS = Hold(reason="AbortWaits", message="m", since=START)
OVER = Outage(since=START, failed_over_at=START + timedelta(seconds=40))
"""The candidate has answered everything for exactly a bake, a minute after the start."""
JUST = Outage(since=START, failed_over_at=START + timedelta(seconds=41))
NOT_YET = Outage(since=START)
BREACH = {"judgements": (judgement(Verdict.BREACH),)}
RETURNING = Return(instead_of="iris-3", generation=1)
NO_POD = "v2.0.0 answered because no pod of v1.0.0 was ready"


def without_stable(spec: Any = BAKE, **parts: Any) -> RolloutContext:
    """Stable has no ready pod, and the candidate has answered everything for as long as a bake."""
    return look(spec, **{"blue": pods("iris-1", 0), "outage": OVER, "hold": GONE, **parts})


@pytest.mark.parametrize(
    ("given", "hold"),
    [
        (without_stable(), GONE),
        (without_stable(), ABORTS),
        (
            without_stable(APPROVED, approved=Approved(revision="iris-2", gate=Approval.BEFORE_PROMOTION)),
            GONE,
        ),
    ],
)
def test_a_candidate_that_has_baked_alone_is_promoted(given: RolloutContext, hold: Hold) -> None:
    after = takes_over(given, hold)
    assert after is not None
    assert (after.phase, after.hold, after.condemned) == (Phase.FINISHING, None, None)


@pytest.mark.parametrize(
    ("given", "hold"),
    [
        (without_stable(), Hold(reason="Paused", message="m", since=START)),
        (without_stable(blue=pods("iris-1", 1)), GONE),
        (without_stable(outage=None), GONE),
        (without_stable(stable=None), GONE),
        (without_stable(candidate=None), GONE),
        (without_stable(outage=JUST), GONE),
        (without_stable(outage=NOT_YET), GONE),
        (without_stable(says=BREACH), GONE),
        (without_stable(says={"fresh_at": None}), GONE),
        (without_stable(says={"missing": ("a query",)}), GONE),
        (without_stable(aborting="abort"), GONE),
        (without_stable(APPROVED), GONE),
        # and one that is not wanted any more
        (without_stable(version="v3.0.0", outage=JUST), GONE),
        (without_stable(version="v3.0.0", outage=NOT_YET, says=BREACH), GONE),
        (without_stable(version="v1.0.0"), GONE),
        (without_stable(version="v3.0.0", returning=RETURNING), GONE),
    ],
)
def test_otherwise_stable_is_waited_for(given: RolloutContext, hold: Hold) -> None:
    assert takes_over(given, hold) is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (without_stable(version="v3.0.0"), NO_POD),
        (without_stable(version="v3.0.0", outage=JUST, says=BREACH), judgement(Verdict.BREACH).sentence),
        (without_stable(version="v3.0.0", outage=JUST, aborting="abort"), NO_POD),
    ],
)
def test_a_candidate_that_nobody_wants_any_more_makes_room(given: RolloutContext, why: str) -> None:
    after = takes_over(given, GONE)
    assert after is not None
    assert (after.phase, after.hold, after.aborting) == (Phase.FINISHING, None, "")
    assert after.condemned is not None
    assert (after.condemned.revision, after.condemned.message) == ("iris-2", why)


@pytest.mark.parametrize(
    ("given", "phase"),
    [
        (look(BAKE, green=pods("iris-2", 3), says={"reporting": {"iris-2": 3}}), Phase.FINISHING),
        (look(BAKE, green=pods("iris-2", 2), says={"reporting": {"iris-2": 3}}), Phase.PROGRESSING),
        (look(BAKE, green=pods("iris-2", 3), says={"reporting": {"iris-2": 2}}), Phase.PROGRESSING),
        (look(APPROVED, green=pods("iris-2", 3), says={"reporting": {"iris-2": 3}}), Phase.PROGRESSING),
    ],
)
def test_a_stable_that_fails_is_replaced_once_the_candidate_can_carry_all(given: RolloutContext, phase: Phase) -> None:
    after = replace_what_fails(given, given.status, "It failed.")
    assert after.phase is phase
    assert after.condemned is not None
    assert (after.condemned.revision, after.condemned.message) == ("iris-1", "It failed.")


@pytest.mark.parametrize("role", ["stable", "candidate"])
def test_without_both_there_is_nothing_to_replace(role: str) -> None:
    given = look(BAKE, **{role: None})
    assert replace_what_fails(given, given.status, "It failed.") is given.status
