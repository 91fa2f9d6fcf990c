"""What pods say beside their counters, as it is read from an answer."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from tests.metrics.answers import IRIS, Series, requests, series, stamps

from viridian.metrics.prometheus import NAMES, PodSamples, gather, trusted
from viridian.metrics.said import LONGEST, Failure, Fallback, most_frequent

ONLY_IRIS = frozenset({IRIS})
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def fallback(covers: str, reason: str = "", *values: float, **labels: Any) -> Series:
    return series("viridian_fallback_available", *(values or (0,)), covers=covers, reason=reason, **labels)


def failures(kind: str, status: str, detail: str, *values: float, **labels: Any) -> Series:
    return series("viridian_failures_total", *values, type=kind, status=status, detail=detail, **labels)


def pod_with(*said: Series) -> PodSamples:
    """Pod p1, scraped twice at 100 and 102, with what it says."""
    answer = [stamps(98, 100), requests("split", "ok", 5, 8), *said]
    return trusted(gather(answer, ONLY_IRIS)[IRIS])["iris-1"]["p1"]


def test_a_pod_says_what_stable_can_answer_and_what_failed() -> None:
    pod = pod_with(
        fallback("none", "feature 'age' is new", 0, 0),
        failures("model-failed", "500", "ValueError", 3, 7),
        failures("timeout", "504", "", 1, 1),
    )
    assert pod.fallback == Fallback("none", "feature 'age' is new")
    assert set(pod.failures) == {Failure("model-failed", "500", "ValueError", 7), Failure("timeout", "504", "", 1)}


def test_a_pod_of_an_earlier_image_says_nothing() -> None:
    pod = pod_with()
    assert (pod.fallback, pod.failures) == (None, ())


def test_what_it_said_last_counts_and_costs_no_scrape() -> None:
    # given a pod that said something else in the scrape before
    pod = pod_with(fallback("unknown", "", 0, at=100.0), fallback("all", "", 1, at=102.0))
    # then the newer is what it says, and both scrapes are whole
    assert pod.fallback == Fallback("all")
    assert [each.stamp for each in pod.counters] == [98, 100]


def test_failures_of_a_container_that_is_gone_are_not_those_of_the_one_that_runs() -> None:
    pod = pod_with(failures("model-failed", "500", "old", 9, at=100.0), failures("timeout", "504", "", 1, at=102.0))
    assert pod.failures == (Failure("timeout", "504", "", 1),)


@pytest.mark.parametrize(
    "odd",
    [
        failures("model-failed", "500", "x", 3, math.nan),
        failures("model-failed", "500", "x", 3, math.inf),
        failures("model-failed", "500", "x", -1, -1),
        failures("model-failed", "500", "x"),
        {**failures("model-failed", "500", "x"), "values": None},
        {**failures("model-failed", "500", "x"), "values": [[102, "many"]]},
    ],
    ids=["nan", "inf", "negative", "no sample", "no list", "no number"],
)
def test_what_cannot_be_used_is_left_out_and_blinds_no_guard(odd: Series) -> None:
    pod = pod_with(odd)
    assert (pod.failures, pod.answered) == ((), 8)


def test_two_jobs_that_scrape_a_pod_are_told_by_its_counters_alone() -> None:
    assert pod_with(fallback("all", "", 1, 1, job="a"), fallback("all", "", 1, 1, job="b")).fallback == Fallback("all")


def test_what_a_pod_says_is_cut_to_what_a_status_may_hold() -> None:
    pod = pod_with(fallback("none", "x\n" * 5000, 0, 0), failures("a" * 900, "5" * 900, "b\0" * 900, 1, 1))
    said = [pod.fallback.reason if pod.fallback else "", pod.failures[0].type, pod.failures[0].detail]
    assert all(0 < len(text) <= LONGEST and text.isprintable() for text in said)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([], ""),
        ([Failure("model-failed", "500", "ValueError", 0)], ""),
        ([Failure("model-failed", "500", "ValueError", 3)], 'Mostly 500 model-failed: "ValueError".'),
        ([Failure("timeout", "504", "", 3)], "Mostly 504 timeout."),
        ([Failure("no-answer", "", "the client left", 3)], 'Mostly no-answer: "the client left".'),
        # the type that is most frequent in all, and of its sentences the most frequent one
        (
            [
                Failure("timeout", "504", "", 5),
                Failure("model-failed", "500", "a", 2),
                Failure("model-failed", "500", "b", 3),
                Failure("model-failed", "500", "", 4),
            ],
            'Mostly 500 model-failed: "b".',
        ),
        (
            [Failure("x", "500", "a", 2), Failure("y", "500", "b", 3), Failure("z", "500", "c", 2)],
            'Most often 500 y: "b".',
        ),
        ([Failure("x", "500", "a", 2), Failure("y", "500", "b", 2)], 'Most often 500 y: "b".'),
        # pods add up
        ([*([Failure("x", "500", "a", 2)] * 3), Failure("y", "500", "b", 5)], 'Mostly 500 x: "a".'),
    ],
)
def test_what_most_requests_failed_with(found: list[Failure], sentence: str) -> None:
    assert most_frequent(found) == sentence
    assert most_frequent(reversed(found)) == sentence


def test_every_series_that_is_asked_for_is_in_the_contract() -> None:
    contract = DOCUMENT.read_text().partition("## Metrics of a serving pod")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(viridian_\w+)`", contract, re.MULTILINE)
    assert {name.removesuffix("_bucket") for name in NAMES} <= set(named)
