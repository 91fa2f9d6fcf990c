"""Rollouts over drawn requests."""

import time
from typing import Any

import numpy as np
import pytest
from tests.rollout.world import spec_for

from viridian.cli.forecast.behavior import Behavior, LogNormal
from viridian.cli.forecast.play import Moment, Played, World, play
from viridian.cli.forecast.tables import Array
from viridian.cli.forecast.walk import Outcome

STABLE = Behavior(0.001, LogNormal(0.05))
BRIEF: dict[str, Any] = {"steps": [{"weight": 10, "hold": "1m"}], "bake": {"duration": "2m", "holdback": 5}}
COPIES: dict[str, Any] = {**BRIEF, "steps": [{"shadow": "20%", "hold": "2m"}, *BRIEF["steps"]]}
ROLLOUTS = 20


def played(rpm: float, candidate: Behavior = STABLE, approval: float = 0.0, **changes: Any) -> Played:
    spec = spec_for("v2.0.0", **{"rollout": {**BRIEF, "deadline": "2h"}, **changes})
    return play(World(spec, rpm, STABLE, 15.0, approval=approval), candidate, ROLLOUTS, np.random.default_rng(1))


def all_are(found: Array, outcome: Outcome) -> bool:
    return len(found) == ROLLOUTS and bool((found == outcome).all())


def test_a_good_candidate_needs_startup_holds_and_a_few_scrapes() -> None:
    found = played(6000)
    assert all_are(found.outcome, Outcome.PROMOTED)
    # a minute for each size of its Deployment, three minutes of holds, and some scrapes between
    assert found.seconds.min() >= 2 * 60 + 3 * 60
    assert found.seconds.max() <= 2 * 60 + 3 * 60 + 7 * 15
    assert (found.requests < found.all_requests).all()
    assert found.all_requests == pytest.approx(6000 * (found.seconds - 75) / 60, rel=0.02)


def test_a_failing_candidate_is_gone_after_two_scrapes_and_fails_nobody_else() -> None:
    found = played(6000, Behavior(1.0, LogNormal(0.05)))
    assert all_are(found.outcome, Outcome.TURNED_BACK)
    assert found.seconds.max() <= 60 + 4 * 15
    assert (found.failed == found.requests).all()
    assert (found.all_failed - found.failed < 0.01 * found.all_requests).all()


def test_without_enough_requests_it_expires_at_the_deadline() -> None:
    found = played(1)
    assert all_are(found.outcome, Outcome.EXPIRED)
    assert (found.seconds == 7200).all()


def test_a_service_without_gateway_moves_everything_at_once() -> None:
    found = played(6000, traffic={"parentRefs": []}, rollout={"bake": BRIEF["bake"], "deadline": "2h"})
    assert all_are(found.outcome, Outcome.PROMOTED)
    assert found.seconds.max() <= 60 + 2 * 60 + 4 * 15


def test_a_shadow_step_takes_its_hold_and_no_request_of_a_user() -> None:
    found, without = played(6000, rollout={**COPIES, "deadline": "2h"}), played(6000)
    assert all_are(found.outcome, Outcome.PROMOTED)
    assert np.median(found.seconds) - np.median(without.seconds) == pytest.approx(120, abs=60)
    assert np.median(found.requests) == pytest.approx(np.median(without.requests), rel=0.15)


def test_a_candidate_that_fails_copies_never_meets_a_user() -> None:
    found = played(6000, Behavior(0.5, LogNormal(0.05)), rollout={**COPIES, "deadline": "2h"})
    assert all_are(found.outcome, Outcome.TURNED_BACK)
    assert found.requests.max() == 0


@pytest.mark.parametrize("rollout", [BRIEF, COPIES])
@pytest.mark.parametrize("gate", ["BeforeTraffic", "BeforePromotion"])
def test_an_approval_takes_its_time_and_none_of_the_deadline(gate: str, rollout: dict[str, Any]) -> None:
    asked = {**rollout, "approval": gate, "deadline": "12m"}
    found, at_once = played(6000, approval=3000.0, rollout=asked), played(6000, rollout=asked)
    assert all_are(found.outcome, Outcome.PROMOTED)
    assert np.median(found.seconds) - np.median(at_once.seconds) == pytest.approx(3000, abs=31)


def test_a_limit_that_is_a_multiple_of_what_stable_takes() -> None:
    # given a candidate that takes four times as long, which twice is the limit of
    limit = {"latency": [{"percentile": "95", "maxTimesStable": "2"}]}
    assert all_are(played(6000, Behavior(0.001, LogNormal(0.2)), guards=limit).outcome, Outcome.TURNED_BACK)
    assert all_are(played(6000, guards=limit).outcome, Outcome.PROMOTED)


def test_the_first_rollout_can_be_watched() -> None:
    moments: list[Moment] = []
    world = World(spec_for("v2.0.0", rollout={**COPIES, "deadline": "2h"}), 6000, STABLE)
    found = play(world, STABLE, 1, np.random.default_rng(1), moments.append)
    assert moments[-1].outcome is Outcome.PROMOTED
    assert moments[-1].seconds == found.seconds[0]
    assert [each.weight for each in moments] == sorted(each.weight for each in moments)
    assert {each.step for each in moments} == {0, 1, 2}


def test_a_deadline_of_weeks_takes_no_longer_to_play_than_one_of_hours() -> None:
    # given a candidate that is as slow as it may be, so that no number of requests decides
    limit = {"latency": [{"percentile": "95", "max": "200ms"}]}

    def cost(deadline: str) -> float:
        began = time.process_time()
        found = played(10, Behavior(0.001, LogNormal(0.2)), rollout={**BRIEF, "deadline": deadline}, guards=limit)
        assert (found.outcome == Outcome.EXPIRED).sum() > ROLLOUTS / 2
        return time.process_time() - began

    # then
    assert cost("500h") < 12 * cost("5h")
