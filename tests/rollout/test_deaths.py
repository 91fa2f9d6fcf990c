"""A rollout ends the same wherever the operator dies."""

import pytest
from tests.rollout.scenes import AT_REST
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict


def final(world: World) -> tuple[object, ...]:
    """Where a rollout ended, times and history's words left out."""
    status = world.status
    return (
        status.phase,
        status.stable.version if status.stable else None,
        status.stable.color if status.stable else None,
        status.candidate,
        [blocked.version for blocked in status.failed],
        world.route.rules if world.route else None,
        world.stable_service,
        world.deployments,
    )


SHADOWED = {"steps": [{"shadow": "20%", "hold": "6s"}, {"weight": 10, "hold": "6s"}], "bake": {"duration": "10s"}}


def play(bad: bool, crash_at: int | None, **changes: object) -> World:
    """One rollout after a first revision; the operator dies right after write number `crash_at`."""
    world = World()
    world.settle()
    world.edit(spec_for("v2.0.0", **changes))
    world.writes = 0
    for _ in range(300):
        world.kubelet()
        candidate = world.status.candidate
        if bad and candidate is not None and _is_seen(world, candidate.color):
            world.verdicts[candidate.revision] = Verdict.BREACH
        left = None if crash_at is None or world.writes > crash_at else max(0, crash_at - world.writes)
        if left is not None and crash_at is not None:
            before = world.writes
            world.reconcile(writes=left)
            if world.writes == before and left == 0:
                world.writes += 1  # it died before the next write and comes back
                world.verdicts.clear()
        else:
            world.reconcile()
        world.traffic()
        if world.status.phase in AT_REST and not world.decide().actions and world.status.last_revision == 2:
            break
    return world


def _is_seen(world: World, color: Color) -> bool:
    """Whether half of the users are on a color, or it gets copies."""
    return world.route is not None and (world.route.weight(color) >= 50 or world.route.shadow is not None)


@pytest.mark.parametrize("bad", [False, True])
def test_a_rollout_with_a_shadow_step_ends_the_same_wherever_the_operator_dies(bad: bool):
    whole = play(bad=bad, crash_at=None, rollout=SHADOWED)
    assert whole.status.phase is (Phase.ROLLED_BACK if bad else Phase.STABLE)
    assert whole.mirrored["iris-2"] > 0
    assert bool(whole.requests.get("iris-2")) is not bad
    for crash_at in range(1, whole.writes + 1):
        assert final(play(bad=bad, crash_at=crash_at, rollout=SHADOWED)) == final(whole), f"died after write {crash_at}"


def test_a_good_rollout_ends_the_same_wherever_the_operator_dies():
    whole = play(bad=False, crash_at=None)
    assert whole.status.stable is not None
    assert whole.status.stable.version == "v2.0.0"
    for crash_at in range(1, whole.writes + 1):
        assert final(play(bad=False, crash_at=crash_at)) == final(whole), f"died after write {crash_at}"


def test_a_bad_rollout_ends_the_same_wherever_the_operator_dies():
    whole = play(bad=True, crash_at=None)
    assert whole.status.phase is Phase.ROLLED_BACK
    for crash_at in range(1, whole.writes + 1):
        assert final(play(bad=True, crash_at=crash_at)) == final(whole), f"died after write {crash_at}"
