"""From what status means to the writes between it and the world."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.planning.writes import BLUE, GREEN, at_step, of_kind
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.world import START, World, spec_for

from viridian.api.serving import Cache
from viridian.api.status import BlockedRevision, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts
from viridian.rollout.planning.actions import (
    ApplyBudget,
    ApplyColorService,
    ApplyLiveSettings,
    PruneRevision,
    RestoreRevision,
    StoreRevision,
)

# ------------------------------------------------------------------ revisions and small children


def test_a_candidate_is_stored_with_its_number_once():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    assert of_kind(world, StoreRevision) == [StoreRevision("iris-2", 2)]
    world.reconcile()
    assert of_kind(world, StoreRevision) == []


def test_one_that_is_taken_back_before_it_was_stored_is_not_stored_any_more():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.reconcile(writes=1)
    world.command = "abort/iris-2/a"
    assert of_kind(world, StoreRevision) == []


def test_lost_revisions_that_are_needed_are_stored_again_in_order_and_others_are_not():
    world = at_step()
    world.verdicts["iris-2"] = Verdict.BREACH
    world.revisions["iris-0"] = replace(world.revisions["iris-1"], name="iris-0", number=0)
    observed = world.observe()
    world.observe = lambda: replace(observed, lost=frozenset({"iris-2", "iris-1", "iris-0"}))
    assert of_kind(world, RestoreRevision) == [RestoreRevision("iris-1"), RestoreRevision("iris-2")]


def test_each_missing_child_is_made():
    world = at_stable()
    world.services.remove(BLUE)
    world.budgets.remove(GREEN)
    assert world.decide().actions == (ApplyColorService(BLUE), ApplyBudget(GREEN))


def test_pods_are_told_what_the_spec_has_for_them_to_reload():
    world = at_stable()
    assert of_kind(world, ApplyLiveSettings) == []
    world.told = Cache(ttl="30s")
    assert world.decide().actions == (ApplyLiveSettings(),)


def test_a_model_that_runs_nothing_needs_no_children():
    # given a first revision that was rolled back
    world = World()
    world.reconcile()
    world.command = "abort/iris-1/a"
    run_until(world, Phase.ROLLED_BACK)
    # when somebody deletes what is left
    world.services.clear()
    world.budgets.clear()
    world.told = Cache(ttl="30s")
    # then it stays away
    assert world.decide().actions == ()


def stored(world: World, *numbers: int) -> None:
    """More revisions, as they are left behind by rollouts."""
    for number in numbers:
        name = f"iris-{number}"
        world.revisions[name] = replace(world.revisions["iris-1"], name=name, number=number)


@pytest.mark.parametrize(("limit", "pruned"), [(1, [2, 3]), (2, [2]), (3, []), (9, [])])
def test_revisions_beyond_the_limit_go_oldest_first(limit, pruned):
    world = at_stable(revisionHistoryLimit=limit)
    stored(world, 10, 3, 2)
    assert of_kind(world, PruneRevision) == [PruneRevision(f"iris-{number}") for number in pruned]


def test_nothing_goes_that_is_in_use_pinned_or_could_be_gone_back_to():
    # given a candidate, a stable, one before it, a failed and an expired one, pods of one more, and others
    world = at_step(revisionHistoryLimit=1)
    stored(world, *range(3, 10))
    pins = [
        BlockedRevision(revision=f"iris-{number}", version="v", reason="r", message="m", at=START) for number in (3, 4)
    ]
    before = world.status.history[0].model_copy(update={"revision": "iris-5"})
    world.status = world.status.model_copy(
        update={"failed": pins[:1], "expired": pins[1:], "history": [before], "phase": Phase.PROGRESSING}
    )
    world.lost = {"iris-6"}
    observed = world.observe()
    world.observe = lambda: replace(observed, lost=frozenset({"iris-6"}), revisions=world.revisions)

    # then only the others go, save the newest of them, and what is lost cannot
    assert of_kind(world, PruneRevision) == [PruneRevision("iris-7"), PruneRevision("iris-8")]


@pytest.mark.parametrize("color", [BLUE, GREEN])
def test_a_role_keeps_its_revision_where_its_deployment_is_gone(color):
    world = at_step(revisionHistoryLimit=1)
    stored(world, 7, 8)
    world.deployments.pop(color)
    assert of_kind(world, PruneRevision) == [PruneRevision("iris-7")]


def test_a_revision_is_kept_while_its_pods_run_or_drain():
    # given a promotion whose old color drains
    world = rolling(Phase.FINISHING, revisionHistoryLimit=1)
    stored(world, 10)
    while world.status.candidate is not None:
        world.reconcile()
    world.status = world.status.model_copy(update={"history": []})
    assert of_kind(world, PruneRevision) == []

    # when it is empty, but the drain is not over
    world.deployments[BLUE] = ("iris-1", 0)
    assert of_kind(world, PruneRevision) == []

    # when it is over, pods that somebody started keep it as well
    world.status = world.status.model_copy(update={"drain": None, "phase": Phase.STABLE})
    world.pods[BLUE] = []
    assert of_kind(world, PruneRevision) == [PruneRevision("iris-1")]
    world.deployments[BLUE] = ("iris-1", 1)
    assert of_kind(world, PruneRevision) == []


def test_writes_come_in_the_order_in_which_each_may_rely_on_the_one_before():
    # given a world in which everything is to be written at once
    world = at_step(revisionHistoryLimit=1)
    stored(world, 7, 8)
    world.lost = {"iris-1"}
    world.services.clear()
    world.budgets.clear()
    world.told = Cache(ttl="30s")
    world.stable_service = None
    world.route = RouteFacts(rules=({BLUE: 80, GREEN: 20},))
    world.deployments[BLUE] = ("iris-1", 2)
    world.now += timedelta(seconds=1)

    # then
    kinds = [type(action).__name__ for action in world.decide().actions]
    assert kinds == [
        "RestoreRevision",
        *["ApplyColorService", "ApplyBudget"] * 2,
        "ApplyLiveSettings",
        "ApplyColor",
        "MoveWeights",
        "PointStableService",
        "PruneRevision",
    ]


def test_nothing_goes_back_to_a_stable_without_pods_while_the_candidates_service_is_being_made_again():
    # given a candidate that is being rolled back, to which somebody has led everything, while stable lost its pods
    world = rolling(Phase.PROGRESSING)
    world.command = "abort/iris-2/1"
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    world.pods[BLUE] = []
    world.route = RouteFacts(rules=({BLUE: 0, GREEN: 100},))
    # when the candidate's Service is deleted
    world.services.discard(GREEN)
    world.reconcile()
    # then it is made again, and the traffic stays with those who can answer
    assert GREEN in world.services
    assert world.route.split(GREEN) == 100


def test_a_rollback_waits_a_pass_for_stables_service_that_was_deleted():
    # given a candidate with a share, and a stable whose Service somebody has deleted, with a route that leads nowhere
    world = rolling(Phase.PROGRESSING)
    pass_by(world)
    world.services.discard(BLUE)
    world.route = RouteFacts(rules=({BLUE: 0, GREEN: 0},))
    # when it is aborted
    world.command = "abort/iris-2/1"
    world.reconcile()
    # then the Service is made first, and the traffic follows
    assert world.route.split(BLUE) == 0
    assert BLUE in world.services
    world.reconcile()
    assert world.route.split(BLUE) == 100
