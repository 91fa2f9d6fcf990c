"""The report says what the timeline and the records say, and nothing kinder."""

import json

import pytest
from examples.demo.records import Answer
from examples.demo.report import Applied, ErrorCounts, build_report, problems, suffered
from examples.demo.timeline import Condition, Finished, Role, Status, Timeline

GOOD, BAD = Applied("v2", 100.0), Applied("v3", 200.0)
WRONG = Applied("v7", 250.0)
KEYS = {
    "requests_total",
    "requests_failed_client",
    "requests_rescued",
    "promoted_version",
    "promotion_seconds",
    "rolled_back_version",
    "seconds_first_bad_response_to_100_stable",
    "reaction_seconds",
    "stopped_version",
    "weights_seen",
    "phase_final",
    "stable_version_final",
    "failures",
}


def role(version: str, color: str) -> Role:
    return Role(color, f"digits-{version[1:]}", version, 2, 2)


def status(phase: str, stable: str, candidate: str = "", evidence_at: float | None = None) -> Status:
    colors = {"v1": "blue", "v2": "green", "v3": "blue"}
    rolled_back = phase == "RolledBack"
    return Status(
        phase=phase,
        stable=role(stable, colors[stable]),
        candidate=role(candidate, colors[candidate]) if candidate else None,
        failed_versions=("v3", "v7") if rolled_back else (),
        history=(Finished("v3", "RolledBack", "Too many errors.", evidence_at),) if rolled_back else (),
        conditions=(Condition("Ready", "True", "Promoted", ""),),
    )


def story(evidence_at: float | None = 213.0) -> Timeline:
    """Both rollouts as they ought to go."""
    timeline = Timeline()
    timeline.saw_weights(90, {"blue": 100, "green": 0})
    timeline.saw_status(91, status("Stable", "v1"))
    # The route is seen before the status that names the color.
    for at, weight in ((110, 10), (120, 30), (130, 50), (140, 95), (155, 100)):
        timeline.saw_weights(at, {"blue": 100 - weight, "green": weight})
        timeline.saw_status(at + 1, status("Progressing", "v1", "v2"))
    timeline.saw_status(160, status("Stable", "v2"))
    timeline.saw_weights(210, {"blue": 10, "green": 90})
    timeline.saw_status(211, status("Progressing", "v2", "v3"))
    timeline.saw_weights(214.5, {"blue": 0, "green": 100})
    timeline.saw_status(215, status("RollingBack", "v2", "v3"))
    timeline.saw_status(230, status("RolledBack", "v2", evidence_at=evidence_at))
    return timeline


def ok(at: float, version: str) -> Answer:
    return Answer(at, 0.01, 200, f"digits-{version[1:]}", version, "", right=True)


def failed(at: float, version: str = "v3", http_status: int | None = 500, failure: str = "HTTP 500") -> Answer:
    return Answer(at, 0.25, http_status, f"digits-{version[1:]}", version, failure, right=None)


def rescued(at: float, version: str = "v2") -> Answer:
    return Answer(at, 0.25, 200, f"digits-{version[1:]}", version, "", right=True, rescued=True)


def test_a_story_that_went_well() -> None:
    answers = [ok(95, "v1"), ok(125, "v2"), rescued(212.0), rescued(211.5), rescued(214.4), ok(240, "v2")]
    report = build_report(answers, story(), GOOD, BAD, WRONG, ErrorCounts())
    assert set(report.document()) == KEYS
    assert json.loads(json.dumps(report.document())) == report.document()
    assert (report.requests_total, report.requests_failed_client, report.requests_rescued) == (6, 0, 3)
    assert (report.promoted_version, report.promotion_seconds) == ("v2", 60.0)
    assert report.rolled_back_version == "v3"
    assert report.stopped_version == "v7"
    # From the sending of the first request that the candidate failed, wherever it stands in the records.
    assert report.seconds_first_bad_response_to_100_stable == pytest.approx(214.5 - 211.5)
    assert report.reaction_seconds == 1.5
    assert report.weights_seen == [10, 30, 50, 95, 100, 10, 0]
    assert (report.phase_final, report.stable_version_final) == ("RolledBack", "v2")
    assert problems(report, GOOD, BAD, WRONG) == []
    assert suffered(report) == []


