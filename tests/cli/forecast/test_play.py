"""One rollout over drawn requests."""

import random
import time
from typing import Any

import pytest
from tests.rollout.world import spec_for

from viridian.api.status import Phase
from viridian.cli.forecast.behavior import Behavior, LogNormal
from viridian.cli.forecast.play import Played, World, play

STABLE = Behavior(0.001, LogNormal(0.05))
BRIEF: dict[str, Any] = {"steps": [{"weight": 10, "hold": "1m"}], "bake": {"duration": "2m", "holdback": 5}}


def played(rpm: float, candidate: Behavior = STABLE, interval: float = 15.0, **changes: Any) -> Played:
    world = World(spec_for("v2.0.0", **{"rollout": {**BRIEF, "deadline": "2h"}, **changes}), rpm, STABLE, interval)
    return play(world, candidate, random.Random(1))


def test_a_good_candidate_needs_startup_holds_and_a_few_scrapes() -> None:
    found = played(6000)
    assert found.phase is Phase.FINISHING
    # a minute for each size of its Deployment, three minutes of holds, and some scrapes between
    assert 2 * 60 + 3 * 60 <= found.seconds <= 2 * 60 + 3 * 60 + 7 * 15
    assert found.requests < found.all_requests
    assert found.all_requests == pytest.approx(6000 * (found.seconds - 75) / 60, rel=0.01)


def test_a_failing_candidate_is_gone_after_two_scrapes_and_fails_nobody_else() -> None:
    found = played(6000, Behavior(1.0, LogNormal(0.05)))
    assert found.phase is Phase.ROLLED_BACK
    assert found.seconds <= 60 + 4 * 15
    assert found.failed == found.requests
    assert found.all_failed - found.failed < 0.01 * found.all_requests


def test_without_enough_requests_it_expires_at_the_deadline() -> None:
    found = played(1)
    assert found.phase is Phase.EXPIRED
    assert found.seconds == 7200


def test_a_service_without_gateway_moves_everything_at_once() -> None:
    found = played(6000, traffic={"parentRefs": []}, rollout={"bake": BRIEF["bake"], "deadline": "2h"})
    assert found.phase is Phase.FINISHING
    assert found.seconds <= 60 + 2 * 60 + 4 * 15


def test_a_deadline_of_weeks_takes_no_longer_to_play_than_one_of_hours() -> None:
    # given a candidate that is as slow as it may be, so that no number of requests decides
    limit = {"latency": [{"percentile": "95", "max": "200ms"}]}

    def cost(deadline: str) -> float:
        began = time.process_time()
        found = played(10, Behavior(0.001, LogNormal(0.2)), rollout={**BRIEF, "deadline": deadline}, guards=limit)
        assert found.phase is Phase.EXPIRED
        return time.process_time() - began

    # then
    assert cost("500h") < 12 * cost("5h")
