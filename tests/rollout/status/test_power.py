"""What this traffic can show is said while a rollout runs, and what it was judged by is kept afterwards."""

from dataclasses import replace

from tests.rollout.scenes import at_step, pass_by, run_until
from tests.rollout.world import World, judgement

from viridian.api.status import Counted, Phase
from viridian.guards.counts import Counts
from viridian.guards.judge import Verdict

HOLDS = {
    "steps": [{"weight": 10, "hold": "10m"}],
    "bake": {"duration": "20s", "holdback": 5},
    "deadline": "2h",
}


def watched(rate: int) -> World:
    """A world at a long step, whose guards have seen something."""
    world = at_step(rollout=HOLDS)
    world.verdicts["iris-2"] = Verdict.HEALTHY
    pass_by(world, 60, rate=rate)
    return world


def test_it_says_how_soon_a_regression_would_show() -> None:
    assert watched(rate=50).status.power == (
        "At 295 requests a minute to the candidate a 5x regression is caught in about 5 minutes; 1.25x would not be."
    )


def test_less_traffic_takes_longer_and_none_shows_nothing() -> None:
    assert "in about 24 minutes" in watched(rate=10).status.power
    world = watched(rate=50)
    world.says = {"judgements": (replace(judgement(Verdict.HEALTHY), stable=None),)}
    world.reconcile()
    assert world.status.power == ""


def test_at_rest_it_says_nothing() -> None:
    world = watched(rate=50)
    run_until(world, Phase.STABLE, rounds=600)
    assert world.status.power == ""


def test_the_history_keeps_what_the_guards_had_counted() -> None:
    # given
    world = watched(rate=50)
    world.says = {"judgements": (replace(judgement(Verdict.BREACH), candidate=Counts(100, 40)),)}
    # when
    run_until(world, Phase.ROLLED_BACK)
    # then
    (guard,) = world.status.history[0].guards
    assert (guard.name, guard.verdict, guard.limit, guard.message) == ("errorRate", "Breach", "1.5", "")
    assert (guard.candidate, guard.stable) == (Counted(requests=100, events=40), Counted(requests=900, events=1))
    assert world.status.guards == []


def test_the_history_keeps_who_approved() -> None:
    # given
    world = at_step(rollout={**HOLDS, "steps": [{"weight": 10, "hold": "10s"}], "approval": "BeforePromotion"})
    run_until(world, Phase.HELD)
    # when
    world.command, world.command_by = "approve/iris-2/a", "ada"
    run_until(world, Phase.STABLE)
    # then
    approved = world.status.history[0].approved
    assert approved is not None
    assert (approved.by, approved.revision) == ("ada", "iris-2")
    assert world.status.history[1].approved is None
