"""From the series of an answer to the counters of pods."""

import math
from itertools import chain
from typing import Any

import pytest
from tests.metrics.answers import IRIS, Series, durations, requests, series, stamps

from viridian.guards.series import PodCounters, RequestCounts
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
        return PodCounters(stamp, RequestCounts(ok + errors, errors, {0.2: fast, math.inf: ok}))

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
        ("mirror", "mirrored", 0, 0),
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

    # then guards count them, or not, rejected ones apart; and a draining color waits for all that users sent
    tally = RequestCounts(12, 3, {0.1: 8, math.inf: 12}, rejected=100)
    assert pod.counters == (PodCounters(100, **({field: tally} if field else {}), rest=rest),)
    assert pod.answered == answered


def test_several_ways_and_outcomes_add_up() -> None:
    ways = [(via, outcome) for via in ("split", "pin", "direct", "check") for outcome in ("ok", "error", "rejected")]
    answer = [stamps(100), *(requests(via, outcome, 10**index) for index, (via, outcome) in enumerate(ways))]
    pod = gather(answer, ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    assert pod.counters == (
        PodCounters(
            100,
            RequestCounts(11, 10, rejected=100),
            RequestCounts(11_000, 10_000, rejected=100_000),
            RequestCounts(11_000_000, 10_000_000, rejected=100_000_000),
            rest=100_100_100,
        ),
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


def pod_of(uid: str = "p1", **shown: tuple[int, ...]) -> list[Series]:
    """Four series of a pod that was scraped three times; `shown` says which scrapes show a series, if not all do."""
    page = {
        "stamp": stamps(98, 100, 102, pod_uid=uid),
        "ok": requests("split", "ok", 100, 200, 300, pod_uid=uid),
        "error": requests("split", "error", 1, 2, 3, pod_uid=uid),
        "fallback": requests("fallback", "ok", 10, 20, 30, pod_uid=uid),
    }
    for name, scrapes in shown.items():
        page[name]["values"] = [page[name]["values"][index] for index in scrapes]
    return list(page.values())


@pytest.mark.parametrize("late", ["stamp", "ok", "error", "fallback"])
def test_a_scrape_of_which_a_series_is_not_there_yet_tells_nothing(late: str) -> None:
    # given a last scrape of which one series is still on its way
    answer = pod_of(**{late: (0, 1)})

    # when
    pod = gather(answer, ONLY_IRIS)[IRIS]["iris-1"]["p1"]

    # then the pod stands as at the last whole one: nothing fell
    assert pod.counters == (
        PodCounters(98, RequestCounts(101, 1), rest=10),
        PodCounters(100, RequestCounts(202, 2), rest=20),
    )
    assert (pod.answered, pod.scraped_at) == (222, 102.0)


@pytest.mark.parametrize("lost", ["ok", "error", "fallback"])
@pytest.mark.parametrize(("there", "left"), [((1, 2), [100, 102]), ((0, 2), [98, 102]), ((2,), [102])])
def test_a_scrape_that_lost_a_series_is_left_out(lost: str, there: tuple[int, ...], left: list[float]) -> None:
    pod = gather(pod_of(**{lost: there}), ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    assert [counters.stamp for counters in pod.counters] == left


def test_scrapes_that_each_lack_something_give_no_pod() -> None:
    # given scrapes with the same number of series, none of which has all
    torn = pod_of(ok=(0, 1), error=(0, 2), fallback=(1, 2))

    # then there is nothing to be known of that pod, and all of another
    assert gather(torn, ONLY_IRIS) == {}
    assert trusted(gather([*torn, *pod_of("p2")], ONLY_IRIS)[IRIS])["iris-1"].keys() == {"p2"}


def test_what_one_pod_lacks_costs_no_other_pod_its_scrapes() -> None:
    found = trusted(gather([*pod_of(ok=(0,)), *pod_of("p2")], ONLY_IRIS)[IRIS])["iris-1"]
    assert {uid: len(pod.counters) for uid, pod in found.items()} == {"p1": 1, "p2": 3}


def test_a_page_that_lost_a_series_for_good_is_whole_again_once_that_has_left_the_window() -> None:
    # given a pod whose page had one series more in the first scrape
    gone = requests("extra", "ok", 1)
    page = [stamps(98, 100), requests("split", "ok", 5, 8)]

    # when its last sample is in the window, only scrapes with it count
    pod = gather([*page, gone], ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    assert [counters.stamp for counters in pod.counters] == [98]

    # and afterwards all do
    gone["values"] = []
    pod = gather([*page, gone], ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    assert [counters.stamp for counters in pod.counters] == [98, 100]


def test_a_container_that_began_anew_has_the_same_series_and_is_seen_at_once() -> None:
    answer = [stamps(98, 100), requests("split", "ok", 500, 0), requests("split", "error", 5, 0)]
    pod = gather(answer, ONLY_IRIS)[IRIS]["iris-1"]["p1"]
    assert pod.counters[-1] == PodCounters(100)


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
    with pytest.raises(MetricsError, match=r"pod p1 of default/iris twice.*by one job"):
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
        pytest.param(requests("split", "ok", -1), id="a count below none"),
        pytest.param(requests("split", "ok", 2.0**54), id="a count of more than there can be"),
        pytest.param(requests("split", "ok", 1.7e308), id="a count that no sum can hold"),
        pytest.param(requests("check", "ok", math.nan), id="a count that is none, and no user's"),
        pytest.param(durations("split", "+Inf", 1e300), id="a bucket of more than there can be"),
        pytest.param(stamps(math.nan), id="a moment that is none"),
        pytest.param(stamps(1e300), id="a moment after all others"),
        pytest.param({"metric": requests("split", "ok")["metric"], "values": None}, id="no list of samples"),
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


@pytest.mark.parametrize("value", [1.7e308, math.inf, math.nan, -1.0])
def test_one_models_absurd_counts_do_not_blind_the_others(value: float) -> None:
    # given a model with two pods whose counts cannot be, and another in the same answer
    wine: dict[str, Any] = {"model": "wine", "revision": "wine-1"}
    absurd = [
        one
        for uid in ("p1", "p2")
        for one in (stamps(100, pod_uid=uid, **wine), requests("split", "ok", value, pod_uid=uid, **wine))
    ]

    # when
    found = gather([*absurd, stamps(100), requests("split", "ok", 5)], frozenset({IRIS, ("default", "wine")}))

    # then the one is told so, and the other has its counts
    with pytest.raises(MetricsError, match=r"pod p1 of default/wine that are none"):
        trusted(found["default", "wine"])
    assert trusted(found[IRIS])["iris-1"]["p1"].answered == 5


def test_the_largest_count_is_one() -> None:
    answer = [stamps(100), {**requests("split", "ok"), "values": [[100.0, str(2**53)]]}]
    assert trusted(gather(answer, ONLY_IRIS)[IRIS])["iris-1"]["p1"].answered == 2**53


@pytest.mark.parametrize("odd", [{}, {"metric": None}, 7, [1, "2"]], ids=repr)
def test_what_is_no_series_is_an_error_with_a_name(odd: Any) -> None:
    with pytest.raises(MetricsError, match=r"something other than series: check prometheus\.url"):
        gather([odd], ONLY_IRIS)


def test_what_a_cache_answered_is_counted_apart() -> None:
    # given a pod that answered some requests itself, and more from its cache
    counts = {("split", "ok"): 90, ("split", "error"): 10, ("split", "cached"): 400, ("pin", "cached"): 7}
    page = [stamps(100), *(requests(via, outcome, count) for (via, outcome), count in counts.items())]
    # when it is read
    pod = trusted(gather(page, ONLY_IRIS)[IRIS])["iris-1"]["p1"]
    # then what the model answered and what came are told apart, and all of it was answered
    (counters,) = pod.counters
    assert (counters.comparable.requests, counters.comparable.errors, counters.comparable.hits) == (100, 10, 400)
    assert (counters.comparable.answered, counters.other.hits) == (500, 7)
    assert counters.rest == 407
    assert pod.answered == 507


def test_a_series_that_goes_on_under_another_address_is_one_series() -> None:
    # given a pod whose sandbox was made anew between two scrapes
    page = [
        *(
            one
            for at, count, ip in ((100.0, 5, "10.0.0.1"), (102.0, 8, "10.0.0.2"))
            for one in (
                stamps(at, at=at, instance=ip),
                requests("split", "ok", count, at=at, instance=ip),
            )
        ),
    ]
    # when it is read
    pod = trusted(gather(page, ONLY_IRIS)[IRIS])["iris-1"]["p1"]
    # then its counters go on
    assert [(counters.stamp, counters.comparable.requests) for counters in pod.counters] == [(100, 5), (102, 8)]


def test_it_is_known_since_when_a_pod_counts() -> None:
    page = [stamps(100), requests("split", "ok", 5), series("viridian_counters_started_seconds", 7)]
    (counters,) = trusted(gather(page, ONLY_IRIS)[IRIS])["iris-1"]["p1"].counters
    assert counters.started == 7
