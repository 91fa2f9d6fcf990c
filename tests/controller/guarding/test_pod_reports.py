"""What a candidate's pods say, put together."""

import pytest

from viridian.controller.guarding.pod_reports import PodReports, summarize_reports
from viridian.guards.series import PodCounters
from viridian.metrics.prometheus import PodSamples
from viridian.metrics.said import Failure, Fallback
from viridian.rollout.observed import Cover

NEW, AWAY = Fallback("none", "feature 'age' is new"), Fallback("none", "stable cannot be reached")
NULL = Fallback("some", "feature 'age' may be null, and not at stable")
NO, PARTLY = "stable cannot answer for v2: ", "stable cannot answer all that v2 takes: "


def pod(said: Fallback | None, *failures: Failure, at: float = 100.0) -> PodSamples:
    return PodSamples((PodCounters(at),), 0, at, said, failures)


@pytest.mark.parametrize(
    ("said", "cover", "sentence"),
    [
        ([], Cover.UNKNOWN, ""),
        ([Fallback("all")], Cover.ALL, ""),
        ([Fallback("self")], Cover.ALL, ""),
        ([Fallback("unknown")], Cover.UNKNOWN, ""),
        ([None], Cover.UNSAID, ""),
        ([Fallback("a word of a later image", "why")], Cover.UNSAID, ""),
        ([NEW], Cover.NONE, NO + NEW.reason),
        ([NULL], Cover.SOME, PARTLY + NULL.reason),
        ([Fallback("off", "it is switched off")], Cover.NONE, "stable does not answer for v2: it is switched off"),
        # several pods: the least that is covered in any, in the words of most
        ([Fallback("all"), NULL], Cover.SOME, PARTLY + NULL.reason),
        ([NULL, NEW, Fallback("all")], Cover.NONE, NO + NEW.reason),
        ([AWAY, NEW, NEW], Cover.NONE, NO + NEW.reason),
        # one that starts is not waited for where another has said it
        ([Fallback("unknown"), Fallback("all")], Cover.ALL, ""),
        ([Fallback("unknown"), None], Cover.UNKNOWN, ""),
    ],
)
def test_what_stable_can_answer_for_a_candidate(said: list[Fallback | None], cover: Cover, sentence: str) -> None:
    pods = {f"p{i}": pod(each) for i, each in enumerate(said)}
    assert summarize_reports(pods, "v2", 90.0) == PodReports(cover, sentence, "")


def test_a_pod_that_is_not_scraped_any_more_says_nothing_about_now() -> None:
    assert summarize_reports({"gone": pod(NEW, at=80.0), "here": pod(Fallback("all"))}, "v2", 90.0).cover is Cover.ALL
    assert summarize_reports({"gone": pod(NEW, at=80.0)}, "v2", 90.0).cover is Cover.UNKNOWN


def test_what_pods_failed_with_counts_even_when_they_are_gone() -> None:
    failure = Failure("model-failed", "500", "KeyError: 'age'", 3)
    heard = summarize_reports({"gone": pod(NEW, failure, at=80.0), "here": pod(Fallback("all"), failure)}, "v2", 90.0)
    assert heard.failure == "Mostly 500 model-failed: \"KeyError: 'age'\"."
