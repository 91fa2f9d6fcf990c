"""How a rollout begins, what each step waits for, and how it ends well."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, at_step, pass_by, rolling, run_until
from tests.rollout.test_autoscaling import SERVING
from tests.rollout.world import World, judgement, spec_for

from viridian.api.names import Color
from viridian.api.rollout import Approval
from viridian.api.status import (
    Approved,
    BlockedRevision,
    ColorStatus,
    Drain,
    HistoryEntry,
    Hold,
    ModelDeploymentStatus,
    Phase,
    Return,
    StepStatus,
)
from viridian.guards.counts import Counts
from viridian.guards.judge import Verdict
from viridian.rollout.observed import RouteFacts
from viridian.rollout.rollback import AT_REST

BLUE, GREEN = Color.BLUE, Color.GREEN


def promoted() -> World:
    """A world in which v2 has taken over from v1."""
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.settle()
    return world


def next_status(world: World) -> ModelDeploymentStatus:
    return world.decide().status


def set_status(world: World, **fields: object) -> None:
    world.status = world.status.model_copy(update=fields)


def set_step(world: World, **fields: object) -> None:
    assert world.status.step is not None
    set_status(world, step=world.status.step.model_copy(update=fields))


def at_rest(status: ModelDeploymentStatus) -> bool:
    return all(getattr(status, field) == value for field, value in AT_REST.items())


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


# ------------------------------------------------------------------ Starting


def test_without_a_candidate_there_is_nothing_to_start():
    world = at_stable()
    set_status(world, phase=Phase.STARTING)
    assert next_status(world).phase is Phase.PENDING


@pytest.mark.parametrize(
    ("ready", "seen", "phase"), [(1, 2, Phase.STARTING), (2, 1, Phase.STARTING), (2, 2, Phase.PROGRESSING)]
)
def test_the_first_step_wants_pods_that_are_ready_and_that_the_guards_see(ready, seen, phase):
    world = rolling(Phase.STARTING)
    world.kubelet()
    world.pods[GREEN] = [replace(pod, ready=number < ready) for number, pod in enumerate(world.pods[GREEN])]
    world.reporting = {"iris-1": 3, "iris-2": seen}
    assert next_status(world).phase is phase


def test_a_first_revision_wants_all_its_pods_and_a_route_that_can_be():
    world = World()
    world.reconcile()
    world.kubelet()
    assert next_status(world).phase is Phase.FINISHING
    world.pods[BLUE] = world.pods[BLUE][:2]
    assert next_status(world).phase is Phase.STARTING
    world.taken = "another's"
    assert next_status(world).phase is Phase.STALLED
    set_status(world, phase=Phase.STALLED)
    world.taken = None
    assert next_status(world).phase is Phase.STARTING


def test_a_later_revision_starts_whatever_the_gateway_says():
    world = rolling(Phase.STARTING)
    world.gateway_problem = "no Gateway"
    assert next_status(world).phase is Phase.STARTING


def test_what_comes_back_wants_all_its_pods_no_approval_and_no_counters():
    # given an earlier revision that comes back by command, with an approval that others would need
    world = promoted()
    rollout = {**world.spec.rollout.model_dump(by_alias=True), "approval": "BeforeTraffic"}
    world.edit(spec_for("v2.0.0", rollout=rollout))
    pass_by(world)
    world.command = "rollback/iris-2/now"
    world.reconcile()
    assert world.status.returning == Return(instead_of="iris-2", generation=world.generation)
    world.kubelet()
    world.reporting = {}

    # then it takes over as soon as they are ready
    assert next_status(world).phase is Phase.FINISHING
    world.pods[BLUE] = world.pods[BLUE][:2]
    assert next_status(world).phase is Phase.STARTING


def test_what_comes_back_waits_while_it_is_paused():
    world = promoted()
    world.command = "rollback/iris-2/now"
    world.reconcile()
    world.command = "pause/iris-1/a"
    world.reconcile()
    world.kubelet()
    status = next_status(world)
    assert (status.phase, status.hold.reason) == (Phase.HELD, "Paused")


def test_a_pause_holds_a_candidate_before_it_is_ready():
    world = rolling(Phase.STARTING)
    world.pods[GREEN] = []
    world.command = "pause/iris-2/a"
    world.reconcile()
    assert next_status(world).phase is Phase.HELD


def test_an_approval_is_asked_for_when_the_pods_are_ready():
    world = at_stable()
    rollout = {**world.spec.rollout.model_dump(by_alias=True), "approval": "BeforeTraffic"}
    world.edit(spec_for("v2.0.0", rollout=rollout))
    world.reconcile()
    assert next_status(world).phase is Phase.STARTING
    world.kubelet()
    status = next_status(world)
    assert status.phase is Phase.HELD
    assert status.hold == Hold(
        reason="AwaitingApproval",
        message=(
            "v2.0.0 gets no traffic until it is approved (rollout.approval: BeforeTraffic): annotate the model with"
            " viridian.dev/command=approve/iris-2/ID"
        ),
        since=world.now,
    )


def test_an_approved_candidate_whose_pods_went_meanwhile_starts_again_and_is_held_no_more():
    world = at_stable()
    rollout = {**world.spec.rollout.model_dump(by_alias=True), "approval": "BeforeTraffic"}
    world.edit(spec_for("v2.0.0", rollout=rollout))
    run_until(world, Phase.HELD)
    # approved and ready
    set_status(world, approved=Approved(revision="iris-2", gate=Approval.BEFORE_TRAFFIC))
    status = next_status(world)
    assert (status.phase, status.hold) == (Phase.PROGRESSING, None)
    # approved, but not ready
    world.pods[GREEN] = []
    status = next_status(world)
    assert (status.phase, status.hold) == (Phase.STARTING, None)


# ------------------------------------------------------------------ a step


def test_a_step_begins_with_what_was_counted_and_weighed_before_it():
    # given a first step that is done
    world = at_step()
    world.requests = {"iris-1": 700, "iris-2": 70}
    set_step(world, requests_before=0)
    world.now += timedelta(seconds=10)
    world.fresh_at = world.now

    # when the next one is intended
    status = next_status(world)

    # then
    assert status.phase is Phase.PROGRESSING
    assert status.step == StepStatus(
        index=2,
        count=2,
        progress="2/2",
        weight=50,
        weight_before=10,
        intended_at=world.now,
        requests_before=70,
        stable_requests_before=700,
    )


def test_the_bake_is_the_step_after_the_last():
    world = at_step()
    set_step(world, index=2, weight=50)
    world.now += timedelta(seconds=10)
    world.fresh_at = world.now
    world.reporting = Counter({"iris-1": 3, "iris-2": 2})
    status = next_status(world)
    assert status.phase is Phase.BAKING
    assert (status.step.index, status.step.count, status.step.progress, status.step.weight) == (3, 2, "bake", 95)


def test_a_step_is_verified_only_in_the_route_and_with_fresh_metrics():
    # given a step that requests would verify
    world = at_step()
    set_step(world, verified_at=None, requests_before=0, stable_requests_before=0, weight_before=0)
    assert next_status(world).step.verified_at == world.now
    # but not with old metrics
    world.now += timedelta(seconds=7)
    assert next_status(world).step.verified_at is None
    # nor before it is in the route
    world.fresh_at = world.now
    world.route = RouteFacts(rules=({BLUE: 91, GREEN: 9},))
    assert next_status(world).step.verified_at is None


def done(world: World) -> bool:
    return next_status(world).step.index == 2


def test_a_step_is_done_when_it_was_held_was_used_is_seen_and_no_guard_lacks_requests():
    # given a step of ten seconds that wants seven requests
    steps = [{"weight": 10, "hold": "10s", "minRequests": 7}, {"weight": 50, "hold": "10s"}]
    world = at_step(rollout={"steps": steps, "bake": {"duration": "20s", "holdback": 5}, "deadline": "10m"})
    set_step(world, verified_at=world.now, requests_before=100)
    world.requests["iris-2"] = 107
    world.now = world.fresh_at = world.now + timedelta(seconds=10)
    assert done(world)
    # a moment earlier
    world.now -= timedelta(milliseconds=1)
    assert not done(world)
    world.now += timedelta(milliseconds=1)
    # with one request less
    world.requests["iris-2"] = 106
    assert not done(world)
    world.requests["iris-2"] = 107
    # without metrics
    world.fresh_at = None
    assert not done(world)
    world.fresh_at = world.now
    # with a guard that cannot say yet
    world.says = {"missing": ("errorRate (31 more)",)}
    assert not done(world)
    world.says = {}
    assert done(world)


def test_a_bake_is_over_after_its_duration_and_the_candidate_takes_over():
    world = rolling(Phase.BAKING)
    pass_by(world, 3)
    set_step(world, verified_at=world.now)
    world.now = world.fresh_at = world.now + timedelta(milliseconds=19_999)
    assert next_status(world).phase is Phase.BAKING
    world.now = world.fresh_at = world.now + timedelta(milliseconds=1)
    assert next_status(world).phase is Phase.FINISHING


def test_a_bake_that_needs_approval_says_so_when_it_is_over():
    rollout = {"bake": {"duration": "20s", "holdback": 5}, "deadline": "10m"}
    world = at_stable()
    world.edit(spec_for("v2.0.0", rollout={**rollout, "type": "BlueGreen", "approval": "BeforePromotion"}))
    run_until(world, Phase.HELD)
    assert world.status.hold.message == (
        "v2.0.0 has baked and is not promoted until it is approved (rollout.approval: BeforePromotion): annotate"
        " the model with viridian.dev/command=approve/iris-2/ID"
    )
    # somebody else's approval, or another gate's, is none
    for revision, gate in [("iris-1", Approval.BEFORE_PROMOTION), ("iris-2", Approval.BEFORE_TRAFFIC)]:
        set_status(world, approved=Approved(revision=revision, gate=gate))
        assert next_status(world).phase is Phase.HELD
    set_status(world, approved=Approved(revision="iris-2", gate=Approval.BEFORE_PROMOTION))
    assert next_status(world).phase is Phase.FINISHING


# ------------------------------------------------------------------ holds

HOLD = {"guards": {"metricsMissing": {"after": "1m", "then": "Hold"}, "noTraffic": {"after": "1m", "then": "Hold"}}}


def test_holds_are_asked_in_their_order_and_say_what_to_do():
    # given a step that waits for requests, where no traffic comes
    world = at_step(**HOLD)
    set_step(world, verified_at=None, intended_at=world.now)
    world.now += timedelta(seconds=61)
    world.fresh_at = world.now
    idle = "no requests reached the candidate for 1m: check the gateway, or send traffic"
    assert next_status(world).hold == Hold(reason="NoTraffic", message=idle, since=world.now)

    # and no metrics either
    world.fresh_at = None
    blind = "no metrics for 1m: check that Prometheus scrapes the serving pods"
    assert next_status(world).hold == Hold(reason="MetricsMissing", message=blind, since=world.now)
    world.says = {"trouble": "Prometheus does not answer"}
    assert next_status(world).hold.message == "no metrics for 1m: Prometheus does not answer"

    # and no stable
    pods, world.pods[BLUE] = world.pods[BLUE], []
    gone = "no pod of v1.0.0 is ready: v2.0.0 gets all traffic if that lasts for 6 s"
    assert next_status(world).hold == Hold(reason="StableUnavailable", message=gone, since=world.now)
    world.pods[BLUE] = pods

    # and an incident of both
    both = replace(judgement(Verdict.SHARED_INCIDENT), sentence="both fail")
    world.says = {"judgements": (judgement(Verdict.HEALTHY), both)}
    assert next_status(world).hold == Hold(reason="SharedIncident", message="both fail", since=world.now)

    # and a person's pause
    set_status(world, paused="iris-2")
    assert next_status(world).hold.reason == "Paused"
    set_status(world, paused="iris-1")
    assert next_status(world).hold.reason == "SharedIncident"


def test_a_hold_is_as_old_as_its_reason():
    world = at_step()
    world.command = "pause/iris-2/a"
    world.reconcile()
    world.reconcile()
    since = world.status.hold.since
    world.now += timedelta(seconds=5)
    assert next_status(world).hold.since == since
    set_status(world, hold=world.status.hold.model_copy(update={"reason": "NoTraffic"}))
    assert next_status(world).hold.since == world.now


def test_a_step_that_was_done_when_its_hold_ended_is_followed_by_the_next_without_it():
    world = at_step()
    set_step(world, verified_at=world.now - timedelta(minutes=1))
    set_status(world, phase=Phase.HELD, hold=Hold(reason="NoTraffic", message="m", since=world.now))
    status = next_status(world)
    assert (status.phase, status.step.index, status.hold) == (Phase.PROGRESSING, 2, None)


@pytest.mark.parametrize(
    ("fields", "phase"), [({"index": 1}, Phase.PROGRESSING), ({"index": 3, "weight": 95}, Phase.BAKING)]
)
def test_after_a_hold_a_rollout_goes_on_where_it_was(fields, phase):
    world = at_step()
    set_step(world, **fields)
    set_status(world, phase=Phase.HELD, hold=Hold(reason="NoTraffic", message="m", since=world.now))
    status = next_status(world)
    assert (status.phase, status.hold) == (phase, None)


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


@pytest.mark.parametrize("unseen", ["iris-1", "iris-2"])
def test_nothing_goes_forward_while_the_metrics_tell_of_one_color_only(unseen):
    # given a step that is over, but for one color whose pods are not scraped
    world = at_step()
    world.unseen = {unseen}
    world.now = world.fresh_at = world.now + timedelta(minutes=1)
    # when somebody looks, then it stays
    assert next_status(world).step == world.status.step
    # and when they are scraped, it goes on
    world.unseen = set()
    assert next_status(world).step.index == 2


@pytest.mark.parametrize(("policy", "phase"), [("Hold", Phase.HELD), ("Rollback", Phase.ROLLING_BACK)])
def test_a_candidate_that_is_not_scraped_is_missing_metrics_whatever_stable_tells(policy, phase):
    # given a step whose candidate cannot be scraped any more, while stable can
    world = at_step(guards={"metricsMissing": {"after": "1m", "then": policy}})
    world.unseen = {"iris-2"}
    world.now = world.fresh_at = world.now + timedelta(seconds=61)
    # when the policy's time is over, then it decides, and whose metrics are missing is said
    status = next_status(world)
    assert status.phase is phase
    said = status.hold or status.ending
    assert said.reason == "MetricsMissing"
    assert said.message.startswith("no metrics of v2.0.0's pods for 1m")


def test_a_step_waits_until_the_metrics_tell_of_as_many_pods_as_its_weight_needs():
    # given a step of half of the traffic that is over, of whose two pods one is scraped
    world = at_step()
    set_step(world, weight=50)
    world.route = RouteFacts(rules=({BLUE: 50, GREEN: 50},))
    world.now = world.fresh_at = world.now + timedelta(minutes=1)
    world.reporting = Counter({"iris-1": 3, "iris-2": 1})
    world.deployments[GREEN] = ("iris-2", 2)
    world.kubelet()
    # when somebody looks, then it stays, and says why
    status = next_status(world)
    assert status.step.index == 1
    reconciling = next(condition for condition in status.conditions if condition.type == "Reconciling")
    why = "Prometheus has the counters of 1 of the 2 pods that v2.0.0 needs"
    assert reconciling.message.endswith(f"50 % of the traffic, and does not advance: {why}")
    # and the deadline says it too
    world.now = world.fresh_at = world.now + timedelta(days=1)
    assert next_status(world).ending.message.endswith(why)


def test_a_step_waits_while_the_metrics_tell_of_no_pod():
    # given a step that is over, whose pods' counters have not been seen
    world = at_step()
    world.now = world.fresh_at = world.now + timedelta(minutes=1)
    world.reporting = Counter({"iris-1": 3})
    # when somebody looks, then it stays, and says why
    status = next_status(world)
    assert status.step.index == 1
    reconciling = next(condition for condition in status.conditions if condition.type == "Reconciling")
    assert reconciling.message.endswith("Prometheus has the counters of 0 of the 2 pods that v2.0.0 needs")