def test_a_failure_that_a_client_saw_tells_the_first_bad_response() -> None:
    # One that stable answered during the good version's rollout says nothing about the bad one.
    answers = [rescued(125.0, "v1"), failed(212.0), failed(211.5), rescued(213.0)]
    report = build_report(answers, story(), GOOD, BAD, WRONG, ErrorCounts())
    assert report.seconds_first_bad_response_to_100_stable == pytest.approx(214.5 - 211.75)


def test_failures_are_grouped_and_told() -> None:
    answers = [failed(212.0), failed(211.5), failed(125.0, version="", http_status=None, failure="timeout")]
    report = build_report(answers, story(), GOOD, BAD, WRONG, ErrorCounts())
    assert [(group.failure, group.version, group.count) for group in report.failures] == [
        ("HTTP 500", "v3", 2),
        ("timeout", "", 1),
    ]
    assert suffered(report) == [
        "2 requests failed: HTTP 500 from v3 (v3 applied, 10 % of the traffic on it).",
        "1 requests failed: timeout, no answer of a pod (v2 applied, 30 % of the traffic on it).",
    ]


def test_without_a_client_that_saw_it_the_counters_tell_the_first_bad_response() -> None:
    errors = ErrorCounts(scrapes=(209.0, 211.0, 213.0), last_without_errors=211.0)
    report = build_report([ok(212, "v2")], story(), GOOD, BAD, WRONG, errors)
    assert report.seconds_first_bad_response_to_100_stable == 3.5


def test_the_first_bad_response_is_not_before_the_first_request() -> None:
    errors = ErrorCounts(scrapes=(205.0, 213.0), last_without_errors=205.0)
    report = build_report([], story(), GOOD, BAD, WRONG, errors)
    assert report.seconds_first_bad_response_to_100_stable == 4.5


def test_without_the_operators_word_the_last_scrape_is_the_evidence() -> None:
    errors = ErrorCounts(scrapes=(210.0, 214.0, 216.0), last_without_errors=210.0)
    report = build_report([], story(evidence_at=None), GOOD, BAD, WRONG, errors)
    assert report.reaction_seconds == 0.5


def test_an_empty_run_has_problems_but_no_crash() -> None:
    report = build_report([], Timeline(), GOOD, BAD, WRONG, ErrorCounts())
    assert set(report.document()) == KEYS
    assert report.promotion_seconds is None
    assert report.seconds_first_bad_response_to_100_stable is None
    assert len(problems(report, GOOD, BAD, WRONG)) == 5


def test_a_good_version_that_was_turned_away_is_a_problem() -> None:
    timeline = Timeline()
    timeline.saw_weights(110, {"blue": 90, "green": 10})
    timeline.saw_status(111, status("Progressing", "v1", "v2"))
    timeline.saw_weights(115, {"blue": 100, "green": 0})
    timeline.saw_status(120, status("RolledBack", "v1"))
    report = build_report([], timeline, GOOD, BAD, WRONG, ErrorCounts())
    assert report.promoted_version is None
    assert report.weights_seen == [10, 0]
    assert any("v2 was not promoted" in sentence for sentence in problems(report, GOOD, BAD, WRONG))
    assert any("stable version is v1" in sentence for sentence in problems(report, GOOD, BAD, WRONG))


def test_a_bad_version_that_lost_its_traffic_for_another_reason_was_not_rolled_back() -> None:
    timeline = story()
    timeline.saw_status(240, status("Stable", "v2"))
    report = build_report([], timeline, GOOD, BAD, WRONG, ErrorCounts())
    assert report.rolled_back_version is None
    assert problems(report, GOOD, BAD, WRONG) == [
        "v3 was not taken back, though it fails on real images: see its verdict above.",
        "v7 was not stopped by its check, though most of its answers are wrong.",
        "The final phase is Stable; it ought to be RolledBack.",
    ]


def test_a_wrong_version_that_answered_a_request_was_not_stopped() -> None:
    report = build_report([ok(260, "v7")], story(), GOOD, BAD, WRONG, ErrorCounts())
    assert report.stopped_version is None
    assert problems(report, GOOD, BAD, WRONG) == [
        "v7 was not stopped by its check, though most of its answers are wrong."
    ]
