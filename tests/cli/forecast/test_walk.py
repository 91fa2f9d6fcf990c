"""The forecast's steps are those of the operator: both are given the same requests and verdicts, pass by pass."""

import random
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.cli.forecast.walk import Rules, Walk
from viridian.guards.judge import Judgement, Verdict

SPEAKS = (Verdict.HEALTHY, Verdict.NOT_ENOUGH_DATA, Verdict.SHARED_INCIDENT, Verdict.UNREACHED)
ENDS = {Phase.FINISHING, Phase.ROLLING_BACK, Phase.STABLE}


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
    assert world.status.started_at is not None
    walk = Walk.begin(Rules.of(world.spec, world.now), world.status.started_at, world.now)
    walk.step = step
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
        assert (walk.phase if walk.is_over else None) == found
        if found is not None:
            return
        live = world.status.step
        assert live is not None
        assert (live.index, live.verified_at, live.intended_at) == (
            walk.step.index,
            walk.step.verified_at,
            walk.step.intended_at,
        )
        world.traffic(rate=rng.choice((0, 1, 50, 50)) if seed % 3 else 50)
    raise AssertionError("the rollout has not ended")


def _pass(world: World, walk: Walk, candidate: str, stable: str) -> None:
    role, moved = world.status.candidate, world.moved
    assert role is not None
    assert world.route is not None
    weight = world.route.weight(role.color)
    walk.moved_at = max((moved[name] for name in (candidate, stable) if name in moved), default=walk.moved_at)
    counted = world.requests.get(candidate, 0), world.requests.get(stable, 0)
    said: list[Judgement] = [judgement(world.verdicts[candidate])] if candidate in world.verdicts else []
    walk.look(world.now, weight, counted, said)
    world.reconcile()


def test_the_hold_is_over_when_it_was_said_to_be() -> None:
    # given a step that was verified
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    walk = Walk.begin(Rules.of(world.spec, world.now), world.now, world.now)
    walk.look(world.now, 10, (50, 450), [])
    # when
    end = walk.ends_at(50, [])
    # then
    assert end == world.now + timedelta(seconds=10)
    walk.look(end - timedelta(milliseconds=1), 10, (50, 450), [])
    assert walk.step.index == 1
    walk.look(end, 10, (50, 450), [])
    assert walk.step.index == 2
