"""The way of a rollout, case by case."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict


def test_the_first_revision_gets_no_route_before_it_is_ready():
    world = World()
    for _ in range(5):
        world.kubelet(healthy=frozenset())
        world.reconcile()
        world.traffic()
    assert world.route is None
    assert world.status.phase is Phase.STARTING


def test_the_first_revision_becomes_stable_with_all_traffic():
    world = at_stable()
    assert world.status.stable is not None
    assert world.status.stable.version == "v1.0.0"
    assert world.route is not None
    assert world.route.weight(world.status.stable.color) == 100
    assert world.stable_service is world.status.stable.color
    assert condition(world, "Ready") == ("True", "Stable")
    assert condition(world, "Available") == ("True", "Serving")


def test_a_breach_of_the_first_revision_is_said_and_a_new_spec_replaces_it():
    world = World()
    run_until(world, Phase.BAKING)
    world.verdicts["iris-1"] = Verdict.BREACH

    # The first revision plays stable already, so the guards speak of it without a candidate.
    original = world.evidence

    def breaches() -> bool:
        status = world.status
        return status.candidate is None and status.stable is not None and status.stable.revision == "iris-1"

    def evidence():

        return replace(original(), judgements=(judgement(Verdict.BREACH),) if breaches() else ())

    world.evidence = evidence
    world.reconcile()
    assert world.status.phase is Phase.HELD
    assert condition(world, "Available") == ("False", "GuardBreached")
    # when a better one is applied, it gets everything as soon as it is ready and seen, and bakes
    world.edit(spec_for("v2.0.0"))
    world.weights_seen.clear()
    run_until(world, Phase.BAKING)
    assert world.weights_seen == [100]
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"
    assert condition(world, "Available")[0] == "True"
    # and what failed was never promoted
    world.evidence = original
    world.settle()
    assert [(entry.version, entry.result) for entry in world.status.history] == [
        ("v2.0.0", "Promoted"),
        ("v1.0.0", "GuardBreached"),
    ]


def test_a_good_candidate_walks_all_steps_bakes_and_is_promoted():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    assert world.weights_seen == [100, 10, 50, 95, 100]
    assert world.status.stable is not None
    assert (world.status.stable.version, world.status.stable.color) == ("v2.0.0", Color.GREEN)
    assert world.stable_service is Color.GREEN
    assert world.deployments[Color.BLUE][1] == 0
    assert world.status.history[0].result == "Promoted"


def test_no_request_goes_to_pods_that_the_guards_do_not_see():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.metrics = False
    for _ in range(10):
        world.kubelet()
        world.reconcile()
        world.traffic()
    assert world.status.phase is Phase.STARTING
    assert world.weights_seen == [100]
    assert "waiting for Prometheus" in next(c.message for c in world.status.conditions if c.type == "Reconciling")
    world.metrics = True
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_a_failed_version_that_is_asked_for_again_is_not_called_ready():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    world.edit(spec_for("v1.0.0"))
    run_until(world, Phase.STABLE)
    world.edit(spec_for("v2.0.0"))
    world.settle(rounds=10)
    assert world.status.phase is Phase.ROLLED_BACK
    assert condition(world, "Ready") == ("False", "RolledBack")
    assert condition(world, "Stalled") == ("True", "GuardBreached")
    assert "v2.0.0 was rolled back" in next(c.message for c in world.status.conditions if c.type == "Ready")


def test_roles_swap_only_after_the_bake_and_after_the_route_and_the_service():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.FINISHING)
    assert world.status.stable is not None
    assert world.status.stable.version == "v1.0.0"
    assert world.route is not None
    seen = []
    while world.status.candidate is not None:
        seen.append((world.route.weight(Color.GREEN), world.stable_service, world.status.stable.version))
        world.reconcile()
    assert seen == [(95, Color.BLUE, "v1.0.0"), (100, Color.BLUE, "v1.0.0"), (100, Color.GREEN, "v1.0.0")][-len(seen) :]
    assert world.status.stable.version == "v2.0.0"


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.BAKING, Phase.FINISHING])
def test_a_breach_takes_all_traffic_back_at_once_in_every_phase(phase):
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, phase)
    world.verdicts["iris-2"] = Verdict.BREACH
    decision = world.decide()
    assert decision.route_first
    world.reconcile(writes=1)  # the very first write is the route's
    assert world.route is not None
    assert world.route.weight(Color.BLUE) == 100
    assert world.route.aborted == "iris-2"


def test_after_a_rollback_stable_serves_and_the_same_manifest_changes_nothing():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    assert condition(world, "Ready") == ("False", "RolledBack")
    assert condition(world, "Stalled") == ("True", "GuardBreached")
    assert condition(world, "Available") == ("True", "Serving")
    assert condition(world, "RolledBack")[0] == "True"
    assert world.deployments[Color.GREEN][1] == 0
    before = (world.status.failed, world.deployments.copy(), world.route)
    world.edit(spec_for("v2.0.0"))
    world.generation += 1  # even an edit elsewhere in the spec
    world.settle(rounds=20)
    assert world.status.phase is Phase.ROLLED_BACK
    assert (world.status.failed, world.deployments, world.route) == before


def test_another_spec_starts_after_a_rollback_and_retry_starts_the_failed_one():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    world.command = "retry/iris-2/1"
    run_until(world, Phase.PROGRESSING)
    assert world.status.candidate is not None
    assert (world.status.candidate.revision, world.status.candidate.version) == ("iris-3", "v2.0.0")
    assert world.route is not None
    assert world.route.aborted is None
    world.edit(spec_for("v3.0.0"))
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v3.0.0"


def test_a_command_is_obeyed_once_and_only_for_its_revision():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.command = "abort/iris-1/a"
    decision = world.decide()
    assert decision.warning is not None
    assert "iris-1" in decision.warning
    world.command = "abort/iris-2/b"
    run_until(world, Phase.ROLLED_BACK)
    assert world.status.failed[0].reason == "Aborted"
    # what makes no revision does not start it again; the word of a person does
    world.edit(spec_for("v2.0.0", serving={"replicas": 2}, revisionHistoryLimit=7))
    world.settle()
    assert world.status.phase is Phase.ROLLED_BACK
    world.command = "retry/iris-2/c"
    run_until(world, Phase.PROGRESSING)
    assert world.status.candidate is not None
    assert world.status.candidate.revision == "iris-3"


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.PROGRESSING, Phase.BAKING, Phase.FINISHING])
def test_a_spec_equal_to_stables_aborts_at_once_in_any_phase(phase):
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, phase)
    world.edit(spec_for("v1.0.0"))
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    world.settle()
    assert world.status.phase is Phase.STABLE
    assert world.status.failed == []
    assert world.status.stable is not None
    assert world.status.stable.version == "v1.0.0"


def test_a_newer_spec_replaces_the_candidate_but_waits_during_the_bake():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.edit(spec_for("v3.0.0"))
    world.reconcile()
    assert world.status.ending is not None
    assert world.status.ending.reason == "Replaced"
    run_until(world, Phase.BAKING)
    world.edit(spec_for("v4.0.0"))
    for _ in range(3):
        world.reconcile()
        world.traffic()
    assert world.status.phase is Phase.BAKING
    assert "v4.0.0 starts after this rollout" in next(
        c.message for c in world.status.conditions if c.type == "Reconciling"
    )
    world.settle()
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v4.0.0"
    assert [entry.result for entry in world.status.history] == ["Promoted", "Promoted", "Replaced", "Promoted"]


def test_min_requests_and_hold_are_both_needed():
    world = at_stable()
    rollout = {
        "steps": [{"weight": 10, "hold": "10s", "minRequests": 500}],
        "bake": {"duration": "5s", "holdback": 5},
        "deadline": "10m",
    }
    world.edit(spec_for("v2.0.0", rollout=rollout))
    run_until(world, Phase.PROGRESSING)
    began = world.now
    run_until(world, Phase.BAKING)
    assert world.now - began >= timedelta(seconds=500 / 5)  # 50 a second, a tenth of them


def test_more_replicas_make_no_revision():
    world = at_stable()
    world.edit(spec_for("v1.0.0", serving={"replicas": 5}))
    world.settle(rounds=5)
    assert world.status.phase is Phase.STABLE
    assert world.deployments[Color.BLUE] == ("iris-1", 5)
    assert world.status.last_revision == 1


def test_old_revisions_are_pruned_but_never_one_in_use_or_failed():
    world = World(spec_for("v1.0.0", revisionHistoryLimit=1))
    world.settle()
    world.edit(spec_for("v9.0.0", revisionHistoryLimit=1))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    for version in ("v2.0.0", "v3.0.0", "v4.0.0"):
        world.edit(spec_for(version, revisionHistoryLimit=1))
        world.settle()
    assert set(world.revisions) == {"iris-2", "iris-3", "iris-4", "iris-5"}
    assert world.status.stable is not None
    assert world.status.stable.revision == "iris-5"  # iris-2 failed, iris-4 is what a rollback goes back to
