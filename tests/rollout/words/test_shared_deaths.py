"""Pods of both versions that die together, and how long nothing was seen of either."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import died, look, pods, step
from tests.rollout.world import START

from viridian.api.status import Ending, Outage, Phase
from viridian.rollout.context import RolloutContext
from viridian.rollout.interrupts import interrupt, metrics_missing_for, no_traffic_for, shared_deaths
from viridian.rollout.observed import Pod

# ------------------------------------------------------------------ deaths of both

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
        # where nobody knows when it died, that was now
        (both(replace(died("iris-2", 2), died_at=None), died("iris-1", at=100)), TOGETHER),
        (both(replace(died("iris-2", 2), died_at=None), died("iris-1", at=99)), ""),
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


# ------------------------------------------------------------------ how long nothing was seen


def seconds(after: float) -> timedelta:
    return timedelta(seconds=after)


@pytest.mark.parametrize(
    ("given", "long"),
    [
        (look(), 0),
        (look(says={"fresh_at": START + seconds(20)}), 40),
        (look(says={"fresh_at": None}), 60),
        (look(says={"fresh_at": START - seconds(9)}), 60),  # the step came later
        (look(says={"fresh_at": None, "monitored_since": START + seconds(45)}), 15),
        (look(says={"fresh_at": None}, step=None), 0),
        (look(says={"fresh_at": None}, candidate=None), 0),
        (look(says={"fresh_at": START + seconds(99)}), 0),
    ],
)
def test_how_long_the_guards_were_blind(given: RolloutContext, long: float) -> None:
    assert metrics_missing_for(given) == seconds(long)


@pytest.mark.parametrize(
    ("given", "long"),
    [
        (look(), 60),
        (look(says={"counted_at": {"iris-1": START + seconds(20)}}), 40),
        (look(says={"counted_at": {"iris-2": START + seconds(25)}}), 35),
        (look(says={"counted_at": {"iris-9": START + seconds(25)}}), 60),
        (look(says={"monitored_since": START + seconds(45)}), 15),
        (look(step=step(verified_at=START)), 0),
        (look(step=None), 0),
        (look(weight=5), 0),  # the route is not written yet
        (look(stable=None, weight=10, says={"counted_at": {"iris-1": START + seconds(20)}}), 60),
        (look(outage=Outage(since=START)), 60),
    ],
)
def test_how_long_no_request_came(given: RolloutContext, long: float) -> None:
    assert no_traffic_for(given) == seconds(long)
