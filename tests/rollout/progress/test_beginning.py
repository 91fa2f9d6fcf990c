"""How a rollout begins, and what is found when there is no status."""

from dataclasses import replace

import pytest
from tests.rollout.planning.test_autoscaling import SERVING
from tests.rollout.progress.changes import BLUE, GREEN, next_status, promoted, set_status
from tests.rollout.scenes import at_stable, at_step, rolling
from tests.rollout.world import World, spec_for

from viridian.api.status import (
    BlockedRevision,
    ColorStatus,
    Drain,
    ModelDeploymentStatus,
    Phase,
)

# ------------------------------------------------------------------ a beginning


def test_a_rollout_begins_in_the_other_color_with_the_next_number_and_nothing_of_the_last_one():
    # given what an earlier rollout may have left
    world = promoted()
    old = BlockedRevision(revision="iris-9", version="v", reason="r", message="m", at=world.now)
    set_status(world, expired=[old], verdict="all was well", waited="10s", paused="iris-1", guard_state="[]")
    world.edit(spec_for("v3.0.0"))

    # when the next one begins
    status = next_status(world)

    # then
    assert status.phase is Phase.STARTING
    assert status.candidate == ColorStatus(color=BLUE, revision="iris-3", version="v3.0.0")
    assert (status.started_at, status.last_revision) == (world.now, 3)
    assert (status.expired, status.verdict, status.waited, status.paused) == ([], "", None, "")
    assert (status.guard_state, status.floor, status.step, status.hold) == ("", None, None, None)


def test_the_first_revision_begins_in_blue_and_keeps_no_floor():
    status = next_status(World(spec_for(serving=SERVING)))
    assert status.candidate == ColorStatus(color=BLUE, revision="iris-1", version="v1.0.0")
    assert status.floor is None


def test_with_autoscaling_stables_count_is_kept_from_the_beginning():
    world = at_stable(serving=SERVING)
    world.deployments[BLUE] = ("iris-1", 5)
    world.edit(spec_for("v2.0.0", serving=SERVING))
    assert next_status(world).floor == 5


@pytest.mark.parametrize(
    ("last", "highest", "stored", "name"),
    [(1, 0, 1, "iris-2"), (1, 7, 1, "iris-8"), (1, 3, 5, "iris-6"), (9, 3, 5, "iris-10")],
)
def test_no_number_that_anything_still_knows_is_given_again(last, highest, stored, name):
    # given a model some of whose revisions are gone, or whose predecessor of the same name has left something
    world = at_stable()
    set_status(world, last_revision=last)
    world.revisions[f"iris-{stored}"] = replace(world.revisions["iris-1"], name=f"iris-{stored}", number=stored)
    observed = world.observe
    world.observe = lambda: replace(observed(), highest=highest)

    # when a revision begins
    world.edit(spec_for("v2.0.0"))
    assert next_status(world).candidate.revision == name


def test_what_serves_already_ends_what_had_expired():
    world = at_stable()
    old = BlockedRevision(revision="iris-9", version="v", reason="r", message="m", at=world.now)
    set_status(world, phase=Phase.EXPIRED, expired=[old])
    status = next_status(world)
    assert (status.phase, status.expired, status.candidate) == (Phase.STABLE, [], None)


@pytest.mark.parametrize(("field", "phase"), [("failed", Phase.ROLLED_BACK), ("expired", Phase.EXPIRED)])
def test_what_is_pinned_is_not_begun_and_status_says_how_it_ended(field, phase):
    # given a second version that ended badly once, and is asked for again
    world = promoted()
    blocked = BlockedRevision(revision="iris-1", version="v1.0.0", reason="r", message="m", at=world.now)
    set_status(world, **{field: [blocked]})
    world.edit(spec_for("v1.0.0"))
    status = next_status(world)
    assert (status.phase, status.candidate) == (phase, None)


def test_a_settled_status_that_has_a_candidate_is_left_alone():
    world = rolling(Phase.STARTING)
    set_status(world, phase=Phase.PENDING)
    status = next_status(world)
    assert (status.phase, status.candidate.revision) == (Phase.PENDING, "iris-2")


# ------------------------------------------------------------------ a lost status


@pytest.mark.parametrize(
    ("other", "phase", "drains"),
    [(("iris-2", 1), Phase.FINISHING, True), (("iris-2", 0), Phase.STABLE, False), (None, Phase.STABLE, False)],
)
def test_what_the_service_selects_is_stable_and_what_else_runs_drains(other, phase, drains):
    # given
    world = at_step()
    world.deployments.pop(GREEN)
    if other is not None:
        world.deployments[GREEN] = other
    set_status(world)
    world.status = ModelDeploymentStatus()
    # when
    status = next_status(world)
    # then
    assert status.phase is phase
    assert (status.stable.color, status.stable.revision, status.stable.version) == (BLUE, "iris-1", "v1.0.0")
    assert status.drain == (Drain(color=GREEN, revision="iris-2", since=world.now) if drains else None)
    assert (status.last_revision, status.candidate) == (2, None)


@pytest.mark.parametrize("what", ["no service", "no replicas", "no revision", "not lost", "numbers are known"])
def test_nothing_is_taken_for_stable_that_does_not_serve(what):
    world = at_stable()
    status = world.status
    world.status = ModelDeploymentStatus()
    if what == "no service":
        world.stable_service = world.route = None
    if what == "no replicas":
        world.deployments[BLUE] = ("iris-1", 0)
    if what == "no revision":
        world.revisions.clear()
    if what == "not lost":
        world.status = status
    if what == "numbers are known":
        world.status = ModelDeploymentStatus(last_revision=1)
    decided = next_status(world)
    if what == "not lost":
        assert decided.stable == status.stable
    else:
        assert decided.stable is None
        assert decided.phase is Phase.STARTING


def test_a_deployment_without_a_revision_of_ours_is_not_taken_for_stable():
    world = World()
    world.stable_service = GREEN
    assert next_status(world).stable is None
