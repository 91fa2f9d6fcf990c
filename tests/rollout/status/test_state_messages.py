"""The sentence about a rollout: what happens, and what it waits for."""

from dataclasses import replace
from datetime import timedelta

from tests.rollout.scenes import at_stable, pass_by, rolling
from tests.rollout.status.phases import BLUE, at_step, first_starts, said
from tests.rollout.world import spec_for

from viridian.api.status import Phase

# ------------------------------------------------------------------ sentences


def test_a_candidate_that_is_ready_waits_until_its_counters_are_seen():
    world = rolling(Phase.STARTING)
    world.metrics = False
    world.fresh_at = None
    pass_by(world, 3)
    starts = "v2.0.0 starts: 2 of 2 pods ready; waiting for "
    assert said(world)["Reconciling"][2] == starts + "Prometheus to have the counters of its pods"
    world.says = {"trouble": "Prometheus does not answer"}
    assert said(world)["Reconciling"][2] == starts + "Prometheus does not answer"


def test_a_first_revision_that_is_ready_waits_for_no_counters():
    world = first_starts()
    world.kubelet(healthy=frozenset())
    world.pods[BLUE][0] = replace(world.pods[BLUE][0], ready=True)
    assert said(world)["Reconciling"][2] == "v1.0.0 starts: 1 of 3 pods ready"


def test_a_step_says_what_it_waits_for():
    # given a step that has been intended
    world = rolling(Phase.PROGRESSING)
    assert world.status.step is not None
    name = "v2.0.0 is at step 1 of 2"
    waits = f"{name} with 0 % of the traffic instead of 10 %: waiting for the route to be written"
    assert {c.type: c.message for c in world.status.conditions}["Reconciling"] == waits

    # when its weight is in the route, requests have to show it
    world.reconcile()
    world.requests["iris-2"] = 0
    world.status = world.status.model_copy(
        update={"step": world.status.step.model_copy(update={"verified_at": None, "requests_before": 0})}
    )
    assert said(world)["Reconciling"][2] == f"{name}: waiting for requests to be seen split at 10 %"

    # when they have, it is watched
    pass_by(world, 2)
    watched = f"{name} with 10 % of the traffic: waiting for 8s more of 10s"
    assert said(world)["Reconciling"][2] == watched

    # and for longer where guards have too little to say
    world.says = {"missing": ("errorRate (31 more)", "latency-p95 (200 more)")}
    assert said(world)["Reconciling"][2] == (
        f"{watched} and enough requests for errorRate (31 more), latency-p95 (200 more)"
    )


def test_a_step_without_metrics_says_why_it_stays():
    world = at_step()
    world.metrics = False
    world.says = {"trouble": "Prometheus does not answer"}
    watched = "v2.0.0 is at step 1 of 2 with 10 % of the traffic"
    assert said(world)["Reconciling"][2] == watched + ": waiting for 4s more of 10s"  # the last ones are fresh
    world.now += timedelta(seconds=7)
    assert said(world)["Reconciling"][2] == watched + ", and does not advance: Prometheus does not answer"
    world.says = {}
    assert said(world)["Reconciling"][2] == watched


def test_a_bake_is_called_one_and_a_version_that_waits_for_its_end_is_named():
    world = rolling(Phase.BAKING)
    pass_by(world, 3)
    assert said(world)["Reconciling"][2] == "v2.0.0 bakes with 95 % of the traffic: waiting for 18s more of 20s"
    world.edit(spec_for("v3.0.0"))
    waits = "v2.0.0 bakes (v3.0.0 starts after this rollout) with 95 % of the traffic: waiting for 18s more of 20s"
    assert said(world)["Reconciling"][2] == waits


def test_a_candidate_that_takes_over_is_named():
    world = rolling(Phase.FINISHING)
    assert said(world)["Reconciling"][2] == "v2.0.0 takes over; the old color drains"


def test_a_revision_that_comes_back_by_command_says_how_many_of_its_pods_are_ready():
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    world.command = "rollback/iris-2/now"
    world.reconcile()
    world.kubelet()
    world.pods[BLUE][0] = replace(world.pods[BLUE][0], ready=False)
    assert said(world)["Reconciling"][2] == "v1.0.0 is being restored by command: 2 of 3 pods are ready"
