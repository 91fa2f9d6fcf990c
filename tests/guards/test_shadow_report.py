"""The report of a shadow step, from counters."""

import math

import pytest

from viridian.guards.answers.counters import CLASS, SHADOW, SHADOW_TIME, AnswerSnapshot, PodAnswers
from viridian.guards.shadow_report import ShadowReport, shadow_report, tail


@pytest.mark.parametrize(
    ("buckets", "seconds"),
    [
        ({}, None),
        ({0.1: 0, math.inf: 0}, None),
        ({0.1: 100, math.inf: 100}, 0.095),
        ({0.1: 90, 0.2: 100, math.inf: 100}, 0.15),
        ({0.1: 10, 0.2: 10, 0.4: 20, math.inf: 20}, 0.38),
        ({0.1: 95, 0.2: 95, math.inf: 100}, 0.1),
        ({0.1: 1, math.inf: 100}, 0.1),  # nobody knows how long, so at least so long
    ],
)
def test_the_95th_percentile_of_a_histogram(buckets: dict[float, float], seconds: float | None) -> None:
    assert tail(buckets) == (None if seconds is None else pytest.approx(seconds))


def test_only_what_both_answered_is_compared() -> None:
    assert ShadowReport(agreed=3, disagreed=2, failed=5, dropped=7).compared == 5
    assert ShadowReport(disagreed=2).compared == 2


@pytest.mark.parametrize("result", ["agreed", "disagreed", "failed", "dropped"])
def test_what_was_never_counted_is_none(result: str) -> None:
    seen = AnswerSnapshot(1.0, {"p1": PodAnswers("iris-1", {mirrored(result): 3})})
    counts = {each: 3 if each == result else 0 for each in ("agreed", "disagreed", "failed", "dropped")}
    assert shadow_report(seen, "iris-2") == ShadowReport(**counts)


def mirrored(result: str, candidate: str = "iris-2") -> tuple[str, ...]:
    return SHADOW, candidate, result


def taken(role: str, le: str) -> tuple[str, ...]:
    return SHADOW_TIME, "iris-2", role, le


def test_counts_and_durations_of_all_pods_make_the_report_of_a_candidate() -> None:
    # given two of stable's pods, one of which has mirrored to an earlier candidate as well
    one = {mirrored("agreed"): 5, mirrored("disagreed"): 2, mirrored("agreed", "iris-1"): 7, (CLASS, "a"): 9}
    other = {mirrored("agreed"): 3, mirrored("dropped"): 1, mirrored("failed"): 4}
    times = {taken("candidate", "0.1"): 0, taken("candidate", "0.2"): 5, taken("candidate", "+Inf"): 5}
    times |= {taken("stable", "0.1"): 5, taken("stable", "+Inf"): 5}
    pods = {name: PodAnswers("iris-1", {**counts, **times}) for name, counts in (("p1", one), ("p2", other))}
    seen = AnswerSnapshot(1.0, pods)
    # then each candidate has its own, and what never was mirrored to has none
    assert shadow_report(seen, "iris-2") == ShadowReport(8, 2, 4, 1, pytest.approx(0.195), pytest.approx(0.095))
    assert shadow_report(seen, "iris-1") == ShadowReport(agreed=7)
    assert shadow_report(seen, "iris-3") is None
