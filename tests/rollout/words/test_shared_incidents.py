"""Pods of both versions die: whose fault that is."""

from dataclasses import replace
from typing import Any

import pytest
from tests.rollout.words.looks import died, look, pods

from viridian.api.status import Ending, Phase
from viridian.rollout.context import RolloutContext
from viridian.rollout.interrupts import interrupt, shared_deaths
from viridian.rollout.observed import Pod

TOGETHER = (
    "pods of v2.0.0 and of v1.0.0 die at the same time, so v2.0.0 is not blamed: look for what they share, such as"
    " data, network or nodes; exit code 1"
)


def both(mine: Pod, theirs: Pod, now: float = 700, **more: Any) -> RolloutContext:
    """Pods of both colors died."""
    return look(
        {"rollout": {"steps": [{"weight": 10, "hold": "10s"}], "deadline": "2h"}},
        green=pods("iris-2", 2, [mine]),
        blue=pods("iris-1", 3, [theirs]),
        now=now,
        **more,
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (both(died("iris-2", 2), died("iris-1")), TOGETHER),
        (both(died("iris-2", 2, at=630), died("iris-1", at=30)), TOGETHER),
        (both(died("iris-2", 2, at=630), died("iris-1", at=29)), ""),
        (both(died("iris-2", 2, at=30), died("iris-1", at=0)), TOGETHER),
        (both(died("iris-2", 2, at=30), died("iris-1", at=-1)), ""),  # before the rollout
        (both(died("iris-2", 2), died("iris-1", 0)), ""),
        (both(died("iris-2", 2), died("iris-9")), ""),
        (both(died("iris-2", 2), died("iris-1"), started_at=None), ""),
        (both(died("iris-2", 2), died("iris-1"), stable=None), ""),
        (both(died("iris-2", 2), died("iris-1"), candidate=None), ""),
        (both(died("iris-2", 0), died("iris-1")), ""),
        (both(died("iris-2", 2), died("iris-1"), ending=Ending(phase=Phase.EXPIRED, reason="r", message="m")), ""),
    ],
)
def test_who_is_blamed_where_pods_of_both_die(given: RolloutContext, said: str) -> None:
    assert shared_deaths(given) == said


def test_pods_that_die_with_stables_take_nothing_back() -> None:
    assert interrupt(both(died("iris-2", 2), died("iris-1"), now=60)) is None
    ending = interrupt(both(died("iris-2", 2, at=630), died("iris-1", at=29)))
    assert ending is not None
    assert ending.reason == "PodsCrash"


def test_pods_that_are_being_deleted_count_for_neither() -> None:
    mine = replace(died("iris-2", 2), deleting=True)
    theirs = replace(died("iris-1"), deleting=True)
    assert interrupt(both(mine, died("iris-1"), now=60)) is None
    ending = interrupt(both(died("iris-2", 2), theirs, now=60))
    assert ending is not None
    assert ending.reason == "PodsCrash"


def test_what_is_ready_again_is_no_shared_incident() -> None:
    well = replace(died("iris-2", 2), ready=True)
    assert shared_deaths(both(well, died("iris-1"))) == ""
