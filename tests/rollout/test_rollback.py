"""Why a candidate is rolled back, in which order the reasons are asked, and what is remembered of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.rollout.scenes import at_stable, at_step, pass_by, rolling, run_until
from tests.rollout.world import World, judgement, spec_for

from viridian.api.names import Color
from viridian.api.status import BlockedRevision, Drain, Ending, Phase, Return
from viridian.guards.judge import Verdict
from viridian.rollout.observed import Pod, RouteFacts
from viridian.rollout.rollback import HISTORY, add_blocked

BLUE, GREEN = Color.BLUE, Color.GREEN
SENTENCE = "40 of 100 requests on the candidate failed."


def ending(world: World) -> Ending | None:
    return world.decide().status.ending


def breach(world: World) -> None:
    world.verdicts["iris-2"] = Verdict.BREACH


def mark(world: World) -> None:
    assert world.route is not None
    world.route = replace(world.route, aborted="iris-2")


def crash(world: World, *deaths: int) -> None:
    pods = [Pod(f"uid-x{n}", "iris-2", False, False, count, f"exit code {n}") for n, count in enumerate(deaths or (2,))]
    world.pods[GREEN] = [*world.pods[GREEN], *pods]


def abort(world: World) -> None:
    world.command = "abort/iris-2/a"


def ask_for_stable(world: World) -> None:
    world.edit(spec_for("v1.0.0", guards=world.spec.guards.model_dump(by_alias=True)))


def ask_for_another(world: World) -> None:
    world.edit(spec_for("v3.0.0", guards=world.spec.guards.model_dump(by_alias=True)))


def lose_metrics(world: World) -> None:
    world.metrics = False
    world.now += timedelta(seconds=61)


def lose_traffic(world: World) -> None:
    assert world.status.step is not None
    step = world.status.step.model_copy(update={"verified_at": None, "intended_at": world.now})
    world.status = world.status.model_copy(update={"step": step})
    world.now += timedelta(seconds=61)
    world.fresh_at = world.now


def pass_the_deadline(world: World) -> None:
    world.now += timedelta(minutes=10)
    world.fresh_at = world.now


ROLLBACK = {
    "guards": {
        "metricsMissing": {"after": "1m", "then": "Rollback"},
        "noTraffic": {"after": "1m", "then": "Rollback"},
    }
}
CAUSES: list[tuple[Callable[[World], None], Phase, str, str]] = [
    (breach, Phase.ROLLED_BACK, "GuardBreached", SENTENCE),
    (mark, Phase.ROLLED_BACK, "GuardBreached", "the guards rolled it back"),
    (
        crash,
        Phase.ROLLED_BACK,
        "PodsCrash",
        "pods of iris-2 (v2.0.0) died with an error 2 times or more: exit code 0",
    ),
    (
        abort,
        Phase.ROLLED_BACK,
        "Aborted",
        "iris-2 (v2.0.0) was aborted by command",
    ),
    (ask_for_stable, Phase.STABLE, "Reverted", "the spec asks for v1.0.0, the stable version, again"),
    (ask_for_another, Phase.STABLE, "Replaced", "replaced by v3.0.0, the version now in the spec"),
    (
        lose_metrics,
        Phase.EXPIRED,
        "MetricsMissing",
        "no metrics for 1m (guards.metricsMissing), so the candidate could not be judged",
    ),
    (
        lose_traffic,
        Phase.EXPIRED,
        "NoTraffic",
        "no requests for 1m (guards.noTraffic), so the candidate could not be judged",
    ),
    (pass_the_deadline, Phase.EXPIRED, "DeadlineExceeded", "not promoted within 10m (rollout.deadline)"),
]


@pytest.mark.parametrize(("cause", "phase", "reason", "message"), CAUSES, ids=[c[0].__name__ for c in CAUSES])
def test_each_reason_has_its_phase_and_its_sentence(cause, phase, reason, message):
    # given a step that is verified, where nothing is wrong
    world = at_step(**ROLLBACK)
    assert ending(world) is None

    # when something is
    cause(world)

    # then the candidate is rolled back for it, and its color drains
    decision = world.decide()
    assert decision.route_first
    assert decision.status.phase is Phase.ROLLING_BACK
    assert decision.status.ending == Ending(phase=phase, reason=reason, message=message, reverted_at=world.now)
    assert decision.status.verdict == message
    assert (decision.status.step, decision.status.hold) == (None, None)
    drain = decision.status.drain
    assert drain is not None
    assert (drain.color, drain.revision, drain.since) == (GREEN, "iris-2", world.now)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (breach, crash),
        (crash, abort),
        (abort, ask_for_stable),
        (ask_for_stable, lose_metrics),
        (ask_for_another, lose_metrics),
        (lose_metrics, pass_the_deadline),
        (lose_traffic, pass_the_deadline),
    ],
)
def test_the_first_of_two_reasons_is_the_one_that_is_given(first, second):
    world = at_step(**ROLLBACK)
    second(world)
    first(world)
    expected = next(message for cause, _, _, message in CAUSES if cause is first)
    assert ending(world).message == expected


def test_the_pin_of_a_failed_revision_says_what_status_says():
    world = at_step()
    breach(world)
    assert world.decide().status.failed == [
        BlockedRevision(revision="iris-2", version="v2.0.0", reason="GuardBreached", message=SENTENCE, at=world.now)
    ]
    assert world.decide().status.expired == []


@pytest.mark.parametrize("cause", [lose_metrics, lose_traffic, pass_the_deadline])
def test_a_candidate_that_ran_out_of_time_is_pinned_without_blame(cause):
    world = at_step(**ROLLBACK)
    cause(world)
    status = world.decide().status
    assert [(blocked.revision, blocked.until_generation) for blocked in status.expired] == [("iris-2", None)]
    assert status.failed == []


@pytest.mark.parametrize("cause", [ask_for_stable, ask_for_another])
def test_a_candidate_that_is_not_wanted_any_more_is_not_pinned(cause):
    world = at_step()
    cause(world)
    status = world.decide().status
    assert (status.failed, status.expired) == ([], [])


def test_a_persons_abort_holds_whatever_else_of_the_spec_is_edited():
    world = at_step()
    world.generation = 7
    abort(world)
    assert [blocked.until_generation for blocked in world.decide().status.failed] == [None]


def test_the_times_of_evidence_and_of_the_routes_answer_are_kept_to_the_end():
    # given what the guards' loop has noted
    world = at_step()
    breach(world)
    evidence, reverted = world.now - timedelta(seconds=2), world.now - timedelta(seconds=1)
    world.says = {"breached_at": evidence, "reverted_at": reverted}
    found = ending(world)
    assert (found.evidence_at, found.reverted_at) == (evidence, reverted)
    # then history has them
    run_until(world, Phase.ROLLED_BACK)
    assert (world.status.history[0].evidence_at, world.status.history[0].reverted_at) == (evidence, reverted)


def test_a_held_candidate_that_is_taken_back_is_held_no_more():
    world = at_step()
    world.command = "pause/iris-2/a"
    world.reconcile()
    world.reconcile()
    assert world.status.hold is not None
    breach(world)
    assert world.decide().status.hold is None


# ------------------------------------------------------------------ each reason's conditions


@pytest.mark.parametrize(
    ("says", "verdict", "message"),
    [
        ({"judgements": (replace(judgement(Verdict.BREACH), sentence="one"), judgement(Verdict.BREACH))}, "", "one"),
        ({"judgements": (judgement(Verdict.HEALTHY), judgement(Verdict.BREACH))}, "", SENTENCE),
        ({}, "what was said last", "what was said last"),
        ({}, "", "the guards rolled it back"),
    ],
)
def test_the_mark_in_the_route_is_explained_by_whoever_knows_most(says, verdict, message):
    world = at_step()
    mark(world)
    world.says = says
    world.status = world.status.model_copy(update={"verdict": verdict})
    assert ending(world).message == message


def test_the_mark_of_another_revision_says_nothing():
    world = at_step()
    world.route = replace(world.route, aborted="iris-1")
    assert ending(world) is None
    world.route = None
    assert ending(world) is None


@pytest.mark.parametrize(("deaths", "last"), [((1,), None), ((0, 1), None), ((1, 1), 0), ((0, 1, 1), 1), ((0, 2), 1)])
def test_two_deaths_are_enough_in_whichever_pods(deaths, last):
    world = at_step()
    crash(world, *deaths)
    found = ending(world)
    assert (found.message.rpartition(": ")[2] if found is not None else None) == (
        None if last is None else f"exit code {last}"
    )


def test_deaths_of_other_revisions_and_of_pods_that_are_deleted_do_not_count():
    world = at_step()
    crash(world, 1)
    world.pods[GREEN].append(Pod("old", "iris-0", False, False, 5, "exit code 9"))
    world.pods[GREEN].append(Pod("gone", "iris-2", False, True, 5, "evicted"))
    assert ending(world) is None


LATELY, LONG_AGO = timedelta(minutes=-1), timedelta(minutes=-11)


@pytest.mark.parametrize(
    ("died", "of_stable", "blamed"),
    [
        pytest.param(None, {"died_at": LATELY}, False, id="stable dies too"),
        pytest.param(timedelta(0), {"died_at": LATELY}, False, id="stable died just before"),
        pytest.param(LATELY, {"died_at": timedelta(0)}, False, id="stable died just after"),
        pytest.param(timedelta(0), {"died_at": LONG_AGO}, True, id="stable died long before"),
        pytest.param(timedelta(minutes=-25), {"died_at": timedelta(minutes=-31)}, True, id="before the rollout"),
        pytest.param(timedelta(0), {"died_at": None}, True, id="nobody knows when"),
        pytest.param(timedelta(0), {"died_at": LATELY, "deaths": 0}, True, id="stable did not die"),
        pytest.param(timedelta(0), {"died_at": LATELY, "deleting": True}, True, id="stable's pod was deleted"),
        pytest.param(timedelta(0), {"died_at": LATELY, "revision": "iris-0"}, True, id="a pod of another revision"),
    ],
)
def test_what_kills_stable_and_the_candidate_together_is_not_the_candidates_fault(died, of_stable, blamed):
    # given a rollout that has run for half an hour, in which the candidate died twice
    world = at_step(rollout={"deadline": "24h"})
    world.status = world.status.model_copy(update={"started_at": world.now - timedelta(minutes=30)})
    crash(world, 2)
    world.pods[GREEN][-1] = replace(world.pods[GREEN][-1], died_at=None if died is None else world.now + died)
    # when a pod of stable died as well
    if of_stable["died_at"] is not None:
        of_stable = {**of_stable, "died_at": world.now + of_stable["died_at"]}
    world.pods[BLUE][0] = replace(world.pods[BLUE][0], **{"deaths": 1, **of_stable})
    # then the candidate is blamed only for what it does alone, and status says why it is not
    assert (ending(world) is not None) is blamed
    stalled = next(condition for condition in world.decide().status.conditions if condition.type == "Stalled")
    assert (stalled.reason == "SharedIncident" and "v2.0.0 is not blamed" in stalled.message) is not blamed


def test_what_died_together_and_is_ready_again_is_nothing_to_tell():
    world = at_step()
    for color in (BLUE, GREEN):
        world.pods[color][0] = replace(world.pods[color][0], deaths=2, death="exit code 1", died_at=world.now)
    assert ending(world) is None
    assert next(each for each in world.decide().status.conditions if each.type == "Stalled").status == "False"


@pytest.mark.parametrize(
    ("started", "now", "passed"), [(0, 599, False), (0, 600, True), (30, 629, False), (30, 630, True)]
)
def test_the_deadline_passes_when_its_clock_has_run_out(started, now, passed):
    world = at_step()
    begin = world.now
    world.status = world.status.model_copy(update={"started_at": begin + timedelta(seconds=started)})
    world.now = world.fresh_at = begin + timedelta(seconds=now)
    assert (ending(world) is not None) is passed


def test_at_the_deadline_the_reason_is_named_that_is_known():
    past = "not promoted within 10m (rollout.deadline): "
    # given requests that a step wants, and not the verdict of a guard that has nothing against the candidate
    world = at_step(
        rollout=spec_for().rollout.manifest() | {"steps": [{"weight": 10, "hold": "1s", "minRequests": 100000}]}
    )
    world.status = world.status.model_copy(update={"verdict": "0 of 7 failed"})
    pass_the_deadline(world)
    assert ending(world).message == past + "still waiting for 99,980 more requests (minRequests)"
    # or pods that cannot start
    world.pods[GREEN][0] = replace(world.pods[GREEN][0], trouble="image not found")
    assert ending(world).message == past + "v2.0.0 (green): image not found"
    # or too few pods that the metrics tell of
    world = at_step()
    world.reporting.clear()
    pass_the_deadline(world)
    assert ending(world).message == past + "Prometheus has the counters of 0 of the 2 pods that v2.0.0 needs"
    # but not of an operator that has just begun to look
    world.fresh_at = None
    assert ending(world).message == past.removesuffix(": ")
    # or pods that never got ready, as before the first step
    world = rolling(Phase.STARTING)
    pass_the_deadline(world)
    assert ending(world).message == past + "still waiting for 2 ready pods of v2.0.0 (0 so far)"
    # or a hold
    world = at_step(guards={"metricsMissing": {"after": "1m", "then": "Hold"}})
    world.metrics = False
    world.now += timedelta(seconds=70)
    world.reconcile()
    world.now += timedelta(minutes=10)
    assert ending(world).message == (past + "no metrics for 1m: check that Prometheus scrapes the serving pods")


def test_one_that_takes_over_has_made_it_in_time():
    world = rolling(Phase.FINISHING)
    pass_the_deadline(world)
    assert ending(world) is None


def test_a_first_revision_that_does_not_get_ready_has_no_deadline():
    world = World()
    world.reconcile()
    pass_the_deadline(world)
    assert ending(world) is None
    assert world.decide().status.phase is Phase.STARTING


@pytest.mark.parametrize(("seconds", "missing"), [(60, False), (60.001, True)])
@pytest.mark.parametrize("policy", ["Rollback", "Hold"])
@pytest.mark.parametrize("kind", ["metricsMissing", "noTraffic"])
def test_a_policy_decides_when_its_time_is_over_and_not_before(kind, policy, seconds, missing):
    # given a step that was intended just now and sees nothing
    world = at_step(guards={kind: {"after": "1m", "then": policy}})
    began = world.now
    assert world.status.step is not None
    step = world.status.step.model_copy(update={"verified_at": None, "intended_at": began})
    world.status = world.status.model_copy(update={"step": step})

    # when so much time has passed
    world.now = began + timedelta(seconds=seconds)
    world.fresh_at = world.now if kind == "noTraffic" else began
    status = world.decide().status

    # then the policy is asked, or not yet
    assert (status.ending is not None) is (missing and policy == "Rollback")
    assert (status.hold is not None) is (missing and policy == "Hold")


@pytest.mark.parametrize(
    ("intended", "fresh", "long"),
    [(0, None, True), (0, 1, False), (1, 0, False), (1, None, False), (0, 0, True), (0, 3600, False)],
)
def test_blindness_is_counted_from_the_step_or_from_the_last_thing_that_was_seen(intended, fresh, long):
    # given a step and a scrape, a second more or less ago than the policy's time
    world = at_step(**ROLLBACK)
    now = world.now
    assert world.status.step is not None
    step = world.status.step.model_copy(update={"intended_at": now + timedelta(seconds=intended)})
    world.status = world.status.model_copy(update={"step": step})
    world.fresh_at = None if fresh is None else now + timedelta(seconds=fresh)
    world.now = now + timedelta(seconds=60.5)

    # then it was too long ago, or not
    assert (ending(world) is not None) is long


@pytest.mark.parametrize(("seconds", "ends"), [(59, False), (61, True)])
@pytest.mark.parametrize("kind", ["metricsMissing", "noTraffic"])
def test_what_an_operator_did_not_see_because_it_was_not_there_is_not_missing(kind, seconds, ends):
    # given a step of long ago, and an operator that begins to look just now
    world = at_step(guards={kind: {"after": "1m", "then": "Rollback"}})
    step = world.status.step.model_copy(update={"verified_at": None, "intended_at": world.now - timedelta(hours=1)})
    world.status = world.status.model_copy(update={"step": step})
    world.fresh_at, world.moved = None, {}
    world.says = {"monitored_since": world.now}
    # when it has seen nothing for so long, then the policy's time is over, or not yet
    world.now += timedelta(seconds=seconds)
    assert (ending(world) is not None) is ends


def test_before_the_first_step_nothing_is_missing():
    world = rolling(Phase.STARTING, **ROLLBACK)
    world.metrics = False
    world.now += timedelta(minutes=5)
    assert ending(world) is None


@pytest.mark.parametrize(
    ("moved", "long"),
    [
        ({}, True),
        ({"iris-2": -1}, True),
        ({"iris-2": 1}, False),
        ({"iris-1": 1}, False),
        ({"iris-1": 1, "iris-2": -1}, False),
        ({"iris-9": 1}, True),
    ],
)
def test_a_request_on_either_color_is_traffic(moved, long):
    world = at_step(**ROLLBACK)
    began = world.now
    world.moved = {revision: began + timedelta(seconds=when) for revision, when in moved.items()}
    lose_traffic(world)
    assert (ending(world) is not None) is long


def test_traffic_is_missed_only_while_a_step_waits_to_be_verified_and_is_in_the_route():
    world = at_step(**ROLLBACK)
    lose_traffic(world)
    assert ending(world).reason == "NoTraffic"
    # verified
    step = world.status.step
    verified = step.model_copy(update={"verified_at": step.intended_at})
    world.status = world.status.model_copy(update={"step": verified})
    assert ending(world) is None
    # or not in the route yet
    world.status = world.status.model_copy(update={"step": step})
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert ending(world) is None


def test_trouble_with_the_metrics_is_named_when_they_are_missing():
    world = at_step(**ROLLBACK)
    lose_metrics(world)
    world.says = {"trouble": "Prometheus does not answer"}
    assert ending(world).message == (
        "no metrics for 1m (guards.metricsMissing), so the candidate could not be judged: Prometheus does not answer"
    )


# ------------------------------------------------------------------ specs that change


@pytest.mark.parametrize("phase", [Phase.BAKING, Phase.FINISHING])
def test_another_version_waits_until_the_bake_and_the_promotion_are_over(phase):
    world = rolling(phase)
    ask_for_another(world)
    assert ending(world) is None


def test_a_held_bake_makes_the_next_version_wait_too():
    world = rolling(Phase.BAKING)
    world.command = "pause/iris-2/a"
    pass_by(world, 2)
    assert world.status.phase is Phase.HELD
    ask_for_another(world)
    assert ending(world) is None


def test_a_candidate_that_was_named_and_not_stored_yet_becomes_what_the_spec_asks_for_by_now():
    # given a revision that has got a name, and no more
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    world.reconcile(writes=1)
    assert world.status.candidate is not None
    assert world.revisions.keys() == {"iris-1"}

    # when the spec changes
    world.edit(spec_for("v3.0.0"))

    # then it is stored with that, and nothing is rolled back
    assert ending(world) is None
    world.settle()
    assert (world.status.stable.revision, world.status.stable.version) == ("iris-2", "v3.0.0")


def test_a_candidate_that_was_named_only_is_not_stored_with_what_has_failed_before():
    # given a failed version, and the next one that has got a name, and no more
    world = at_step()
    breach(world)
    run_until(world, Phase.ROLLED_BACK)
    world.edit(spec_for("v3.0.0"))
    world.reconcile(writes=1)
    assert world.status.candidate.revision == "iris-3"

    # when the failed one is asked for again
    world.edit(spec_for("v2.0.0"))

    # then the name is given up
    assert ending(world).reason == "Replaced"
    run_until(world, Phase.ROLLED_BACK)
    assert world.revisions.keys() == {"iris-1", "iris-2"}


def test_a_stable_that_is_stored_no_more_is_not_what_the_spec_asks_for():
    world = at_step()
    ask_for_stable(world)
    world.lost = {"iris-1"}
    world.deployments.pop(BLUE)
    assert ending(world).reason == "Replaced"


# ------------------------------------------------------------------ where nobody can go back


def test_a_first_revision_that_serves_is_not_taken_back_and_one_that_does_not_yet_is():
    world = World()
    world.kubelet()
    world.reconcile()
    world.command = "abort/iris-1/a"
    assert ending(world) is not None
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert ending(world) is None


@pytest.mark.parametrize("cause", [breach, crash, abort, ask_for_stable, ask_for_another, pass_the_deadline])
def test_while_stable_has_no_ready_pod_the_candidate_stays_unless_the_route_was_marked_already(cause):
    world = at_step()
    world.pods[BLUE] = []
    cause(world)
    assert ending(world) is None
    mark(world)
    assert ending(world).reason == "GuardBreached"


def test_a_candidate_that_does_not_serve_either_is_taken_back_all_the_same():
    world = at_step()
    world.pods[BLUE], world.pods[GREEN] = [], []
    breach(world)
    assert ending(world) is not None


def test_a_candidate_without_users_is_taken_back_even_if_stable_is_gone():
    world = rolling(Phase.PROGRESSING)
    world.kubelet()
    world.pods[BLUE] = []
    breach(world)
    world.route = RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert ending(world) is not None


@pytest.mark.parametrize(
    ("cause", "counts"),
    [(breach, False), (crash, True), (abort, True), (pass_the_deadline, True), (lose_metrics, False)],
)
def test_what_a_person_brings_back_was_judged_before(cause, counts):
    # given an earlier revision that comes back by command
    world = rolling(Phase.STARTING, **ROLLBACK)
    world.kubelet(healthy=frozenset({"iris-1"}))
    world.status = world.status.model_copy(
        update={"returning": Return(instead_of="iris-1", generation=world.generation)}
    )

    # when something is wrong with it
    cause(world)

    # then it is the person's choice as long as it runs at all
    assert (ending(world) is not None) is counts


# ------------------------------------------------------------------ the end


def test_taken_back_is_over_when_the_color_has_neither_weight_nor_pods():
    # given a candidate that is being rolled back
    world = at_step()
    breach(world)
    world.reconcile()
    over = replace(world.route, rules=({BLUE: 100, GREEN: 0},))

    # then it is not over
    for route, deployed, pods in [
        (replace(world.route, rules=({BLUE: 99, GREEN: 1},)), 0, []),
        (over, 1, []),
        (over, 0, world.pods[GREEN]),
    ]:
        world.route, world.deployments[GREEN], world.pods[GREEN] = route, ("iris-2", deployed), pods
        assert world.decide().status.phase is Phase.ROLLING_BACK

    # before all three are so
    world.route, world.deployments[GREEN], world.pods[GREEN] = over, ("iris-2", 0), []
    assert world.decide().status.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize(
    ("cause", "phase", "result"),
    [
        (breach, Phase.ROLLED_BACK, "RolledBack"),
        (abort, Phase.ROLLED_BACK, "RolledBack"),
        (lose_metrics, Phase.EXPIRED, "Expired"),
        (ask_for_stable, Phase.STABLE, "Reverted"),
    ],
)
def test_history_tells_how_it_ended_and_status_is_at_rest(cause, phase, result):
    # given
    world = at_step(**ROLLBACK)
    world.edit(world.spec.model_copy(update={"model": world.spec.model.model_copy(update={"changes": "retrained"})}))
    started = world.status.started_at
    cause(world)
    # when
    run_until(world, phase)
    # then
    status, last = world.status, world.status.history[0]
    message = next(sentence for name, _, _, sentence in CAUSES if name is cause)
    assert (last.revision, last.version, last.result, last.message) == ("iris-2", "v2.0.0", result, message)
    assert (last.started_at, last.changes) == (started, "" if cause is ask_for_stable else "retrained")
    assert last.ended_at > started
    assert (status.candidate, status.ending, status.drain, status.step, status.hold) == (None,) * 5
    assert (status.started_at, status.waited, status.floor, status.approved, status.returning) == (None,) * 5
    assert (status.paused, status.guards, status.guard_state) == ("", [], "")


def test_the_words_about_the_next_version_are_not_told_of_the_one_that_made_room_for_it():
    world = at_step()
    world.edit(spec_for("v3.0.0", model={"version": "v3.0.0", "uri": "image:///m", "changes": "new data"}))
    world.reconcile()
    run_until(world, Phase.STABLE)
    assert [(entry.result, entry.changes) for entry in world.status.history[:1]] == [("Replaced", "")]


@pytest.mark.parametrize(("serves", "phase"), [(True, Phase.STABLE), (False, Phase.PENDING)])
@pytest.mark.parametrize("ends_as", [Phase.STABLE, Phase.ROLLED_BACK])
def test_what_is_over_without_blame_leaves_stable_or_the_wait_for_a_first_one(serves, phase, ends_as):
    # given a candidate without weight and pods
    world = rolling(Phase.STARTING)
    world.deployments.pop(GREEN)
    world.pods[GREEN] = []
    over = Ending(phase=ends_as, reason="r", message="m")
    stable = world.status.stable if serves else None
    world.status = world.status.model_copy(update={"phase": Phase.ROLLING_BACK, "ending": over, "stable": stable})
    # then
    assert world.decide().status.phase is (phase if ends_as is Phase.STABLE else ends_as)


def test_a_first_revision_that_is_not_wanted_any_more_leaves_the_model_waiting_for_the_next():
    world = World()
    world.reconcile()
    world.edit(spec_for("v2.0.0"))
    world.reconcile()
    run_until(world, Phase.PENDING)
    assert world.status.candidate is None
    world.settle()
    assert world.status.stable.version == "v2.0.0"


def test_an_ending_without_a_candidate_is_over():
    world = at_stable()
    over = Ending(phase=Phase.ROLLED_BACK, reason="r", message="m")
    drain = Drain(color=GREEN, revision="iris-2", since=world.now)
    world.status = world.status.model_copy(update={"phase": Phase.ROLLING_BACK, "ending": over, "drain": drain})
    status = world.decide().status
    assert (status.phase, status.ending, status.drain) == (Phase.STABLE, None, None)


def test_pins_are_kept_newest_first_once_each_and_twenty_of_them():
    def blocked(number: int, at: datetime) -> BlockedRevision:
        return BlockedRevision(revision=f"iris-{number}", version="v", reason="r", message="m", at=at)

    now = World().now
    pins: list[BlockedRevision] = []
    for number in range(1, 23):
        pins = add_blocked(pins, blocked(number, now))
    assert HISTORY == 20
    assert [entry.revision for entry in pins] == [f"iris-{number}" for number in range(22, 2, -1)]
    again = add_blocked(pins, blocked(5, now + timedelta(seconds=1)))
    assert [entry.revision for entry in again] == ["iris-5", *(e.revision for e in pins if e.revision != "iris-5")]


def test_history_is_kept_newest_first_and_twenty_entries_of_it():
    world = at_step()
    first = world.status.history[0]
    world.status = world.status.model_copy(update={"history": [first.model_copy()] * 20})
    breach(world)
    run_until(world, Phase.ROLLED_BACK)
    assert len(world.status.history) == 20
    assert [entry.revision for entry in world.status.history[:2]] == ["iris-2", "iris-1"]


def test_a_pod_that_a_rollback_left_behind_is_named_until_it_is_gone():
    # given a rollback that ended although one pod does not go
    world = at_step()
    breach(world)
    run_until(world, Phase.ROLLED_BACK)
    left = Pod("uid-stuck", "iris-2", False, True, stuck="pod iris-green-x on node n-1 should have been gone")
    # when it is looked at
    world.pods[GREEN] = [left]
    world.reconcile()
    # then it is named, with the reason of the rollback
    stalled = next(c for c in world.status.conditions if c.type == "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "PodStuckTerminating")
    assert stalled.message.endswith("But pod iris-green-x on node n-1 should have been gone")
    assert "v2.0.0 was rolled back" in stalled.message
    # and once it is gone, only the rollback is
    world.pods[GREEN] = []
    world.reconcile()
    assert next(c for c in world.status.conditions if c.type == "Stalled").reason == "GuardBreached"
