"""The way of a rollout when pods die, metrics or traffic are missing, or objects are lost."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, at_step, condition, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import Pod


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


def test_a_verdict_that_quotes_at_length_is_cut_and_stops_nothing():
    # given a user's query that fails with a page of text
    world = at_step()
    long = replace(judgement(Verdict.INCONCLUSIVE), sentence="drift: Prometheus refused: ".ljust(5000, "x"))
    world.says = {"judgements": (long,)}
    # when somebody looks
    status = world.decide().status
    # then it is said as far as a status can say it
    assert len(status.verdict) == len(status.guards[0].message) == 2048
