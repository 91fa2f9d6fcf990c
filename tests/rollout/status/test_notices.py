"""The turns of a rollout that make Events."""

from datetime import timedelta

import pytest
from tests.rollout.world import START

from viridian.api.names import Color
from viridian.api.rollout import Approval
from viridian.api.status import (
    Approved,
    ColorStatus,
    Ending,
    HistoryEntry,
    Hold,
    ModelDeploymentStatus,
    Phase,
    StepStatus,
)
from viridian.rollout.reporting.notices import Notice, notices


def candidate(number: int) -> ColorStatus:
    return ColorStatus(color=Color.GREEN, revision=f"iris-{number}", version=f"v{number}")


def step(index: int, weight: int) -> StepStatus:
    return StepStatus(index=index, count=2, weight=weight, intended_at=START)


def hold(reason: str, message: str = "why") -> Hold:
    return Hold(reason=reason, message=message, since=START)


def ending(phase: Phase, reason: str) -> Ending:
    return Ending(phase=phase, reason=reason, message="40 of 100 failed")


def entry(number: int, result: str) -> HistoryEntry:
    return HistoryEntry(
        revision=f"iris-{number}",
        version=f"v{number}",
        result=result,
        message="so it went",
        started_at=START,
        ended_at=START + timedelta(minutes=number),
    )


def status(**fields: object) -> ModelDeploymentStatus:
    return ModelDeploymentStatus().model_copy(update=fields)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        # a rollout starts, or another one
        ({}, {"candidate": candidate(2)}, [Notice("RolloutStarted", "iris-2 (v2) starts")]),
        (
            {"candidate": candidate(2)},
            {"candidate": candidate(3)},
            [Notice("RolloutStarted", "iris-3 (v3) starts")],
        ),
        ({"candidate": candidate(2)}, {"candidate": candidate(2)}, []),
        ({"candidate": candidate(2)}, {}, []),
        # a step, the next one, the bake
        (
            {},
            {"step": step(1, 5)},
            [Notice("WeightIntended", "step 1 of 2: the candidate's weight is set to 5 %")],
        ),
        (
            {"step": step(1, 5)},
            {"step": step(2, 50)},
            [Notice("WeightIntended", "step 2 of 2: the candidate's weight is set to 50 %")],
        ),
        (
            {"step": step(2, 50)},
            {"step": step(3, 95)},
            [Notice("WeightIntended", "bake: the candidate's weight is set to 95 %")],
        ),
        ({"step": step(2, 50)}, {"step": step(2, 60)}, []),
        ({"step": step(2, 50)}, {}, []),
        # rolled back; people need to look only where somebody or something is to blame, or time ran out
        (
            {},
            {"ending": ending(Phase.ROLLED_BACK, "GuardBreached")},
            [Notice("GuardBreached", "rolled back: 40 of 100 failed", warning=True)],
        ),
        (
            {},
            {"ending": ending(Phase.EXPIRED, "NoTraffic")},
            [Notice("NoTraffic", "rolled back: 40 of 100 failed", warning=True)],
        ),
        (
            {},
            {"ending": ending(Phase.STABLE, "Replaced")},
            [Notice("Replaced", "rolled back: 40 of 100 failed", warning=False)],
        ),
        (
            {"ending": ending(Phase.STABLE, "Replaced")},
            {"ending": ending(Phase.STABLE, "Replaced")},
            [],
        ),
        ({"ending": ending(Phase.STABLE, "Replaced")}, {}, []),
        # held, or for another reason
        ({}, {"hold": hold("NoTraffic")}, [Notice("NoTraffic", "held: why", warning=True)]),
        ({"hold": hold("NoTraffic")}, {"hold": hold("Paused")}, [Notice("Paused", "held: why", warning=True)]),
        ({"hold": hold("NoTraffic")}, {"hold": hold("NoTraffic", "in other words")}, []),
        ({"hold": hold("NoTraffic")}, {}, []),
        # over
        (
            {"history": [entry(1, "Promoted")]},
            {"history": [entry(2, "Promoted"), entry(1, "Promoted")]},
            [Notice("Promoted", "iris-2 (v2): so it went")],
        ),
        ({}, {"history": [entry(2, "Replaced")]}, [Notice("Replaced", "iris-2 (v2): so it went")]),
        ({}, {"history": [entry(2, "Reverted")]}, [Notice("Reverted", "iris-2 (v2): so it went")]),
        (
            {},
            {"history": [entry(2, "RolledBack")]},
            [Notice("RolledBack", "iris-2 (v2): so it went", warning=True)],
        ),
        (
            # a full history, in which the newest entry pushes out the oldest
            {"history": [entry(2, "Promoted"), entry(1, "Promoted")]},
            {"history": [entry(3, "Promoted"), entry(2, "Promoted")]},
            [Notice("Promoted", "iris-3 (v3): so it went")],
        ),
        ({"history": [entry(1, "Promoted")]}, {"history": [entry(1, "Promoted")]}, []),
        (
            {"history": [entry(2, "Promoted"), entry(1, "Promoted")]},
            {"history": [entry(2, "Promoted"), entry(1, "Promoted")]},
            [],
        ),
        # a status that was lost is no turn
        ({"history": [entry(2, "Promoted"), entry(1, "Promoted")]}, {"history": [entry(1, "Promoted")]}, []),
        ({"history": [entry(1, "Promoted")]}, {"history": []}, []),
    ],
)
def test_each_turn_makes_its_event_once(before, after, expected):
    assert notices(status(**before), status(**after)) == expected


def test_several_turns_at_once_are_told_in_their_order():
    after = status(
        candidate=candidate(2),
        step=step(1, 5),
        ending=ending(Phase.ROLLED_BACK, "Aborted"),
        hold=hold("Paused"),
        history=[entry(1, "Promoted")],
    )
    found = [notice.reason for notice in notices(status(), after)]
    assert found == ["RolloutStarted", "WeightIntended", "Aborted", "Paused", "Promoted"]


@pytest.mark.parametrize(("by", "who"), [("amir", " by amir"), ("", "")])
def test_an_approval_is_told_once_with_who_gave_it(by: str, who: str):
    before, after = status(), status(approved=Approved(revision="iris-2", gate=Approval.BEFORE_TRAFFIC, by=by))
    assert notices(before, after) == [Notice("Approved", f"iris-2 was approved{who} (BeforeTraffic)")]
    assert notices(after, after) == []
