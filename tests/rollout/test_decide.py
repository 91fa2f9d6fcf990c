"""The way of a rollout, case by case."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, at_step, condition, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import Pod


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
        from tests.rollout.world import judgement

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


def test_dying_pods_need_no_statistics_and_no_weight():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.STARTING)
    world.reconcile()
    world.kubelet(healthy=frozenset({"iris-1"}))
    dead = world.pods[Color.GREEN][0]
    world.pods[Color.GREEN][0] = Pod(dead.uid, "iris-2", False, False, deaths=2, death="container triton: no such file")
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    assert world.status.failed[0].reason == "PodsCrash"
    assert "no such file" in world.status.failed[0].message


def test_a_pod_that_dies_with_an_error_counts_without_metrics():
    # given a candidate with traffic, of which nothing is known any more
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.metrics, world.fresh_at = False, None
    world.reporting.clear()
    # when its pods die with an error, then no counter is needed to roll it back
    dead = world.pods[Color.GREEN][0]
    world.pods[Color.GREEN][0] = Pod(dead.uid, "iris-2", False, False, deaths=2, death="container triton: killed")
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK
    assert world.status.failed[0].reason == "PodsCrash"


def test_a_pod_that_is_being_deleted_proves_nothing():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    gone = world.pods[Color.GREEN][0]
    world.pods[Color.GREEN].append(Pod(gone.uid + "x", "iris-2", False, True, deaths=3, death="evicted"))
    world.reconcile()
    assert world.status.phase is Phase.PROGRESSING


def test_a_candidate_that_never_gets_ready_expires_and_stable_is_untouched():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    for _ in range(400):
        world.kubelet(healthy=frozenset({"iris-1"}))
        world.reconcile()
        world.traffic()
    assert world.status.phase is Phase.EXPIRED
    assert [blocked.version for blocked in world.status.expired] == ["v2.0.0"]
    assert world.status.failed == []
    assert world.weights_seen == [100]
    assert world.deployments[Color.BLUE] == ("iris-1", 3)


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
    assert "v4.0.0 starts after this rollout" in next(c.message for c in world.status.conditions if c.type == "Reconciling")
    world.settle()
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v4.0.0"
    assert [entry.result for entry in world.status.history] == ["Promoted", "Promoted", "Replaced", "Promoted"]


def test_without_metrics_weights_stay_and_then_the_policy_decides():
    world = at_stable()
    guards = {"metricsMissing": {"after": "1m", "then": "Hold"}}
    world.edit(spec_for("v2.0.0", guards=guards))
    run_until(world, Phase.PROGRESSING)
    world.metrics = False
    weights = list(world.weights_seen)
    for _ in range(40):
        world.reconcile()
        world.traffic()
    assert world.status.phase is Phase.HELD
    assert world.status.hold is not None
    assert world.status.hold.reason == "MetricsMissing"
    assert world.weights_seen == weights
    world.metrics = True
    world.traffic()
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_metrics_missing_then_rollback_does_not_blame_the_model():
    world = at_stable()
    world.edit(spec_for("v2.0.0", guards={"metricsMissing": {"after": "1m", "then": "Rollback"}}))
    run_until(world, Phase.PROGRESSING)
    world.metrics = False
    for _ in range(60):
        world.kubelet()
        world.reconcile()
        world.traffic()
    assert world.status.phase is Phase.EXPIRED
    assert world.status.failed == []


@pytest.mark.parametrize(("policy", "phase"), [("Hold", Phase.HELD), ("Rollback", Phase.EXPIRED)])
def test_without_traffic_a_step_is_never_verified_and_the_policy_decides(policy, phase):
    world = at_stable()
    world.edit(spec_for("v2.0.0", guards={"noTraffic": {"after": "1m", "then": policy}}))
    for _ in range(100):
        world.kubelet()
        world.reconcile()
        world.traffic(rate=0)
    assert world.status.phase is phase
    assert world.weights_seen == [100, 10, 0][: 2 if policy == "Hold" else 3]


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [(Verdict.SHARED_INCIDENT, "SharedIncident"), (Verdict.UNREACHED, "CandidateUnreached")],
)
def test_an_incident_of_both_colors_holds_and_blames_nobody(verdict: Verdict, reason: str):
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = verdict
    world.reconcile()
    assert world.status.phase is Phase.HELD
    assert world.status.hold is not None
    assert world.status.hold.reason == reason
    assert world.status.failed == []
    del world.verdicts["iris-2"]
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.version == "v2.0.0"


def test_with_no_ready_pod_of_stable_the_weights_are_kept():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    world.pods[Color.BLUE] = []
    world.reconcile()
    assert world.status.phase is Phase.HELD
    assert world.route is not None
    assert world.route.weight(Color.GREEN) == 10
    assert condition(world, "Available")[0] == "False"
    world.kubelet()
    world.reconcile()
    assert world.route.weight(Color.GREEN) == 0


def test_the_mark_in_the_route_is_enough_when_the_status_was_lost():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    world.reconcile(writes=1)
    world.verdicts.clear()  # the operator died after the route's patch and remembers nothing
    world.settle()
    assert world.status.phase is Phase.ROLLED_BACK
    assert world.status.failed[0].revision == "iris-2"


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


def test_a_drain_waits_for_the_counter_but_not_longer_than_drain_max():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.FINISHING)
    while world.status.candidate is not None:
        world.reconcile()
    began = world.now
    while world.deployments[Color.BLUE][1] > 0:
        world.traffic()
        world.moved["iris-1"] = world.now  # somebody still holds a connection to the old color
        world.reconcile()
        assert world.now - began < timedelta(minutes=2)
    assert world.now - began >= timedelta(seconds=30)


def test_a_missing_gateway_stalls_the_first_revision_and_names_the_field():
    world = World()
    world.gateway_problem = "spec.traffic.parentRefs[0]: there is no Gateway public in namespace ml"
    for _ in range(5):
        world.kubelet()
        world.reconcile()
        world.traffic()
    assert world.route is None
    assert condition(world, "Stalled") == ("True", "GatewayNotFound")
    world.gateway_problem = None
    world.settle()
    assert world.status.phase is Phase.STABLE


def test_a_lost_controller_revision_is_stored_again_from_its_deployment():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    world.lost = {"iris-1", "iris-2"}
    world.reconcile()
    assert world.lost == set()
    world.settle(rounds=5)
    assert world.status.phase is Phase.ROLLED_BACK


def test_a_deployment_deleted_by_hand_is_made_again_while_its_pods_still_end():
    # given a stable whose Deployment was deleted, so that its pods are ending
    world = at_stable()
    del world.deployments[Color.BLUE]
    world.pods[Color.BLUE] = [replace(pod, deleting=True) for pod in world.pods[Color.BLUE]]
    assert world.pods[Color.BLUE]

    # when the operator looks
    world.reconcile()

    # then it is there again, with the same revision, and nobody waits for the end of the others
    assert world.deployments[Color.BLUE] == ("iris-1", 3)


def test_a_stable_lost_with_its_deployment_and_its_revision_begins_anew_from_the_spec():
    world = at_stable()
    world.lost = {"iris-1"}
    world.deployments.clear()
    world.pods[Color.BLUE] = []
    world.reconcile()
    assert condition(world, "Ready")[0] == "False"
    world.settle()
    assert world.status.phase is Phase.STABLE
    assert world.status.stable is not None
    assert (world.status.stable.revision, world.status.stable.version) == ("iris-2", "v1.0.0")


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


def test_a_verdict_that_quotes_at_length_is_cut_and_stops_nothing():
    # given a user's query that fails with a page of text
    world = at_step()
    long = replace(judgement(Verdict.INCONCLUSIVE), sentence="drift: Prometheus refused: ".ljust(5000, "x"))
    world.says = {"judgements": (long,)}
    # when somebody looks
    status = world.decide().status
    # then it is said as far as a status can say it
    assert len(status.verdict) == len(status.guards[0].message) == 2048
