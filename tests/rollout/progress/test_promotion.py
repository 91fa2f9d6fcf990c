"""How a rollout ends well: the bake of a first revision, the swap of roles, the drain."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.progress.changes import BLUE, GREEN, next_status, promoted, set_status
from tests.rollout.scenes import rolling, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.status import (
    BlockedRevision,
    ColorStatus,
    Drain,
    HistoryEntry,
    ModelDeploymentStatus,
    Phase,
)
from viridian.guards.counts import Counts
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts
from viridian.rollout.rollback import AT_REST


def at_rest(status: ModelDeploymentStatus) -> bool:
    return all(getattr(status, field) == value for field, value in AT_REST.items())


# ------------------------------------------------------------------ a first revision's bake


def first_bakes() -> World:
    world = World()
    run_until(world, Phase.BAKING)
    return world


@pytest.mark.parametrize(("seconds", "phase"), [(19.999, Phase.BAKING), (20, Phase.STABLE)])
def test_a_first_revision_bakes_for_its_duration_since_it_serves(seconds, phase):
    world = first_bakes()
    world.now = world.status.started_at + timedelta(seconds=seconds)
    status = next_status(world)
    assert status.phase is phase
    assert at_rest(status) is (phase is Phase.STABLE)


def test_a_first_revisions_bake_whose_beginning_is_unknown_begins_now():
    world = first_bakes()
    set_status(world, started_at=None)
    assert next_status(world).phase is Phase.BAKING


def test_a_first_revision_that_breaches_is_held_and_goes_on_when_it_does_no_more():
    world = first_bakes()
    world.says = {"judgements": (judgement(Verdict.BREACH),)}
    world.reconcile()
    assert (world.status.phase, world.status.hold.reason) == (Phase.HELD, "GuardBreached")
    since = world.status.hold.since
    world.now += timedelta(seconds=2)
    assert next_status(world).hold.since == since
    world.says = {}
    status = next_status(world)
    assert (status.phase, status.hold) == (Phase.BAKING, None)


# ------------------------------------------------------------------ Finishing


def finishing() -> World:
    """A world in which all traffic and NAME are the candidate's."""
    world = rolling(Phase.FINISHING)
    world.route = RouteFacts(rules=({BLUE: 0, GREEN: 100},))
    world.stable_service = GREEN
    return world


def test_roles_swap_when_route_and_service_are_the_candidates():
    # given
    world = finishing()
    started = world.status.started_at
    set_status(world, verdict="all was well")
    # when one of them is not yet
    world.stable_service = BLUE
    assert next_status(world).stable.revision == "iris-1"
    world.stable_service = GREEN
    world.route = RouteFacts(rules=({BLUE: 1, GREEN: 99},))
    assert next_status(world).stable.revision == "iris-1"
    # then nothing is swapped, and when both are
    world.route = RouteFacts(rules=({BLUE: 0, GREEN: 100},))
    status = next_status(world)
    assert status.phase is Phase.FINISHING
    assert status.stable == ColorStatus(
        color=GREEN, revision="iris-2", version="v2.0.0", weight=100, replicas=3, ready=3
    )
    assert (status.candidate, status.step) == (None, None)
    assert status.drain == Drain(color=BLUE, revision="iris-1", since=world.now)
    assert status.history[0] == HistoryEntry(
        revision="iris-2",
        version="v2.0.0",
        result="Promoted",
        message="all was well",
        started_at=started,
        ended_at=world.now,
    )
    assert status.failed == []


def test_a_stable_that_takes_over_has_its_weight_in_the_next_decision_too():
    world = finishing()
    world.reconcile()
    assert world.status.stable.weight == 100


def test_a_first_revision_that_takes_over_begins_its_bake():
    world = World()
    world.reconcile()
    world.kubelet()
    world.reconcile()
    world.reconcile()
    world.now += timedelta(seconds=5)
    status = next_status(world)
    assert (status.phase, status.started_at, status.drain) == (Phase.BAKING, world.now, None)
    assert status.history == []  # it is not promoted before it has baked


def test_what_was_brought_back_pins_what_it_replaced_until_the_spec_changes():
    # given
    world = promoted()
    world.command = "rollback/iris-2/now"
    world.generation = 7
    world.reconcile()
    world.edit(spec_for("v3.0.0"))  # while it takes over; what is asked for now comes after that
    set_status(world, phase=Phase.FINISHING)
    world.deployments[BLUE] = ("iris-1", 3)
    world.kubelet()
    world.route, world.stable_service = RouteFacts(rules=({BLUE: 100, GREEN: 0},)), BLUE
    # when
    status = next_status(world)
    # then
    assert status.failed == [
        BlockedRevision(
            revision="iris-2",
            version="v2.0.0",
            reason="RolledBackByCommand",
            message="iris-2 (v2.0.0) was rolled back by command to iris-1 (v1.0.0)",
            at=world.now,
            until_generation=7,
        )
    ]
    assert (status.history[0].result, status.history[0].message) == (
        "Restored",
        "restored by command in place of iris-2",
    )


def test_history_praises_a_promotion_by_the_maximum_that_was_kept_by_most_requests():
    # given
    world = finishing()
    healthy = replace(judgement(Verdict.HEALTHY), kind="absolute")
    world.says = {
        "judgements": (
            replace(healthy, sentence="few", candidate=Counts(10, 0)),
            replace(healthy, sentence="most", candidate=Counts(500, 1)),
            replace(healthy, sentence="some", candidate=Counts(100, 0)),
            replace(healthy, sentence="relative", kind="relative", candidate=Counts(900, 0)),
            replace(healthy, sentence="silent", verdict=Verdict.NOT_ENOUGH_DATA, candidate=Counts(900, 0)),
        )
    }
    assert next_status(world).history[0].message == "most"


def test_a_promotion_is_over_when_the_last_pod_of_the_old_color_is_gone():
    world = finishing()
    world.reconcile()
    assert next_status(world).phase is Phase.FINISHING
    world.pods[BLUE] = []
    status = next_status(world)
    assert status.phase is Phase.STABLE
    assert at_rest(status)


def test_a_promotion_whose_drain_nobody_knows_is_over():
    world = finishing()
    world.reconcile()
    set_status(world, drain=None)
    assert next_status(world).phase is Phase.STABLE
