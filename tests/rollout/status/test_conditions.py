"""Each condition with each obstacle; its times, generations and lengths."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.status.phases import (
    AGAIN,
    BLUE,
    GOING_BACK,
    GREEN,
    SERVES,
    at_step,
    first_bakes,
    first_starts,
    said,
    taken_back,
)
from tests.rollout.world import START, World, judgement, spec_for

from viridian.api.status import Condition, ModelDeploymentStatus, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.conditions import with_problem
from viridian.rollout.observed import ApplyFailure, RouteFacts

# ------------------------------------------------------------------ obstacles


def test_a_model_that_waits_for_its_first_revision_is_at_work():
    world = World()
    world.status = world.status.model_copy(update={"last_revision": 3})
    world.command = "nothing"
    status = world.decide().status.model_copy(update={"phase": Phase.PENDING, "candidate": None})
    world.status = status
    assert status.phase is Phase.PENDING
    assert said(world)["Reconciling"][0] == "True"


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        ({"gateway_problem": "spec.traffic.parentRefs[0]: there is no Gateway public"}, "GatewayNotFound"),
        ({"taken": "spec.traffic: path /iris belongs to older"}, "RouteTaken"),
        ({"apply_failure": "admission webhook denied the request"}, "Refused"),
    ],
)
def test_what_only_the_user_can_put_right_stalls_and_keeps_a_model_that_serves_from_being_ready(obstacle, reason):
    world = at_stable()
    for field, text in obstacle.items():
        setattr(world, field, ApplyFailure(reason, text) if field == "apply_failure" else text)
    conditions, text = said(world), next(iter(obstacle.values()))
    assert conditions["Stalled"] == ("True", reason, text)
    assert conditions["Ready"] == ("False", reason, text)
    assert conditions["Reconciling"][0] == "False"
    assert conditions["Available"] == SERVES


def test_a_route_that_the_gateway_refuses_is_named():
    world = at_stable()
    world.route = replace(world.route, problem="listener https takes no routes of namespace ml")
    expected = ("RouteRefused", "listener https takes no routes of namespace ml")
    assert said(world)["Stalled"] == ("True", *expected)
    assert said(world)["Ready"] == ("False", *expected)


def test_pods_that_cannot_start_stall_and_are_named_with_their_version_and_color():
    # given a candidate with two pods, the second of which cannot start; the one of another revision does not matter
    world = rolling(Phase.STARTING)
    world.kubelet(healthy=frozenset({"iris-1"}))
    good = world.pods[GREEN][0]
    stuck = replace(good, uid="stuck", trouble="image not found: pull it by hand")
    other = replace(good, uid="other", revision="iris-0", trouble="something of old")
    world.pods[GREEN] = [other, good, stuck]

    # then status says so
    text = "v2.0.0 (green): image not found: pull it by hand"
    conditions = said(world)
    assert conditions["Stalled"] == ("True", "PodsCannotStart", text)
    assert conditions["Reconciling"] == ("False", "Starting", f"v2.0.0 starts: 0 of 2 pods ready; {text}")


def test_trouble_of_stables_pods_is_named_at_rest():
    world = at_stable()
    world.pods[BLUE][0] = replace(world.pods[BLUE][0], trouble="no room on any node")
    assert said(world)["Stalled"] == ("True", "PodsCannotStart", "v1.0.0 (blue): no room on any node")


def test_trouble_of_stables_pods_is_named_where_the_candidate_has_none():
    world = at_step()
    world.pods[BLUE][0] = replace(world.pods[BLUE][0], trouble="no room on any node")
    assert said(world)["Stalled"] == ("True", "PodsCannotStart", "v1.0.0 (blue): no room on any node")
    world.pods[GREEN][0] = replace(world.pods[GREEN][0], trouble="no room either")
    assert said(world)["Stalled"] == ("True", "PodsCannotStart", "v2.0.0 (green): no room either")


def test_a_stable_without_a_ready_pod_is_neither_ready_nor_available():
    world = at_stable()
    world.pods[BLUE] = [replace(pod, ready=False) for pod in world.pods[BLUE]]
    conditions = said(world)
    assert conditions["Ready"] == ("False", "PodsNotReady", "no pod of v1.0.0 is ready")
    assert conditions["Available"] == (
        "False",
        "StableUnavailable",
        "no pod of v1.0.0 is ready, so no request is answered",
    )


def test_a_model_is_neither_ready_nor_available_before_a_gateway_has_accepted_its_route():
    # given a model at rest whose route no gateway has taken
    world = at_stable()
    world.route = replace(world.route, accepted=False)

    # then both conditions say what is missing
    missing = ("False", "NotRouted", "no gateway has accepted the HTTPRoute yet: waiting for Gateway public")
    conditions = said(world)
    assert (conditions["Ready"], conditions["Available"]) == (missing, missing)

    # and once one has, both turn
    world.route = replace(world.route, accepted=True)
    conditions = said(world)
    assert conditions["Ready"][:2] == ("True", "Stable")
    assert conditions["Available"][:2] == ("True", "Serving")


def test_a_revision_that_is_stored_no_more_cannot_be_gone_back_to():
    world = at_stable()
    world.lost, world.deployments = {"iris-1"}, {}
    assert said(world)["RollbackReady"] == ("False", "RevisionLost", "ControllerRevision iris-1 is missing")


def test_a_breach_of_the_first_revision_makes_it_unavailable_with_the_guards_sentence():
    world = first_bakes()
    world.says = {"judgements": (replace(judgement(Verdict.BREACH), sentence="9 of 10 requests failed."),)}
    world.reconcile()
    again = (
        "There is no revision to roll back to: apply a version that works; it gets all traffic as soon as it is ready."
    )
    text = f"9 of 10 requests failed. {again}"
    fails = "v1.0.0 serves and fails: 9 of 10 requests failed."
    assert said(world)["Available"] == ("False", "GuardBreached", fails)
    assert said(world)["Settled"][:2] == ("True", "GuardBreached")
    assert said(world)["Stalled"] == ("True", "GuardBreached", text)


def test_a_rollback_whose_version_nobody_asks_for_any_more_is_named_by_its_phase():
    world = taken_back(settled=False)
    world.edit(spec_for("v3.0.0"))
    assert said(world)["RolledBack"] == ("True", "RollingBack", GOING_BACK)


def test_a_first_revision_that_was_taken_back_leaves_nothing_that_serves():
    world = first_starts()
    world.command = "abort/iris-1/a"
    run_until(world, Phase.ROLLED_BACK)
    why = f"iris-1 (v1.0.0) was aborted by command. Nothing serves. {AGAIN.replace('v2', 'v1')}"
    assert said(world)["Stalled"] == ("True", "Aborted", f"v1.0.0 was rolled back: {why}")


def test_a_first_revision_whose_gateway_is_missing_says_so_and_the_next_one_is_waited_for():
    world = World(gateway_problem="spec.traffic.parentRefs[0]: there is no Gateway public")
    pass_by(world, 3)
    assert world.status.phase is Phase.STALLED
    stalled = world.status.model_copy(update={"candidate": None})
    world.status = stalled
    text = {c.type: c.message for c in world.decide().status.conditions}["Ready"]
    assert text == "waiting for the first revision"


# ------------------------------------------------------------------ times, generations, lengths


def test_a_condition_keeps_its_time_as_long_as_its_status_stays():
    # given a step, whose conditions are as old as the rollout
    world = at_step()
    before = {c.type: c.last_transition_time for c in world.status.conditions}
    assert before["Reconciling"] < world.now

    # when a breach turns one of them, and the sentences of others
    world.verdicts["iris-2"] = Verdict.BREACH
    world.reconcile()
    after = {c.type: c.last_transition_time for c in world.status.conditions}

    # then that one's time is now, and all others have theirs
    assert after == {**before, "RolledBack": world.now}


def test_conditions_speak_of_the_generation_that_was_looked_at():
    world = at_stable()
    world.generation = 7
    status = world.decide().status
    assert {c.observed_generation for c in status.conditions} == {7}
    assert status.observed_generation == 7


def test_a_sentence_is_cut_where_the_api_server_would_refuse_it():
    world = at_stable()
    world.taken = "x" * 3000
    assert said(world)["Stalled"] == ("True", "RouteTaken", f"{'x' * 2047}…")


def test_a_problem_of_the_operator_itself_turns_two_conditions_and_leaves_the_rest():
    # given a status in which all is well
    status = at_stable().status
    kept = [c for c in status.conditions if c.type not in {"Ready", "Stalled"}]

    # when the operator cannot look after the model
    now = START + timedelta(hours=1)
    after = with_problem(status, "Unreadable", "spec.model: what is that?", 5, now)

    # then status says so, once each, and nothing else has changed
    problem = {
        "reason": "Unreadable",
        "message": "spec.model: what is that?",
        "last_transition_time": now,
        "observed_generation": 5,
    }
    turned = [Condition(type="Ready", status="False", **problem), Condition(type="Stalled", status="True", **problem)]
    assert after.conditions == [*turned, *kept]
    assert after.model_copy(update={"conditions": []}) == status.model_copy(update={"conditions": []})
    again = with_problem(after, "Unreadable", "spec.model: what is that?", 5, now + timedelta(hours=1))
    assert again == after
    assert isinstance(again, ModelDeploymentStatus)


def test_a_route_edited_by_hand_shows_what_it_gives():
    world = at_step()
    world.route = RouteFacts(rules=({BLUE: 70, GREEN: 30},))
    status = world.decide().status
    assert status.stable is not None
    assert status.candidate is not None
    assert (status.stable.weight, status.candidate.weight) == (70, 30)


@pytest.mark.parametrize("version", ["v1.0.0", "v3.0.0"])
def test_between_two_rollouts_nobody_is_told_that_what_the_spec_asks_for_serves(version: str):
    # given a candidate that is replaced by a third revision, which may have stable's version
    world = rolling(Phase.PROGRESSING)
    world.edit(spec_for(version, serving={"replicas": 3, "timeout": "5s"}))
    # when the candidate is gone, and the third one has not begun
    run_until(world, Phase.STABLE)
    found = {c.type: (c.status, c.reason, c.message) for c in world.status.conditions}
    # then scripts that wait go on waiting
    assert found["Ready"] == ("False", "Pending", f"{version} is next")
    assert found["Settled"] == ("False", "Pending", f"{version} is next")
    assert found["Reconciling"] == ("True", "Pending", f"{version} is next")
    # and it begins at once
    world.reconcile()
    assert world.status.phase is Phase.STARTING
