"""What the rules ask of one look at spec, status and world."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.world import NAME, SETTINGS, START, spec_for

from viridian.api.names import Color
from viridian.api.revision import Revision, RevisionInput
from viridian.api.status import (
    BlockedRevision,
    ColorStatus,
    Ending,
    HistoryEntry,
    Hold,
    ModelDeploymentStatus,
    Phase,
    Return,
    StepStatus,
)
from viridian.rollout.context import RolloutContext
from viridian.rollout.decide import decide
from viridian.rollout.observed import ColorView, Evidence, Observed, Pod, RouteFacts
from viridian.rollout.planning.actions import ApplyBudget, ApplyColor, ApplyColorService, StoreRevision

BLUE, GREEN = Color.BLUE, Color.GREEN
STABLE = ColorStatus(color=BLUE, revision="iris-1", version="v1.0.0")
CANDIDATE = ColorStatus(color=GREEN, revision="iris-2", version="v2.0.0")
CPU = {"resources": {"requests": {"cpu": "100m"}}}


def revision(number: int, version: str) -> Revision:
    return Revision(f"iris-{number}", number, RevisionInput.of(spec_for(version)), {})


STORED = {f"iris-{number}": revision(number, f"v{number}.0.0") for number in (1, 2, 3)}


def context(
    spec: object = None, seen: dict[str, object] | None = None, now: float = 0, **status: object
) -> RolloutContext:
    """A look at a world with three stored revisions, the first of which is stable, and the second the candidate."""
    observed = Observed(generation=1, colors={}, revisions=STORED)
    return RolloutContext(
        NAME,
        spec_for("v2.0.0", **(spec or {})),
        ModelDeploymentStatus().model_copy(update={"stable": STABLE, "candidate": CANDIDATE, **status}),
        replace(observed, **(seen or {})),
        SETTINGS,
        START + timedelta(seconds=now),
    )


def blocked(number: int) -> BlockedRevision:
    return BlockedRevision(revision=f"iris-{number}", version="v", reason="r", message="m", at=START)


def entry(number: int, result: str) -> HistoryEntry:
    return HistoryEntry(
        revision=f"iris-{number}", version="v", result=result, message="m", started_at=START, ended_at=START
    )


def step(index: int) -> StepStatus:
    return StepStatus(index=index, count=2, weight=10, intended_at=START)


# ------------------------------------------------------------------ revisions


def test_a_role_runs_what_the_spec_asks_for_if_its_input_is_the_same_or_is_still_to_be_stored():
    assert context().runs_wanted(CANDIDATE)
    assert not context().runs_wanted(STABLE)
    assert context(seen={"revisions": {}}).runs_wanted(STABLE)
    assert not context().runs_wanted(None)


@pytest.mark.parametrize(
    ("failed", "expired", "expected"),
    [
        ([], [], None),
        ([1, 3], [9], None),
        ([2], [], "failed"),
        ([1, 2], [], "failed"),
        ([], [1, 2], "expired"),
        ([2], [2], "failed"),
    ],
)
def test_the_pin_is_the_one_of_what_the_spec_asks_for(failed, expired, expected):
    pins = {
        "failed": [blocked(number).model_copy(update={"reason": "failed"}) for number in failed],
        "expired": [blocked(number).model_copy(update={"reason": "expired"}) for number in expired],
    }
    found = context(**pins).blocked
    assert (found.reason if found is not None else None) == expected
    assert found is None or found.revision == "iris-2"


@pytest.mark.parametrize(
    ("history", "failed", "expected"),
    [
        ([], [], None),
        ([entry(1, "Promoted")], [], None),  # stable itself
        ([entry(1, "Promoted"), entry(3, "Promoted"), entry(2, "Promoted")], [], "iris-3"),
        ([entry(3, "Restored"), entry(2, "Promoted")], [], "iris-3"),
        *[([entry(3, bad), entry(2, "Promoted")], [], "iris-2") for bad in ("RolledBack", "Expired", "Replaced")],
        ([entry(3, "Promoted"), entry(2, "Promoted")], [3], "iris-2"),
        ([entry(9, "Promoted"), entry(2, "Promoted")], [], "iris-2"),  # 9 is stored no more
        ([entry(9, "Promoted")], [], None),
    ],
)
def test_a_rollback_goes_to_what_served_last_is_stored_and_did_not_fail(history, failed, expected):
    found = context(candidate=None, history=history, failed=[blocked(number) for number in failed]).previous
    assert (found.name if found is not None else None) == expected


def test_without_stable_there_is_nothing_before_it():
    assert context(stable=None, history=[entry(3, "Promoted")]).previous is None


def test_why_there_can_be_no_route_begins_with_the_gateway():
    assert context().barred is None
    assert context(seen={"taken": "another's"}).barred == "another's"
    assert context(seen={"taken": "another's", "gateway_problem": "no Gateway"}).barred == "no Gateway"


@pytest.mark.parametrize(("generation", "follows"), [(6, False), (7, False), (8, True)])
def test_what_comes_back_by_command_stays_until_the_spec_is_edited(generation, follows):
    returning = Return(instead_of="iris-2", generation=7)
    assert context(seen={"generation": generation}, returning=returning).follows_spec is follows
    assert context(seen={"generation": generation}).follows_spec


def test_a_candidate_lives_until_it_is_taken_back():
    ending = Ending(phase=Phase.EXPIRED, reason="r", message="m")
    assert context().candidate_is_live
    assert not context(ending=ending).candidate_is_live
    assert not context(candidate=None).candidate_is_live


# ------------------------------------------------------------------ pods


@pytest.mark.parametrize(
    ("pod", "counts"),
    [
        (Pod("uid", "iris-2", True, False), 1),
        (Pod("uid", "iris-2", False, False), 0),
        (Pod("uid", "iris-2", True, True), 0),
        (Pod("uid", "iris-1", True, False), 0),
        (Pod("not published", "iris-2", True, False), 0),
    ],
)
def test_pods_that_serve_are_ready_published_stay_and_are_the_roles_own(pod, counts):
    color = ColorView("iris-2", 2, (Pod("other", "iris-2", True, False), pod), frozenset({"uid", "other"}))
    assert context(seen={"colors": {GREEN: color}}).serving(CANDIDATE) == 1 + counts
    assert context(seen={"colors": {GREEN: color}}).serving(STABLE) == 0
    assert context(seen={"colors": {GREEN: color}}).serving(None) == 0


@pytest.mark.parametrize(
    ("serving", "floor", "full"),
    [
        ({"replicas": 4}, None, 4),
        ({"replicas": 4}, 9, 9),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 10}}, None, 2),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 10}}, 1, 2),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 10}}, 7, 7),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 10}}, 12, 10),
        ({"autoscaling": {"minReplicas": 1, "maxReplicas": 10}}, None, 1),
    ],
)
def test_all_traffic_wants_the_specs_replicas_or_those_that_autoscaling_had(serving, floor, full):
    assert context({"serving": {**serving, "triton": CPU, "api": CPU}}, floor=floor).full == full


@pytest.mark.parametrize(
    ("replicas", "weight", "pods"),
    [
        (10, 0, 2),
        (10, 1, 2),
        (10, 20, 2),
        (10, 21, 3),
        (10, 95, 10),
        (9, 56, 6),
        (10, 100, 10),
        (2, 10, 2),
        (1, 10, 1),
    ],
)
def test_a_weight_wants_its_share_of_pods_and_two_where_stable_has_two(replicas, weight, pods):
    assert context({"serving": {"replicas": replicas}}).required_replicas(weight) == pods


# ------------------------------------------------------------------ the route


@pytest.mark.parametrize(
    ("rules", "split", "reachable"),
    [
        (None, 0, False),
        ((), 0, False),
        (({BLUE: 90, GREEN: 10},), 10, True),
        (({BLUE: 100, GREEN: 0},), 0, False),
        (({BLUE: 100},), 0, False),
        (({GREEN: 1}, {BLUE: 100, GREEN: 0}), 0, True),  # a pin leads there
        (({GREEN: 0}, {BLUE: 100}), 0, False),
    ],
)
def test_a_role_has_the_split_of_the_last_rule_and_is_reachable_by_any(rules, split, reachable):
    seen = context(seen={"route": None if rules is None else RouteFacts(rules)})
    assert seen.route_weight(CANDIDATE) == split
    assert seen.is_reachable(CANDIDATE) is reachable
    assert seen.route_weight(None) == 0
    assert seen.is_reachable(None) is False


@pytest.mark.parametrize(
    ("rules", "gives"),
    [
        (({BLUE: 90, GREEN: 10},), True),
        (({BLUE: 0, GREEN: 100}, {BLUE: 90, GREEN: 10}), True),
        (({BLUE: 0, GREEN: 100}, {BLUE: 0, GREEN: 100}, {BLUE: 90, GREEN: 10}), True),
        (({BLUE: 0, GREEN: 100}, {BLUE: 100, GREEN: 0}, {BLUE: 90, GREEN: 10}), False),
        (({BLUE: 0, GREEN: 100}, {BLUE: 80, GREEN: 20}), False),
        (({BLUE: 100, GREEN: 0}, {BLUE: 90, GREEN: 10}), False),
        (({BLUE: 90},), False),
        ((), False),
    ],
)
def test_a_route_gives_what_is_meant_if_the_split_and_every_pin_do(rules, gives):
    assert RouteFacts(rules).gives({BLUE: 90, GREEN: 10}, {BLUE: 0, GREEN: 100}) is gives


# ------------------------------------------------------------------ metrics


@pytest.mark.parametrize(
    ("fresh", "now", "sees"), [(None, 0, False), (0, 0, True), (0, 6, True), (0, 6.001, False), (10, 12, True)]
)
def test_metrics_are_fresh_for_three_scrapes(fresh, now, sees):
    at = None if fresh is None else START + timedelta(seconds=fresh)
    assert context(seen={"evidence": Evidence(fresh_at=at)}, now=now).sees is sees


SERVING = {
    color: ColorView(f"iris-{number}", 1, (Pod(color, f"iris-{number}", True, False),), frozenset({color}))
    for number, color in ((1, BLUE), (2, GREEN))
}
"""One pod of each role, which serves."""


@pytest.mark.parametrize(
    ("seen_at", "fresh", "unseen", "age"),
    [
        ({}, None, "", None),
        ({"iris-1": 0, "iris-2": 0}, 0, "", 60),  # of both, but long ago
        ({"iris-1": 60, "iris-2": 60}, 60, "", 0),
        ({"iris-1": 58, "iris-2": 60}, 60, "", 2),
        ({"iris-1": 60}, 60, " of v2.0.0's pods", None),
        ({"iris-1": 60, "iris-2": 50}, 60, " of v2.0.0's pods", 10),
        ({"iris-2": 60}, 60, " of v1.0.0's pods", None),
        ({"iris-1": 50, "iris-2": 60}, 60, " of v1.0.0's pods", 10),
    ],
)
def test_metrics_are_as_old_as_what_they_tell_of_either_role(seen_at, fresh, unseen, age):
    at = {revision: START + timedelta(seconds=second) for revision, second in seen_at.items()}
    evidence = Evidence(fresh_at=None if fresh is None else START + timedelta(seconds=fresh), seen_at=at)
    seen = context(seen={"colors": SERVING, "evidence": evidence}, now=60)
    assert seen.unseen == unseen
    assert seen.fresh_at == (None if age is None else seen.now - timedelta(seconds=age))


def test_without_a_candidate_stables_pods_alone_are_missed_and_without_any_role_nobodys():
    evidence = Evidence(fresh_at=START, seen_at={})
    alone = context(seen={"colors": SERVING, "evidence": evidence}, candidate=None)
    assert (alone.unseen, alone.fresh_at) == (" of v1.0.0's pods", None)
    nobody = context(seen={"colors": SERVING, "evidence": evidence}, candidate=None, stable=None)
    assert (nobody.unseen, nobody.fresh_at) == ("", None)


def test_requests_and_reporting_pods_are_those_of_a_roles_revision():
    seen = context(seen={"evidence": Evidence(requests={"iris-2": 7}, reporting={"iris-2": 2})})
    assert [seen.requests(role) for role in (CANDIDATE, STABLE, None)] == [7, 0, 0]
    assert [seen.is_monitored(CANDIDATE, pods) for pods in (1, 2, 3)] == [True, True, False]
    assert [seen.is_monitored(STABLE, pods) for pods in (0, 1)] == [True, False]


# ------------------------------------------------------------------ steps

STEPS = [{"weight": 10, "hold": "10s", "minRequests": 3}, {"weight": 50, "hold": "20s", "minRequests": 5}]
ROLLOUT = {"steps": STEPS, "bake": {"duration": "30s", "holdback": 5}, "deadline": "10m"}


@pytest.mark.parametrize(
    ("index", "weight", "hold", "requests"), [(1, 10, 10, 3), (2, 50, 20, 5), (3, 95, 30, 0), (4, 95, 30, 0)]
)
def test_the_step_after_the_last_is_the_bake(index, weight, hold, requests):
    seen = context({"rollout": ROLLOUT})
    assert seen.step_weight(index) == weight
    assert seen.step_hold(index) == timedelta(seconds=hold)
    assert seen.step_min_requests(index) == requests


def test_blue_green_has_no_steps_and_without_a_gateway_nothing_is_held_back():
    flip = {"rollout": {**ROLLOUT, "type": "BlueGreen"}}
    assert context(flip).steps == []
    assert context(flip).step_weight(1) == 95
    assert context({**flip, "traffic": {}}).step_weight(1) == 100


@pytest.mark.parametrize(
    ("phase", "status", "live"),
    [
        (Phase.PROGRESSING, {"step": step(3)}, Phase.PROGRESSING),
        (Phase.HELD, {"step": step(1)}, Phase.PROGRESSING),
        (Phase.HELD, {"step": step(2)}, Phase.PROGRESSING),
        (Phase.HELD, {"step": step(3)}, Phase.BAKING),
        (Phase.HELD, {"step": None}, Phase.STARTING),
        (Phase.HELD, {"step": None, "candidate": None}, Phase.BAKING),
    ],
)
def test_behind_a_hold_there_is_the_phase_that_it_stopped(phase, status, live):
    assert context({"rollout": ROLLOUT}, phase=phase, **status).live_phase is live


@pytest.mark.parametrize(
    ("status", "now", "seconds"),
    [
        ({"started_at": None}, 50, 0),
        ({"started_at": START}, 50, 50),
        ({"started_at": START, "waited": "10s"}, 50, 40),
        ({"started_at": START, "waited": "10s", "hold": "Paused"}, 50, 20),
        ({"started_at": START, "hold": "AwaitingApproval"}, 50, 30),
        ({"started_at": START, "hold": "NoTraffic"}, 50, 50),
    ],
)
def test_the_deadlines_clock_leaves_out_the_time_for_which_a_person_is_waited_for(status, now, seconds):
    if "hold" in status:
        since = START + timedelta(seconds=30)
        status = {**status, "hold": Hold(reason=status["hold"], message="m", since=since)}
    assert context(now=now, **status).running_for == timedelta(seconds=seconds)


# ------------------------------------------------------------------ a world of which nothing is known


def test_a_model_of_which_nothing_is_there_gets_everything_that_a_first_revision_needs():
    # given nothing but the resource
    nothing = Observed(generation=1, colors={}, revisions={})

    # when it is looked at for the first time
    decision = decide(NAME, spec_for(), ModelDeploymentStatus(), nothing, SETTINGS, START)

    # then its first revision begins, and all that it needs is made
    assert decision.warning is None
    assert not decision.route_first
    assert (decision.status.phase, decision.status.last_revision) == (Phase.STARTING, 1)
    assert {c.type: c.reason for c in decision.status.conditions}["Stalled"] == "Starting"
    assert decision.actions == (
        StoreRevision("iris-1", 1),
        *(make(color) for color in (BLUE, GREEN) for make in (ApplyColorService, ApplyBudget)),
        ApplyColor(BLUE, "iris-1", 3),
    )
