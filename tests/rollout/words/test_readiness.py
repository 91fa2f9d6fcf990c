"""Weight follows readiness: each outage, shortfall, step and weight of one look, and those just before them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import SHADOW, look, pods, step, watching
from tests.rollout.world import START

from viridian.api.rollout import Approval
from viridian.api.status import Approved, Ending, Outage, Phase, Return, Shortfall, StepStatus
from viridian.api.status.changes import evolve
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import ColorView
from viridian.rollout.readiness import candidate_weight, control_pods, control_weight, step_at, track


def at(seconds: float) -> datetime:
    """So many seconds after the rollout began. A look is at 60 seconds, and the grace is 6."""
    return START + timedelta(seconds=seconds)


NOW = at(60)
TWENTY = {"serving": {"replicas": 20}}
WATCHED = {
    "rollout": {
        "steps": [{"weight": 10, "hold": "10s"}],
        "bake": {"duration": "20s", "holdback": 20, "watch": {"duration": "30m", "holdback": 20}},
    }
}
BLUE_GREEN = {"traffic": {"parentRefs": []}, "rollout": {"type": "BlueGreen", "bake": {"duration": "20s"}}}
NOBODY = pods("iris-1", 0)
NO_CANDIDATE, ONE = pods("iris-2", 0), pods("iris-2", 1)
IN_GRACE = Outage(since=at(54.1))
"""Stable has had no ready pod for just less than the grace."""
DUE = Outage(since=at(54))
"""Stable has had no ready pod for exactly the grace."""
OVER = Outage(since=at(20), failed_over_at=at(30))
RETURNING = Return(instead_of="iris-3", generation=1)
HALF = step(2, 50, verified_at=at(40), lagging_since=at(35))
SHADOWED = step(1, 0, shadow="50%")


def watched(spec: Any = WATCHED, **parts: Any) -> RolloutContext:
    """v2.0.0 was promoted a minute ago, and v1.0.0 keeps 20 % of the traffic."""
    return watching(spec, **{"weight": 80, **parts})


def taken_back(**parts: Any) -> RolloutContext:
    """v2.0.0 was promoted and goes back; v1.0.0 has 4 of its 20 pods since less than the time of a bake."""
    return look(
        TWENTY,
        **{
            "blue": pods("iris-1", 4),
            "green": pods("iris-2", 20),
            "weight": 95,
            "phase": Phase.ROLLING_BACK,
            "ending": ending(warms_since=NOW - timedelta(seconds=19)),
            **parts,
        },
    )


def ending(**parts: Any) -> Ending:
    return Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message="It failed.", **parts)


# ------------------------------------------------------------------ stable has nobody to answer


def without_stable(spec: Any = None, **parts: Any) -> RolloutContext:
    """Stable has had no ready pod for exactly the grace."""
    return look(spec, **{"blue": NOBODY, "outage": DUE, **parts})


@pytest.mark.parametrize(
    ("given", "outage"),
    [
        # stable is ready
        (look(), None),
        (look(outage=IN_GRACE), None),
        (look(outage=DUE), None),
        # stable is ready again: the candidate keeps everything for one grace more
        (look(outage=OVER), evolve(OVER, ready_since=NOW)),
        (look(outage=evolve(OVER, ready_since=at(54.1))), evolve(OVER, ready_since=at(54.1))),
        (look(outage=evolve(OVER, ready_since=at(54))), None),
        (look(outage=OVER, green=ONE), evolve(OVER, ready_since=NOW)),
        (look(outage=OVER, green=NO_CANDIDATE), None),
        # stable is not ready
        (without_stable(outage=None), Outage(since=NOW)),
        (without_stable(outage=IN_GRACE), IN_GRACE),
        (without_stable(), evolve(DUE, failed_over_at=NOW)),
        (without_stable(green=ONE), evolve(DUE, failed_over_at=NOW)),
        (without_stable(green=NO_CANDIDATE), DUE),
        (without_stable(outage=OVER), OVER),
        (without_stable(outage=OVER, green=NO_CANDIDATE), OVER),
        (without_stable(outage=evolve(OVER, ready_since=at(50))), OVER),
        # nobody could take over
        (without_stable(candidate=None, step=None), None),
        (without_stable(ending=ending()), None),
        (without_stable(stable=None), None),
        # the old version answers for a promoted one that is watched
        (watched(green=NO_CANDIDATE), Outage(since=NOW)),
        (watched(green=NO_CANDIDATE, outage=DUE), evolve(DUE, failed_over_at=NOW)),
        (watched(green=NO_CANDIDATE, outage=DUE, blue=NOBODY), DUE),
        (watched(outage=OVER), evolve(OVER, ready_since=NOW)),
        (watched(outage=OVER, blue=NOBODY), None),
    ],
)
def test_an_outage_of_stable_lasts_from_its_last_ready_pod_until_it_has_been_ready_for_a_grace(
    given: RolloutContext, outage: Outage | None
) -> None:
    assert track(given).outage == outage


def gated(approval: Approval, spec: Any = None, **parts: Any) -> RolloutContext:
    """A candidate before its first step that would answer for stable, and a person must approve it."""
    rollout = {"steps": [{"weight": 10, "hold": "10s"}], "approval": approval, **(spec or {})}
    return without_stable({"rollout": rollout}, **{"step": None, "phase": Phase.HELD, **parts})


FIRST = Approval.BEFORE_TRAFFIC
SMOKE = {"checks": {"smoke": True}}


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        (gated(Approval.NONE), True),
        (gated(Approval.BEFORE_PROMOTION), True),
        (gated(FIRST), False),
        (gated(FIRST, approved=Approved(revision="iris-2", gate=FIRST)), True),
        (gated(Approval.WITHOUT_FALLBACK), False),
        (without_stable(step=None, phase=Phase.HELD, paused="iris-2"), False),
        (without_stable(SMOKE, step=None, phase=Phase.STARTING), False),
        # copies of requests are no users
        (gated(FIRST, {**SHADOW["rollout"]}, step=SHADOWED), False),
        (without_stable(SHADOW, step=SHADOWED, paused="iris-2"), False),
        (without_stable(SHADOW, step=SHADOWED), True),
        # it has had users, or will have them in this very moment
        (gated(FIRST, step=step()), True),
        (without_stable(paused="iris-2"), True),
        (gated(FIRST, returning=RETURNING), True),
        (gated(FIRST, phase=Phase.FINISHING), True),
        # a person has said no
        (without_stable(aborting="abort"), False),
        (without_stable(aborting="abort", returning=RETURNING), False),
    ],
)
def test_a_candidate_answers_for_stable_where_users_may_meet_it(given: RolloutContext, answers: bool) -> None:
    outage = track(given).outage
    assert outage is not None
    assert (outage.failed_over_at == NOW) is answers


# ------------------------------------------------------------------ the candidate has too few pods


def half(spec: Any = None, **parts: Any) -> RolloutContext:
    """A candidate that has, and is meant to have, half of the traffic, which takes ten of twenty pods."""
    given = {"blue": pods("iris-1", 20), "green": pods("iris-2", 10), "weight": 50, "step": HALF, **parts}
    return look({**TWENTY, **(spec or {})}, says={"reporting": {"iris-2": 10}}, **given)


SHORT = Shortfall(weight=20)
ENOUGH = Shortfall(weight=20, ready_since=at(54))
"""Its pods have been ready again for exactly the grace."""
UNSEEN = Shortfall(weight=20, ready_since=at(10))


@pytest.mark.parametrize(
    ("given", "shortfall"),
    [
        # it has what it needs, or has no more weight than its pods carry
        (half(), None),
        (half(green=pods("iris-2", 9), weight=45), None),
        (half(green=pods("iris-2", 9), weight=90, step=step(1, 45)), None),
        (half(green=pods("iris-2", 0), step=None), None),
        (half(green=pods("iris-2", 0), weight=0), None),
        # it has fewer
        (half(green=pods("iris-2", 9)), Shortfall(weight=45)),
        (half(green=pods("iris-2", 9), weight=46), Shortfall(weight=45)),
        (half(green=pods("iris-2", 0)), Shortfall(weight=0)),
        (half(green=pods("iris-2", 18), weight=95, step=None, phase=Phase.FINISHING), Shortfall(weight=90)),
        # it falls further, and does not rise before all are there
        (half(green=pods("iris-2", 3), shortfall=SHORT), Shortfall(weight=15)),
        (half(green=pods("iris-2", 9), shortfall=SHORT), SHORT),
        (half(green=pods("iris-2", 9), shortfall=ENOUGH), SHORT),
        # all are there
        (half(shortfall=SHORT), Shortfall(weight=20, ready_since=NOW)),
        (half(shortfall=Shortfall(weight=20, ready_since=at(54.1))), Shortfall(weight=20, ready_since=at(54.1))),
        (half(shortfall=ENOUGH), None),
        (half(green=pods("iris-2", 11), shortfall=UNSEEN, step=step(2, 55)), UNSEEN),  # the metrics have ten of them
        (half(green=pods("iris-2", 11), shortfall=UNSEEN, step=step(2, 55), returning=RETURNING), None),
        # stable has none: this is no time to take anything from the candidate, or to give it anything back
        (half(green=pods("iris-2", 9), blue=NOBODY), None),
        (half(green=pods("iris-2", 3), blue=NOBODY, shortfall=SHORT), SHORT),
        (half(green=pods("iris-2", 3), blue=NOBODY, shortfall=SHORT, outage=DUE), None),
        (half(green=pods("iris-2", 3), shortfall=SHORT, outage=OVER), None),
        # it goes nowhere
        (half(shortfall=SHORT, ending=ending()), None),
        (half(shortfall=SHORT, candidate=None), None),
        (half(shortfall=SHORT, stable=None), None),
        (half(shortfall=SHORT, step=None), None),
        (watched(shortfall=SHORT), None),
    ],
)
def test_a_shortfall_of_the_candidate_lasts_until_it_has_had_enough_pods_for_a_grace(
    given: RolloutContext, shortfall: Shortfall | None
) -> None:
    assert track(given).shortfall == shortfall


# ------------------------------------------------------------------ what becomes of the step

UNVERIFIED = evolve(HALF, verified_at=None, lagging_since=None)
ANEW = StepStatus(index=2, count=2, progress="2/2", weight=50, weight_before=50, intended_at=NOW)


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (half(), HALF),
        (half(blue=NOBODY), HALF),
        (half(blue=NOBODY, outage=IN_GRACE), HALF),
        # it is interrupted, and must be seen again
        (half(blue=NOBODY, outage=DUE), UNVERIFIED),
        (half(outage=OVER), UNVERIFIED),
        (half(green=pods("iris-2", 9)), UNVERIFIED),
        (half(shortfall=SHORT), UNVERIFIED),
        # the interruption is over: it begins anew
        (half(outage=evolve(OVER, ready_since=at(54))), ANEW),
        (half(shortfall=ENOUGH), ANEW),
        # one that has moved nothing is none
        (half(outage=IN_GRACE), HALF),
        # there is none yet
        (half(outage=OVER, step=None), None),
        (half(outage=evolve(OVER, ready_since=at(54)), step=None), None),
    ],
)
def test_a_step_that_was_interrupted_begins_anew(given: RolloutContext, after: StepStatus | None) -> None:
    assert track(given).step == after


COUNTS = {"requests": {"iris-1": 900, "iris-2": 100}, "mirrored": {"iris-2": 70, "iris-1": 5}}


@pytest.mark.parametrize(
    ("given", "index", "begun"),
    [
        (
            look(says=COUNTS, weight=10),
            2,
            step(2, 50, progress="2/2", weight_before=10, requests_before=100, stable_requests_before=900),
        ),
        (
            look(says=COUNTS, weight=50),
            3,
            step(3, 95, progress="bake", weight_before=50, requests_before=100, stable_requests_before=900),
        ),
        (
            look(SHADOW, says=COUNTS, weight=0),
            1,
            step(1, 0, progress="1/2", shadow="50%", requests_before=70, stable_requests_before=900),
        ),
    ],
)
def test_a_step_knows_what_was_counted_before_it(given: RolloutContext, index: int, begun: StepStatus) -> None:
    assert step_at(given, index) == evolve(begun, intended_at=NOW)


# ------------------------------------------------------------------ the weights


@pytest.mark.parametrize(
    ("given", "weight"),
    [
        (look(candidate=None, step=None), 0),
        (look(step=None), 0),
        (look(), 10),
        (look(step=step(2, 50)), 50),
        (look(outage=IN_GRACE), 10),
        (look(outage=OVER), 100),
        (look(shortfall=Shortfall(weight=3)), 3),
        (look(shortfall=Shortfall(weight=30)), 10),
        # a person took it back: no more than it has
        (look(aborting="abort", step=step(2, 50), weight=10), 10),
        (look(aborting="abort", step=step(2, 50), weight=90), 50),
        # it becomes stable
        (look(phase=Phase.FINISHING, step=step(3, 95)), 100),
        (look(phase=Phase.FINISHING, step=None), 100),
        (look(WATCHED, phase=Phase.FINISHING), 80),
        # it is rolled back, or was promoted before and keeps what stable cannot carry yet
        (look(ending=ending()), 0),
        (taken_back(), 80),
        (taken_back(weight=60), 60),
        (taken_back(blue=pods("iris-1", 0)), 95),
        (taken_back(blue=pods("iris-1", 20)), 0),
        (taken_back(green=pods("iris-2", 0)), 0),
        (taken_back(green=pods("iris-2", 1)), 80),
        (taken_back(candidate=None), 0),
        (taken_back(ending=ending(warms_since=NOW - timedelta(seconds=20))), 0),
        (taken_back(ending=ending()), 0),
    ],
)
def test_the_candidate_has_the_weight_that_pods_are_ready_for(given: RolloutContext, weight: int) -> None:
    assert candidate_weight(given) == weight


@pytest.mark.parametrize(
    ("given", "weight", "replicas"),
    [
        (watched(), 20, 2),
        (watched({**WATCHED, **TWENTY}, blue=pods("iris-1", 4)), 20, 4),
        # too few pods: it keeps what they carry, and gets its share back once all are there
        (watched({**WATCHED, **TWENTY}, blue=pods("iris-1", 3)), 15, 4),
        (watched({**WATCHED, **TWENTY}, blue=pods("iris-1", 3), weight=100), 0, 4),
        (watched({**WATCHED, **TWENTY}, blue=pods("iris-1", 4), weight=100), 20, 4),
        (watched({**WATCHED, **TWENTY}, blue=pods("iris-1", 1)), 5, 4),
        (watched(blue=NOBODY), 0, 2),
        # more than its share while it still has more in the route
        (watched({**WATCHED, **TWENTY}, blue=pods("iris-1", 20), weight=40), 20, 12),
        # it answers for the promoted version
        (watched({**WATCHED, **TWENTY}, outage=OVER), 100, 20),
        (watched({**WATCHED, **TWENTY}, outage=IN_GRACE), 15, 4),
        (watched({**WATCHED, **TWENTY}, outage=OVER, blue=NOBODY), 0, 20),
        # the spec asks for no watch any more, or there is no gateway
        (watched(TWENTY, weight=90), 0, 2),
        (watched(TWENTY, weight=40), 0, 12),
        (watched({**TWENTY, **BLUE_GREEN}, weight=None), 0, 2),
        (watched({"serving": {"replicas": 300}}, weight=100), 0, 2),
    ],
)
def test_the_old_version_keeps_its_share_and_the_pods_for_it(given: RolloutContext, weight: int, replicas: int) -> None:
    assert (control_weight(given), control_pods(given)) == (weight, replicas)


def test_without_an_old_version_there_is_no_share() -> None:
    assert control_weight(watched(watch=None)) == 0


# ------------------------------------------------------------------ stable's pods while an autoscaler says how many

CPU = {"resources": {"requests": {"cpu": "100m"}}}
SCALED = {"serving": {"autoscaling": {"minReplicas": 2, "maxReplicas": 20}, "triton": CPU, "api": CPU}}


@pytest.mark.parametrize(
    ("given", "floor"),
    [
        (look(), None),
        (look(SCALED), 3),
        (look(SCALED, floor=2), 3),
        (look(SCALED, floor=5), 5),
        (look(SCALED, blue=ColorView()), 0),
        # autoscaling came, or went, in mid-rollout
        (look(floor=2), 3),
        (look(floor=5), 5),
        # nothing moves
        (look(SCALED, candidate=None, step=None), None),
        (look(SCALED, candidate=None, step=None, floor=2), 3),
        (look(SCALED, stable=None), None),
        (look(SCALED, stable=None, floor=2), 2),
        # what is watched counts as well
        (watched({**WATCHED, **SCALED}, green=pods("iris-2", 7), floor=5), 7),
    ],
)
def test_the_most_pods_that_stable_had_are_kept_in_mind(given: RolloutContext, floor: int | None) -> None:
    assert track(given).floor == floor
