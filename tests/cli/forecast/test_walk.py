"""The forecast's steps are those of the operator: both are given the same requests and verdicts, pass by pass."""

import math
import random
from datetime import datetime

import numpy as np
import pytest
from tests.rollout.scenes import at_stable, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.cli.forecast.walk import Counted, Outcome, Rules, Walks
from viridian.guards.judge import Judgement, Verdict
from viridian.rollout.holds import HOLDING

SPEAKS = (Verdict.HEALTHY, Verdict.NOT_ENOUGH_DATA, Verdict.SHARED_INCIDENT, Verdict.UNREACHED)
ENDS = {Phase.FINISHING, Phase.ROLLING_BACK, Phase.STABLE}
OUTCOMES = {
    None: Outcome.RUNNING,
    Phase.FINISHING: Outcome.PROMOTED,
    Phase.ROLLED_BACK: Outcome.TURNED_BACK,
    Phase.EXPIRED: Outcome.EXPIRED,
}


def random_changes(rng: random.Random) -> dict[str, object]:
    weights = sorted(rng.sample(range(1, 90), rng.randint(1, 4)))
    steps = [
        {"weight": weight, "hold": f"{rng.randint(1, 40)}s", "minRequests": rng.choice((0, 0, 300))}
        for weight in weights
    ]
    bake = {"duration": f"{rng.randint(1, 60)}s", "holdback": rng.choice((5, 10))}
    idle = {"after": "1m", "then": rng.choice(("Hold", "Rollback"))}
    rollout = {"steps": steps, "bake": bake, "deadline": rng.choice(("4m", "10m"))}
    return {"rollout": rollout, "guards": {"noTraffic": idle}}


def seconds(world: World, moment: datetime) -> float:
    """Since the rollout began, as the walk counts them."""
    assert world.status.started_at is not None
    return (moment - world.status.started_at).total_seconds()


def counted(candidate: int, stable: int) -> Counted:
    return Counted(*(np.array([float(number)]) for number in (candidate, stable, 0)))


def ending(status: ModelDeploymentStatus) -> Phase | None:
    """How the operator ended it, in the walk's words."""
    if status.ending is not None:
        return status.ending.phase
    return Phase.FINISHING if status.phase in ENDS else None


@pytest.mark.parametrize("seed", range(60))
def test_both_take_the_same_steps_at_the_same_time(seed: int) -> None:
    # given a rollout at its first step
    rng = random.Random(seed)
    changes = random_changes(rng)
    world = at_stable(**changes)
    world.edit(spec_for("v2.0.0", **changes))
    run_until(world, Phase.PROGRESSING)
    candidate, stable, step = world.status.candidate, world.status.stable, world.status.step
    assert candidate is not None
    assert stable is not None
    assert step is not None
    walk = Walks(Rules.of(world.spec), np.array([seconds(world, step.intended_at)]))
    bad = rng.random() < 0.3
    for _ in range(700):
        # when time passes, with or without requests, and the guards say something
        if rng.random() < 0.1:
            says = SPEAKS + ((Verdict.BREACH,) if bad else ())
            world.verdicts[candidate.revision] = rng.choice(says)
        world.kubelet()
        _pass(world, walk, candidate.revision, stable.revision)
        # then both are at the same place
        found = ending(world.status)
        assert walk.outcome[0] == OUTCOMES[found]
        if found is not None:
            return
        live = world.status.step
        assert live is not None
        assert live.index == walk.step[0] + 1
        assert seconds(world, live.intended_at) == walk.intended_at[0]
        verified = math.nan if live.verified_at is None else seconds(world, live.verified_at)
        assert walk.verified_at[0] == pytest.approx(verified, nan_ok=True)
        world.traffic(rate=rng.choice((0, 1, 50, 50)) if seed % 3 else 50)
    raise AssertionError("the rollout has not ended")


def _pass(world: World, walk: Walks, candidate: str, stable: str) -> None:
    role, moved = world.status.candidate, world.moved
    assert role is not None
    assert world.route is not None
    weight = world.route.weight(role.color)
    latest = [seconds(world, moved[name]) for name in (candidate, stable) if name in moved]
    walk.moved_at = np.array([max(latest, default=walk.moved_at[0])])
    answered = counted(world.requests.get(candidate, 0), world.requests.get(stable, 0))
    said: list[Judgement] = [judgement(world.verdicts[candidate])] if candidate in world.verdicts else []
    verdicts = {each.verdict for each in said}
    walk.look(
        np.array([seconds(world, world.now)]),
        np.array([weight]),
        answered,
        np.array([Verdict.BREACH in verdicts]),
        np.array([bool(HOLDING.keys() & verdicts)]),
        np.array([not any(each.kind == "absolute" and each.requests_missing != 0 for each in said)]),
    )
    world.reconcile()


def test_the_hold_is_over_when_it_was_said_to_be() -> None:
    # given a step that was verified
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    no, yes, weight, seen = np.array([False]), np.array([True]), np.array([10]), counted(50, 450)
    walk = Walks(Rules.of(world.spec), np.array([0.0]))
    walk.look(np.array([0.0]), weight, seen, no, no, yes)
    # when
    end = walk.ends_at(seen, no, yes)
    # then
    assert end == [10.0]
    walk.look(end - 0.001, weight, seen, no, no, yes)
    assert walk.step == [0]
    walk.look(end, weight, seen, no, no, yes)
    assert walk.step == [1]
