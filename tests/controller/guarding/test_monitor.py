"""What the metrics have shown of moving models."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.controller.counters import INTERVAL, START, Fleet
from tests.controller.fakes import spec, status
from tests.controller.guarding.monitoring import KEY, NOW, SPEC, STABLE, at, read, watched

from viridian.api.status import ModelDeploymentStatus
from viridian.controller.guarding.monitor import Comparison, GuardMonitor, read_state, write_state
from viridian.guards.answers.counters import SHADOW, AnswerSnapshot, PodAnswers
from viridian.guards.config import LatencyGuard
from viridian.guards.counts import Counts
from viridian.guards.judge import Verdict
from viridian.guards.queries import QueryGuard, ignored
from viridian.guards.series import PodCounters, RequestCounts
from viridian.guards.state import State, encode
from viridian.metrics.prometheus import PodSamples
from viridian.metrics.said import Failure, Fallback
from viridian.rollout.observed import Cover
from viridian_shared.counts.latency import GRID

CONTROL = {"color": "green", "revision": "iris-0", "version": "v0.9.0"}
WATCH = {"since": "2026-01-01T00:00:00Z", "control": CONTROL}


def test_a_multiple_of_stables_latency_is_frozen_when_the_candidate_gets_weight(monitor: GuardMonitor) -> None:
    # given a stable that answers within 100 ms, and a candidate without weight
    spec_ = spec(guards={"latency": [{"percentile": "95", "maxTimesStable": "1.5"}]})

    def ingest(step: int, within: float) -> None:
        number = 1000 * step
        buckets = {le: number * (le >= within) for le in GRID}
        counts = RequestCounts(number, 0, {**buckets, math.inf: number})
        stamp = START + INTERVAL * step
        pods = {"pod-of-iris-1": PodSamples((PodCounters(stamp, counts),), number, stamp + 0.5)}
        monitor.ingest(KEY, spec_, {"iris-1": pods}, at(stamp + 1))

    candidate = {"color": "green", "revision": "iris-2", "version": "v2.0.0"}
    watched(monitor, stable=STABLE, candidate={**candidate, "weight": 0})
    ingest(1, 0.1)
    ingest(2, 0.1)
    assert monitor.config(KEY, spec_).slower

    # when it gets some, then the bound is fixed, and stays though stable becomes slower
    for step, within in ((3, 0.1), (4, 2.0)):
        session = watched(monitor, stable=STABLE, candidate={**candidate, "weight": 10})
        ingest(step, within)
        assert monitor.config(KEY, spec_).latencies == (LatencyGuard(95, 0.15, of_stable=True),)
    assert read_state(write_state(session), session.comparison).of_stable == {95: 0.1}


@pytest.mark.parametrize(
    ("changes", "comparison"),
    [
        pytest.param({}, Comparison("iris-2", "iris-1"), id="a candidate against stable"),
        pytest.param({"stable": None}, Comparison("iris-2", None), id="a first revision that starts"),
        pytest.param({"candidate": None}, Comparison("iris-1", None), id="a first revision that bakes"),
        pytest.param({"candidate": None, "watch": WATCH}, Comparison("iris-1", "iris-0"), id="promoted and watched"),
        pytest.param({"candidate": None, "startedAt": None}, None, id="at rest"),
        pytest.param(
            {"candidate": None, "drain": {"color": "green", "revision": "iris-0", "since": "2026-01-01T00:00:00Z"}},
            None,
            id="promoted, the old color drains",
        ),
        pytest.param({"ending": {"phase": "RolledBack", "reason": "x", "message": "x"}}, None, id="rolled back"),
    ],
)
def test_whom_the_guards_look_at(monitor: GuardMonitor, changes: dict[str, Any], comparison: Comparison | None) -> None:
    assert Comparison.of(read(**changes)) == comparison
    session = monitor.sync_session(KEY, read(**changes), NOW)
    assert (session.comparison if session is not None else None) == comparison


def test_the_first_look_counts_nothing_and_knows_where_it_began(monitor: GuardMonitor) -> None:
    # given a stable pod that has failed often, long ago
    fleet = Fleet(errors={"iris-1": 400})
    watched(monitor)

    # when the first samples come
    assert monitor.ingest(KEY, SPEC, fleet.samples, NOW) == ()

    # then they are no evidence, but there are fresh counts, and a place to go on from after a restart
    evidence = monitor.evidence(KEY)
    assert {judgement.verdict for judgement in evidence.judgements} == {Verdict.NOT_ENOUGH_DATA}
    assert evidence.requests == {"iris-1": 1000, "iris-2": 0}
    assert evidence.fresh_at == at(START)
    assert evidence.missing != ()
    assert evidence.state.startswith("iris-2 ")
    assert monitor.needs_earlier(KEY) is None


def test_nothing_is_known_without_samples(monitor: GuardMonitor) -> None:
    watched(monitor)
    assert monitor.ingest(KEY, SPEC, {}, NOW) == ()
    evidence = monitor.evidence(KEY)
    assert (evidence.judgements, evidence.requests, evidence.fresh_at, evidence.moved) == ((), {}, None, {})


def test_a_good_candidate_gets_all_the_evidence_that_is_asked_for(monitor: GuardMonitor) -> None:
    fleet = Fleet()
    for _ in range(20):
        watched(monitor)
        assert monitor.ingest(KEY, SPEC, fleet.serve(), NOW) == ()
    evidence = monitor.evidence(KEY)
    assert {judgement.verdict for judgement in evidence.judgements} == {Verdict.HEALTHY}
    assert (evidence.missing, evidence.breached_at) == ((), None)
    assert evidence.requests["iris-2"] == 2000


def test_an_edited_guard_on_answers_knows_nothing_of_what_came_before_requests_were_read(monitor: GuardMonitor) -> None:
    # given a few answers in an open block
    fleet = Fleet()
    watched(monitor, stable=STABLE)
    guarded, edited = (spec(guards={"agreement": {"min": least}}) for least in ("98%", "97%"))
    monitor.ingest(KEY, guarded, fleet.serve(), NOW)

    compared = PodAnswers("iris-1", {}, START)
    monitor.ingest_answers(KEY, guarded, AnswerSnapshot(fleet.stamp, {"pod": compared}), NOW)
    compared = replace(compared, counts={(SHADOW, "iris-2", "disagreed"): 4})
    monitor.ingest_answers(KEY, guarded, AnswerSnapshot(fleet.stamp, {"pod": compared}), NOW)
    # when the guard is edited, and requests are read before answers are
    monitor.ingest(KEY, edited, fleet.serve(), NOW)
    compared = replace(compared, counts={(SHADOW, "iris-2", "disagreed"): 4, (SHADOW, "iris-2", "agreed"): 5})
    monitor.ingest_answers(KEY, edited, AnswerSnapshot(fleet.stamp, {"pod": compared}), NOW)
    # then it has seen what came since
    [judgement] = [each for each in monitor.evidence(KEY).judgements if each.guard == "agreement"]
    assert judgement.candidate == Counts(5, 0)


@pytest.mark.parametrize("answers_first", [True, False])
def test_an_edited_guard_knows_nothing_of_what_came_before_the_edit(monitor: GuardMonitor, answers_first: bool) -> None:
    # given a few failed requests in an open block
    fleet = Fleet()
    watched(monitor, stable=STABLE)
    monitor.ingest(KEY, SPEC, fleet.serve(), NOW)
    monitor.ingest(KEY, SPEC, fleet.serve(candidate=4, stable=4, errors=4), NOW)
    # when a guard is edited, and answers may be read before requests are
    edited = spec(guards={"errorRate": {"max": "3%"}})
    if answers_first:
        answers = AnswerSnapshot(fleet.stamp, {"pod-of-iris-2": PodAnswers("iris-2", {}, START)})
        monitor.ingest_answers(KEY, edited, answers, NOW)
    monitor.ingest(KEY, edited, fleet.serve(candidate=1, stable=1), NOW)
    # then it has seen what arrived since
    [judgement] = [each for each in monitor.evidence(KEY).judgements if each.kind == "absolute"]
    assert judgement.candidate == Counts(1 if answers_first else 0, 0)


def test_the_scrape_that_completed_the_evidence_is_remembered(monitor: GuardMonitor) -> None:
    # given a candidate that turns bad after a few good scrapes
    fleet = Fleet()
    for _ in range(4):
        watched(monitor)
        assert monitor.ingest(KEY, SPEC, fleet.serve(), NOW) == ()

    # when it fails all of its requests
    watched(monitor)
    breaches = monitor.ingest(KEY, SPEC, fleet.serve(errors=100), NOW)

    # then it is blamed, as of the scrape that showed it
    assert {breach.verdict for breach in breaches} == {Verdict.BREACH}
    assert monitor.evidence(KEY).breached_at == at(fleet.stamp + 0.5)

    # and later scrapes do not move that moment
    first = fleet.stamp
    monitor.ingest(KEY, SPEC, fleet.serve(errors=100), NOW)
    assert monitor.evidence(KEY).breached_at == at(first + 0.5)


def test_a_restart_changes_no_evidence() -> None:
    # given a rollout with some errors, whose status was written in the middle of a block
    before, fleet = GuardMonitor(INTERVAL), Fleet()
    watched(before)
    before.ingest(KEY, SPEC, fleet.samples, NOW)
    history = {fleet.stamp: fleet.snapshot}
    for candidate, errors in ((40, 2), (40, 0), (2, 1), (1, 1)):
        before.ingest(KEY, SPEC, fleet.serve(candidate=candidate, errors=errors), NOW)
        history[fleet.stamp] = fleet.snapshot
    saved = before.evidence(KEY).state

    # when another operator goes on from the status, and reads the counters again as they stood then
    after = GuardMonitor(INTERVAL)
    watched(after, now=NOW + timedelta(hours=1), guardState=saved)
    stamp = after.needs_earlier(KEY)
    assert stamp in history
    assert stamp < fleet.stamp
    samples = fleet.serve(candidate=40, errors=3)
    after.ingest(KEY, SPEC, samples, NOW, history[stamp])
    before.ingest(KEY, SPEC, samples, NOW)

    # then both say the same (but for how long the candidate has been silent, which is asked anew)
    assert after.evidence(KEY).judgements == before.evidence(KEY).judgements
    states = [read_state(monitor.evidence(KEY).state, Comparison("iris-2", "iris-1")) for monitor in (after, before)]
    assert replace(states[0], reach=states[1].reach) == states[1]
    assert after.needs_earlier(KEY) is None


def test_a_restart_without_the_old_counters_goes_on_from_now(monitor: GuardMonitor) -> None:
    # given evidence of a bad candidate that is nearly complete
    first, fleet = GuardMonitor(INTERVAL), Fleet()
    watched(first)
    first.ingest(KEY, SPEC, fleet.samples, NOW)
    first.ingest(KEY, SPEC, fleet.serve(candidate=20, errors=6), NOW)
    (before,) = (j for j in first.evidence(KEY).judgements if j.kind == "absolute")

    # when Prometheus has forgotten how the counters stood
    watched(monitor, guardState=first.evidence(KEY).state)
    assert monitor.ingest(KEY, SPEC, fleet.serve(errors=100), NOW, earlier=None) == ()

    # then the evidence stays, and requests since then are lost to it rather than counted twice
    (after,) = (j for j in monitor.evidence(KEY).judgements if j.kind == "absolute")
    assert after.e_value == pytest.approx(before.e_value, rel=1e-3)
    assert 1 < after.e_value < after.threshold
    assert monitor.ingest(KEY, SPEC, fleet.serve(errors=100), NOW) != ()


@pytest.mark.parametrize(
    "text",
    ["", "iris-2", "iris-2 {", "iris-2 {}", "iris-2 []", f"iris-7 {encode(State(stamp=START))}"],
    ids=lambda text: text[:9],
)
def test_a_saved_state_that_is_of_no_use_begins_anew(monitor: GuardMonitor, text: str) -> None:
    assert watched(monitor, guardState=text).state == State()
    assert monitor.needs_earlier(KEY) is None


def test_another_candidate_is_judged_anew(monitor: GuardMonitor) -> None:
    # given a candidate that was blamed
    fleet = Fleet()
    watched(monitor)
    monitor.ingest(KEY, SPEC, fleet.samples, NOW)
    assert monitor.ingest(KEY, SPEC, fleet.serve(errors=100), NOW) != ()

    # when another takes its place
    watched(monitor, candidate={"color": "green", "revision": "iris-3", "version": "v3.0.0", "weight": 0})

    # then nothing is held against it
    evidence = monitor.evidence(KEY)
    assert (evidence.judgements, evidence.breached_at, evidence.requests) == ((), None, {})
    assert evidence.fresh_at == at(fleet.stamp)


def test_the_watch_knows_since_when_a_weight_holds(monitor: GuardMonitor) -> None:
    # given a candidate seen several times at two weights
    seen = [(0, 0), (1, 10), (2, 10), (3, 50), (4, 50)]
    since = []
    for seconds, weight in seen:
        session = watched(monitor, now=NOW + timedelta(seconds=seconds), weight=weight)
        since.append((session.weight, session.weight_since and session.weight_since - START))
    # then each weight holds since it was first seen
    assert since == [(0, 0.0), (10, 1), (10, 1), (50, 3), (50, 3)]


def test_a_first_revision_that_bakes_has_all_traffic(monitor: GuardMonitor) -> None:
    assert watched(monitor, candidate=None).weight == 100


def test_a_forgotten_model_has_no_evidence(monitor: GuardMonitor) -> None:
    fleet = Fleet()
    watched(monitor)
    monitor.ingest(KEY, SPEC, fleet.serve(), NOW)
    monitor.forget(KEY)
    evidence = monitor.evidence(KEY)
    assert (evidence.fresh_at, evidence.judgements, evidence.moved) == (None, (), {})


def test_what_a_person_brings_back_is_not_judged() -> None:
    back = {"insteadOf": "iris-3", "generation": 2}
    assert Comparison.of(ModelDeploymentStatus.model_validate({**status(), "returning": back})) is None
    assert Comparison.of(ModelDeploymentStatus.model_validate(status())) == Comparison("iris-2", "iris-1")


SAYS = PodSamples(
    (PodCounters(START),), 0, START + 0.5, Fallback("none", "feature 'age' is new"), (Failure("timeout", "504", "", 2),)
)


@pytest.mark.parametrize(
    ("changes", "mode", "cover", "sentence"),
    [
        pytest.param({}, {}, Cover.NONE, "stable cannot answer for v2.0.0: feature 'age' is new", id="a candidate"),
        pytest.param({"stable": None}, {}, Cover.UNSAID, "", id="a first revision"),
        pytest.param({}, {"traffic": {}}, Cover.UNSAID, "", id="service mode"),
    ],
)
def test_what_stable_can_answer_is_told_of_a_candidate_with_a_route(
    monitor: GuardMonitor, changes: dict[str, Any], mode: dict[str, Any], cover: Cover, sentence: str
) -> None:
    # given what the candidate's pods say
    watched(monitor, **changes)
    assert monitor.evidence(KEY).failure == ""
    monitor.ingest(KEY, spec(**mode), {"iris-1": {}, "iris-2": {"c": SAYS}}, NOW)
    # then it is told where stable is meant to help, and what failed in any case
    evidence = monitor.evidence(KEY)
    assert (evidence.cover, evidence.no_fallback, evidence.failure) == (cover, sentence, "Mostly 504 timeout.")


def test_until_the_pods_are_scraped_it_is_not_known_what_stable_can_answer(monitor: GuardMonitor) -> None:
    watched(monitor)
    assert monitor.evidence(KEY).cover is Cover.UNKNOWN
    # what stable's own pods say is not the candidate's
    monitor.ingest(KEY, SPEC, {"iris-1": {"s": SAYS}}, NOW)
    assert (monitor.evidence(KEY).cover, monitor.evidence(KEY).failure) == (Cover.UNKNOWN, "")


def test_at_a_breach_it_is_known_what_failed(monitor: GuardMonitor) -> None:
    # given a candidate that fails all of its requests from one scrape to the next
    fleet = Fleet()
    watched(monitor)
    monitor.ingest(KEY, SPEC, fleet.samples, NOW)
    samples = fleet.serve(errors=100)
    said = {
        uid: replace(pod, failures=(Failure("model-failed", "500", "ValueError", 100),))
        for uid, pod in samples["iris-2"].items()
    }
    # when that scrape completes the evidence, then it holds the reason as well
    assert monitor.ingest(KEY, SPEC, {**samples, "iris-2": said}, NOW) != ()
    assert monitor.evidence(KEY).failure == 'Mostly 500 model-failed: "ValueError".'


def test_copies_are_told_apart_from_requests_that_count_for_steps(monitor: GuardMonitor) -> None:
    watched(monitor)
    for moment in (1, 2):
        stamp = START + moment * INTERVAL
        counters = PodCounters(stamp, RequestCounts(3), mirrored=RequestCounts(20 * moment, 1))
        samples = {"iris-1": {"s": PodSamples((PodCounters(stamp, RequestCounts(9)),), 9, stamp)}}
        samples |= {"iris-2": {"c": PodSamples((counters,), 3, stamp)}}
        monitor.ingest(KEY, spec(), samples, datetime.fromtimestamp(stamp + 0.5, UTC))
    evidence = monitor.evidence(KEY)
    assert evidence.mirrored == {"iris-1": 0, "iris-2": 40}
    assert evidence.requests == {"iris-1": 9, "iris-2": 3}


def test_without_a_weight_nobody_waits_for_queries(monitor: GuardMonitor) -> None:
    asked = ignored(QueryGuard("drift", "drift", 1.0))
    for weight, missing in ((0, ()), (50, ("query-drift (no number within its maximum)",))):
        candidate = {**status()["candidate"], "weight": weight}
        watched(monitor, candidate=candidate).queries = (replace(asked, verdict=Verdict.NOT_ENOUGH_DATA),)
        assert monitor.evidence(KEY).missing == missing
