"""What rules ask of one look: weights, pods, moments and revisions, at their edges."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import BLUE, CANDIDATE, GREEN, STABLE, look, pods, route, step
from tests.rollout.world import START

from viridian.api.status import BlockedRevision, Condemned, Ending, HistoryEntry, Hold, Outage, Phase, Promotion, Return
from viridian.rollout.context import SETTLED, RolloutContext
from viridian.rollout.observed import RouteFacts

RETURNING = Return(instead_of="iris-3", generation=1)
OVER = Outage(since=START, failed_over_at=START)
BAKE = {"duration": "20s", "holdback": 5}
TEN = {"steps": [{"weight": 10, "hold": "10s"}]}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# ------------------------------------------------------------------ pods and weights


@pytest.mark.parametrize(
    ("given", "pods_", "weight"),
    [
        (look(), 0, 0),
        (look(), 1, 33),
        (look(), 2, 66),
        (look(), 3, 100),
        (look(), 4, 100),
        (look({"traffic": {}}), 0, 0),
        (look({"traffic": {}}), 1, 0),
        (look({"traffic": {}}), 2, 100),
        (look({"traffic": {}, "serving": {"replicas": 2}}), 1, 100),
        (look({"traffic": {}, "serving": {"replicas": 1}}), 0, 0),
    ],
)
def test_what_pods_carry(given: RolloutContext, pods_: int, weight: int) -> None:
    assert given.carried(pods_) == weight


@pytest.mark.parametrize(
    ("replicas", "weight", "needed"),
    [(3, 1, 2), (3, 66, 2), (3, 67, 3), (10, 50, 5), (10, 51, 6), (1, 5, 1), (2, 5, 2), (10, 0, 2), (10, 100, 10)],
)
def test_how_many_pods_a_weight_needs(replicas: int, weight: int, needed: int) -> None:
    assert look({"serving": {"replicas": replicas}}).required_replicas(weight) == needed


CPU = {"triton": {"resources": {"requests": {"cpu": "1"}}}, "api": {"resources": {"requests": {"cpu": "1"}}}}
SCALED = {"serving": {**CPU, "autoscaling": {"minReplicas": 2, "maxReplicas": 6, "cpuPercent": 70}}}


@pytest.mark.parametrize(
    ("spec", "floor", "full"),
    [
        ({}, None, 3),
        ({}, 2, 3),
        ({}, 5, 5),
        (SCALED, None, 2),
        (SCALED, 1, 2),
        (SCALED, 4, 4),
        (SCALED, 9, 6),
    ],
)
def test_how_many_pods_carry_everything(spec: dict[str, Any], floor: int | None, full: int) -> None:
    assert look(spec, floor=floor).full == full


@pytest.mark.parametrize(
    ("facts", "weight", "reachable"),
    [
        (None, 0, False),
        (route(0), 0, False),
        (route(1), 1, True),
        (RouteFacts(rules=({BLUE: 0, GREEN: 100}, {BLUE: 100, GREEN: 0})), 0, True),
        (RouteFacts(rules=()), 0, False),
    ],
)
def test_what_the_route_gives_a_role(facts: RouteFacts | None, weight: int, reachable: bool) -> None:
    given = look(seen={"route": facts})
    assert (given.route_weight(CANDIDATE), given.is_reachable(CANDIDATE)) == (weight, reachable)
    assert (given.route_weight(None), given.is_reachable(None)) == (0, False)


def test_what_a_role_has_completed() -> None:
    given = look(says={"requests": {"iris-2": 7}, "mirrored": {"iris-2": 9}, "reporting": {"iris-2": 2}})
    assert (given.requests(CANDIDATE), given.requests(STABLE), given.requests(None)) == (7, 0, 0)
    assert (given.mirrored(CANDIDATE), given.mirrored(STABLE), given.mirrored(None)) == (9, 0, 0)
    assert (given.reporting(CANDIDATE), given.reporting(STABLE)) == (2, 0)
    assert [given.is_monitored(CANDIDATE, number) for number in (1, 2, 3)] == [True, True, False]
    assert (given.serving(CANDIDATE), given.serving(STABLE), given.serving(None)) == (2, 3, 0)


# ------------------------------------------------------------------ how fresh


def seen(of_stable: float | None, of_candidate: float | None, fresh: float | None, **parts: Any) -> RolloutContext:
    """The newest moments of which the metrics tell, in seconds after the beginning."""
    told = {"iris-1": of_stable, "iris-2": of_candidate}
    return look(
        says={
            "seen_at": {name: at(moment) for name, moment in told.items() if moment is not None},
            "fresh_at": None if fresh is None else at(fresh),
        },
        **parts,
    )


@pytest.mark.parametrize(
    ("given", "fresh", "unseen"),
    [
        (seen(60, 60, 60), 60, ""),
        (seen(58, 59, 60), 58, ""),
        (seen(60, 59, 58), 58, ""),
        (seen(None, 60, 60), None, " of v1.0.0's pods"),
        (seen(60, None, 60), None, " of v2.0.0's pods"),
        (seen(None, None, 60), None, " of v2.0.0's pods"),
        (seen(53.9, 60, 60), 53.9, " of v1.0.0's pods"),
        (seen(54, 60, 60), 54, ""),
        (seen(None, None, 53.9), None, ""),  # they tell of nobody
        (seen(None, None, None), None, ""),
        # a color without a ready pod has nothing that could be seen
        (seen(None, 60, 60, blue=pods("iris-1", 0)), 60, ""),
        (seen(None, None, 60, blue=pods("iris-1", 0)), None, " of v2.0.0's pods"),
        (seen(None, 60, 60, stable=None), 60, ""),
        (seen(60, None, 60, candidate=None), 60, ""),
        (seen(60, 60, 60, candidate=None, stable=None), None, ""),
    ],
)
def test_of_what_the_metrics_tell(given: RolloutContext, fresh: float | None, unseen: str) -> None:
    assert given.fresh_at == (None if fresh is None else at(fresh))
    assert given.unseen == unseen


@pytest.mark.parametrize(("moment", "recent"), [(None, False), (53.9, False), (54, True), (60, True), (61, True)])
def test_what_is_worth_anything_yet(moment: float | None, recent: bool) -> None:
    given = seen(60, moment, 99) if moment is not None else seen(60, None, 60)
    assert given.is_recent(None if moment is None else at(moment)) is recent
    assert given.sees is recent


# ------------------------------------------------------------------ the way of weights


WATCH = {"duration": "10m", "holdback": 4}


@pytest.mark.parametrize(
    ("given", "bake", "wanted", "follows", "promoted"),
    [
        (look(), 95, False, False, 100),
        (look({"rollout": {**TEN, "bake": {**BAKE, "watch": WATCH}}}), 95, True, True, 96),
        (look({"rollout": {**TEN, "bake": {**BAKE, "watch": WATCH}}}, stable=None), 95, True, False, 100),
        (look({"rollout": {**TEN, "bake": {**BAKE, "watch": WATCH}}}, returning=RETURNING), 95, True, False, 100),
        (
            look(
                {"rollout": {**TEN, "bake": {**BAKE, "watch": WATCH}}},
                condemned=Condemned(revision="iris-1", message="it fails"),
            ),
            95,
            True,
            False,
            100,
        ),
        (look({"rollout": {**TEN, "bake": {**BAKE, "watch": WATCH}}}, outage=OVER), 95, True, False, 100),
        (
            look({"rollout": {**TEN, "bake": {**BAKE, "watch": WATCH}}}, outage=Outage(since=START)),
            95,
            True,
            True,
            96,
        ),
        (look({"traffic": {}, "rollout": {"bake": {"duration": "20s"}}}), 100, False, False, 100),
        (look({"traffic": {}}), 100, False, False, 100),  # a Service holds nothing back
    ],
)
def test_the_weights_at_the_end(given: RolloutContext, bake: int, wanted: bool, follows: bool, promoted: int) -> None:
    assert given.bake_weight == bake
    assert (given.watch_wanted is not None) is wanted
    assert given.watch_follows is follows
    assert given.promoted_weight == promoted


STEPS = [
    {"shadow": "50%", "hold": "5s", "minRequests": 40},
    {"weight": 10, "hold": "10s", "minRequests": 20},
    {"weight": 60, "hold": "15s", "minRequests": 30},
]


@pytest.mark.parametrize(
    ("index", "weight", "load", "shadow", "hold", "requests"),
    [
        (1, 0, 50, "50%", 5, 40),
        (2, 10, 10, None, 10, 20),
        (3, 60, 60, None, 15, 30),
        (4, 95, 95, None, 20, 0),
    ],
)
def test_what_a_step_asks_for(
    index: int, weight: int, load: int, shadow: str | None, hold: float, requests: int
) -> None:
    given = look({"rollout": {"steps": STEPS, "bake": BAKE}})
    assert given.step_weight(index) == weight
    assert given.step_load(index) == load
    assert given.step_shadow(index) == shadow
    assert given.step_hold(index) == timedelta(seconds=hold)
    assert given.step_min_requests(index) == requests


def test_a_shadow_step_may_be_the_only_one() -> None:
    given = look({"rollout": {"steps": STEPS[:1], "bake": BAKE}})
    assert (given.step_shadow(1), given.step_shadow(2)) == ("50%", None)
    assert (given.step_weight(1), given.step_weight(2)) == (0, 95)


def test_in_which_phases_nothing_moves() -> None:
    assert {phase for phase in Phase if phase in SETTLED} == {
        Phase.STABLE,
        Phase.ROLLED_BACK,
        Phase.EXPIRED,
        Phase.PENDING,
    }


def test_blue_green_has_no_steps() -> None:
    given = look({"rollout": {"type": "BlueGreen", "bake": BAKE}})
    assert given.steps == []
    assert (given.step_weight(1), given.step_hold(1)) == (95, timedelta(seconds=20))


HELD = Hold(reason="NoTraffic", message="m", since=START)


@pytest.mark.parametrize(
    ("given", "phase", "alone"),
    [
        (look(), Phase.PROGRESSING, False),
        (look(phase=Phase.HELD, hold=HELD), Phase.PROGRESSING, False),
        (look(phase=Phase.HELD, hold=HELD, step=step(2)), Phase.PROGRESSING, False),
        (look(phase=Phase.HELD, hold=HELD, step=step(3)), Phase.BAKING, False),
        (look(phase=Phase.HELD, hold=HELD, step=None), Phase.STARTING, False),
        (look(phase=Phase.HELD, hold=HELD, step=None, candidate=None), Phase.BAKING, True),
        (look(phase=Phase.BAKING, step=None, candidate=None), Phase.BAKING, True),
        (look(phase=Phase.BAKING, step=None, candidate=None, stable=None), Phase.BAKING, False),
        (look(phase=Phase.BAKING), Phase.BAKING, False),
        (look(phase=Phase.STABLE, step=None, candidate=None), Phase.STABLE, False),
    ],
)
def test_the_phase_behind_a_hold(given: RolloutContext, phase: Phase, alone: bool) -> None:
    assert (given.live_phase, given.bakes_alone) == (phase, alone)


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ({}, 60),
        ({"started_at": None}, 0),
        ({"waited": "20s"}, 40),
        ({"hold": HELD}, 60),
        ({"hold": HELD.model_copy(update={"reason": "Paused", "since": at(45)})}, 45),
        ({"hold": HELD.model_copy(update={"reason": "AwaitingApproval", "since": at(45)}), "waited": "5s"}, 40),
    ],
)
def test_how_long_the_deadline_has_run(parts: dict[str, Any], seconds: float) -> None:
    assert look(**parts).running_for == timedelta(seconds=seconds)


# ------------------------------------------------------------------ who


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (look(), ""),
        (look(condemned=Condemned(revision="iris-1", message="it fails")), "it fails"),
        (look(condemned=Condemned(revision="iris-2", message="it fails")), ""),  # of an earlier stable
        (look(condemned=Condemned(revision="iris-1", message="it fails"), stable=None), ""),
    ],
)
def test_what_was_found_against_stable(given: RolloutContext, sentence: str) -> None:
    assert given.condemned == sentence


PROMOTED = Promotion(revision="iris-2", by="ada", at=START)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (look(), None),
        (look(promotion=PROMOTED), PROMOTED),
        (look(promotion=PROMOTED, candidate=None), None),
        (look(promotion=PROMOTED.model_copy(update={"revision": "iris-3"})), None),
    ],
)
def test_whose_holds_are_skipped(given: RolloutContext, found: Promotion | None) -> None:
    assert given.promotion == found


@pytest.mark.parametrize(
    ("outage", "over"), [(None, False), (Outage(since=START), False), (OVER, True)], ids=["none", "short", "over"]
)
def test_who_answers_while_stable_is_away(outage: Outage | None, over: bool) -> None:
    assert look(outage=outage).failed_over is over


def entry(number: int, result: str = "Promoted") -> HistoryEntry:
    return HistoryEntry(
        revision=f"iris-{number}", version="v", result=result, message="m", started_at=START, ended_at=START
    )


def blocked(number: int, until: int | None = None) -> BlockedRevision:
    name = f"iris-{number}"
    return BlockedRevision(revision=name, version="v", reason="r", message="m", at=START, until_generation=until)


@pytest.mark.parametrize(
    ("history", "failed", "kept", "previous"),
    [
        ([], [], [], None),
        ([1], [], [], None),  # stable itself
        ([3, 2, 3], [], ["iris-3", "iris-2"], "iris-3"),
        ([3, 2], [blocked(3)], ["iris-2"], "iris-2"),
        # what a person rolled back was not found faulty: it can be named, but is not gone back to by itself
        ([3, 2], [blocked(3, until=1)], ["iris-3", "iris-2"], "iris-2"),
        ([9, 2], [], ["iris-2"], "iris-2"),  # 9 is stored no more
    ],
)
def test_what_a_person_can_go_back_to(
    history: list[int], failed: list[BlockedRevision], kept: list[str], previous: str | None
) -> None:
    given = look(candidate=None, history=[entry(number) for number in history], failed=failed)
    assert [revision.name for revision in given.kept] == kept
    assert (given.previous.name if given.previous else None) == previous
    assert given.return_target("") == given.previous
    for name in ("iris-1", "iris-2", "iris-3", "iris-9"):
        found = given.return_target(name)
        assert (found.name if found else None) == (name if name in kept else None)


@pytest.mark.parametrize(("result", "counts"), [("Promoted", True), ("Restored", True), ("TookOver", False)])
def test_which_ends_mean_that_users_were_served(result: str, counts: bool) -> None:
    assert bool(look(candidate=None, history=[entry(2, result)]).kept) is counts


@pytest.mark.parametrize(
    ("returning", "generation", "follows"), [(None, 1, True), (RETURNING, 1, False), (RETURNING, 2, True)]
)
def test_when_the_spec_counts(returning: Return | None, generation: int, follows: bool) -> None:
    assert look(returning=returning, seen={"generation": generation}).follows_spec is follows


@pytest.mark.parametrize(
    ("given", "live"),
    [
        (look(), True),
        (look(candidate=None), False),
        (look(ending=Ending(phase=Phase.EXPIRED, reason="r", message="m")), False),
        (look(candidate=None, ending=Ending(phase=Phase.EXPIRED, reason="r", message="m")), False),
    ],
)
def test_which_candidate_lives(given: RolloutContext, live: bool) -> None:
    assert given.candidate_is_live is live
