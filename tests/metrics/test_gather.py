"""From the series of an answer to the counters of pods."""

import math
from itertools import chain
from typing import Any

import pytest
from tests.metrics.answers import IRIS, Series, durations, requests, series, stamps

from viridian.guards.series import PodCounters, Tally
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import PodSamples, gather, trusted

ONLY_IRIS = frozenset({IRIS})


def test_two_scrapes_of_two_pods_in_two_revisions() -> None:
    # given the counters of two scrapes, of a stable pod and of a candidate's pod
    def pod(uid: str, revision: str, errors: list[int]) -> list[Series]:
        labels: dict[str, Any] = {"pod_uid": uid, "revision": revision}
        return [
            stamps(98, 100, **labels),
            requests("split", "ok", 10, 17, **labels),
            requests("split", "error", *errors, **labels),
            durations("split", "0.2", 9, 15, **labels),
            durations("split", "+Inf", 10, 17, **labels),
        ]

    # when they are gathered
    found = gather([*pod("p1", "iris-1", [0, 0]), *pod("p2", "iris-2", [1, 4])], ONLY_IRIS)

    # then each pod has its counters scrape by scrape, at the stamps that it gave
    def counters(stamp: float, ok: int, errors: int, fast: int) -> PodCounters:
        return PodCounters(stamp, Tally(ok + errors, errors, {0.2: fast, math.inf: ok}))

    assert found == {
        IRIS: {
            "iris-1": {"p1": PodSamples((counters(98, 10, 0, 9), counters(100, 17, 0, 15)), 17, 102.0)},
            "iris-2": {"p2": PodSamples((counters(98, 10, 1, 9), counters(100, 17, 4, 15)), 21, 102.0)},
        }
    }


@pytest.mark.parametrize(
    ("via", "field", "rest", "answered"),
    [
        ("split", "comparable", 100, 112),
        ("pin", "other", 100, 112),
        ("direct", "direct", 100, 112),
        ("fallback", None, 112, 112),
        ("check", None, 0, 0),
        ("mirror", None, 0, 0),
        ("something-new", None, 112, 112),
    ],
)
def test_who_counts_for_what(via: str, field: str | None, rest: int, answered: int) -> None:
    # given requests that came by one way: good ones, failed ones, and ones that the client spoiled
    answer = [
        stamps(100),
        requests(via, "ok", 9),
        requests(via, "error", 3),
        requests(via, "rejected", 100),
        durations(via, "0.1", 8),
        durations(via, "+Inf", 12),
    ]

    # when
    pod = gather(answer, ONLY_IRIS)[IRIS]["iris-1"]["p1"]

    # then guards count them, or not; rejected ones never; and a draining color waits for all that users sent
    tally = Tally(12, 3, {0.1: 8, math.inf: 12})
    assert pod.counters == (PodCounters(100, **({field: tally} if field else {}), rest=rest),)
    assert pod.answered == answered


def test_several_ways_and_outcomes_add_up() -> None:
    ways = [(via, outcome) for via in ("split", "pin", "direct", "check") for outcome in ("ok", "error", "rejected")]
    answer = [stamps(100), *(requests(via, outcome, 10**index) for index, (via, outcome) in enumerate(ways))]
    pod = gather(answer, ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    assert pod.counters == (
        PodCounters(100, Tally(11, 10), Tally(11_000, 10_000), Tally(11_000_000, 10_000_000), rest=100_100_100),
    )
    assert pod.answered == 111_111_111


def test_a_scrape_without_its_stamp_tells_guards_nothing() -> None:
    # given two scrapes, of which the first has no stamp
    answer = [stamps(102, at=102.0), requests("split", "ok", 5, 8)]
    # when
    pod = gather(answer, ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    # then only the second one is used
    assert [counters.stamp for counters in pod.counters] == [102]
    assert pod.counters[0].comparable.requests == 8


def test_a_pod_without_any_stamp_is_left_out() -> None:
    assert gather([requests("split", "ok", 5, 8)], ONLY_IRIS) == {}


def test_a_last_scrape_without_a_stamp_still_shows_who_answers() -> None:
    answer = [stamps(100), requests("split", "ok", 5, 8)]
    pod = gather(answer, ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    assert (len(pod.counters), pod.answered, pod.scraped_at) == (1, 8, 102.0)


def test_models_that_nobody_asked_for_are_left_out() -> None:
    # given namespaces and names that a query for two models finds crosswise
    keys = frozenset({("a", "iris"), ("b", "wine")})
    answer = [
        one
        for namespace in ("a", "b")
        for model in ("iris", "wine")
        for one in (
            stamps(100, model_namespace=namespace, model=model, revision=f"{model}-1"),
            requests("split", "ok", 1, model_namespace=namespace, model=model, revision=f"{model}-1"),
        )
    ]
    assert gather(answer, keys).keys() == keys
    assert gather([], keys) == {}


def test_the_same_pod_by_two_scrape_jobs_is_refused_by_name() -> None:
    # given counters that two jobs scraped, as their labels show
    answer = [[stamps(100, job=job), requests("split", "ok", 5, job=job)] for job in ("pods", "viridian")]
    with pytest.raises(MetricsError, match=r"pod p1 of default/iris twice.*one scrape job"):
        trusted(gather(chain.from_iterable(answer), ONLY_IRIS)[IRIS])


def test_duplicates_of_others_do_not_matter() -> None:
    others = [stamps(100, model="wine", job=job) for job in ("pods", "viridian")]
    found = gather([*others, stamps(100), requests("split", "ok", 5)], ONLY_IRIS)
    assert found.keys() == ONLY_IRIS


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(series("viridian_requests_total", math.nan, via="split", outcome="ok"), id="a count that is none"),
        pytest.param(series("viridian_requests_total", math.inf, via="split", outcome="ok"), id="a count without end"),
        pytest.param(durations("split", "fast", 1), id="a bound that is none"),
        pytest.param(series("viridian_request_duration_seconds_bucket", 1, via="split"), id="no bound"),
        pytest.param({"metric": stamps(100)["metric"], "value": [100, "100"]}, id="one sample, not a range"),
    ],
)
def test_numbers_that_are_none_are_told_with_the_pod(odd: Series) -> None:
    good = [stamps(100), requests("split", "error", 5)]
    with pytest.raises(MetricsError, match=r"pod p1 of default/iris"):
        trusted(gather([*good[odd["metric"]["__name__"] == "viridian_counters_stamp_seconds" :], odd], ONLY_IRIS)[IRIS])


def test_one_models_bad_counters_do_not_blind_the_others() -> None:
    # given a model that two jobs scrape, and another in the same answer
    twice = [stamps(100, model="wine", job=job) for job in ("pods", "viridian")]
    good = [stamps(100), requests("split", "error", 5)]
    wine = ("default", "wine")

    # then the one has its error, and the other its counts
    found = gather([*twice, *good], frozenset({IRIS, wine}))
    assert isinstance(found[wine], MetricsError)
    assert trusted(found[IRIS]).keys() == {"iris-1"}
