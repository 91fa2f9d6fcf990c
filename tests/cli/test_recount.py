"""Counts looked at by hand, against scipy."""

import pytest
from scipy import stats

from viridian.cli.recount import binomial_tail, hypergeometric_tail, recount


def counts(requests: int, events: int) -> dict[str, int]:
    return {"requests": requests, "events": events}


def guard(kind: str, limit: str, candidate: dict[str, int], stable: dict[str, int] | None = None) -> dict[str, object]:
    head = {"name": "errorRate", "kind": kind, "threshold": "303", "limit": limit, "candidate": candidate}
    return head if stable is None else {**head, "stable": stable}


@pytest.mark.parametrize(("requests", "events", "share"), [(19, 10, 0.05), (1, 1, 0.5), (5000, 61, 0.01), (40, 0, 0.1)])
def test_the_chance_of_so_many_events(requests: int, events: int, share: float) -> None:
    assert binomial_tail(requests, events, share) == pytest.approx(
        stats.binom.sf(events - 1, requests, share), rel=1e-6
    )


@pytest.mark.parametrize("odds", [1.0, 1.5, 4.0])
@pytest.mark.parametrize(
    ("candidate", "stable"),
    [(counts(19, 10), counts(566, 0)), (counts(812, 2), counts(7310, 15)), (counts(3, 3), counts(2, 2))],
)
def test_the_chance_of_so_large_a_part(candidate: dict[str, int], stable: dict[str, int], odds: float) -> None:
    events = candidate["events"] + stable["events"]
    whole = candidate["requests"] + stable["requests"]
    by_scipy = stats.nchypergeom_fisher.sf(candidate["events"] - 1, whole, candidate["requests"], events, odds)
    assert hypergeometric_tail(candidate, stable, odds) == pytest.approx(by_scipy, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("counted", "says"),
    [
        (guard("absolute", "0.05", counts(19, 10), counts(566, 0)), "10 of 19 (52.6 %) on the candidate and 0 of 566"),
        (
            guard("absolute", "0.05", counts(19, 10)),
            "it allows 5 %. By hand: a candidate exactly at that limit shows so",
        ),
        (guard("absolute", "0.05", counts(19, 10)), "so many or more once in more than a million looks."),
        (guard("absolute", "0.1", counts(812, 60)), "so many or more in nearly all looks. So many requests are"),
        (guard("absolute", "0.5", counts(2, 2)), "So few requests cannot show even a candidate that always fails."),
        (guard("relative", "1.5", counts(812, 2), counts(7310, 15)), "it allows 1.5 times stable's odds. By hand:"),
        (guard("relative", "1.5", counts(812, 2), counts(7310, 15)), "times stable's on, and hardly less."),
    ],
)
def test_it_is_told_in_sentences(counted: dict[str, object], says: str) -> None:
    assert says in recount(counted)


@pytest.mark.parametrize(
    "counted",
    [{"name": "query-x", "kind": "query"}, guard("absolute", "0.1", counts(0, 0)), guard("absolute", "", counts(9, 0))],
)
def test_without_counts_nothing_is_told(counted: dict[str, object]) -> None:
    assert recount(counted) == ""


def test_without_an_error_on_either_side_there_is_nothing_to_compare() -> None:
    assert "By hand" not in recount(guard("relative", "1.5", counts(800, 0), counts(900, 0)))


def test_more_requests_see_smaller_differences() -> None:
    few, many = (recount(guard("absolute", "0.01", counts(requests, 0))) for requests in (100, 10_000))
    assert "a share from about 5.9 % on" in few
    assert "a share from about 1.4 % on" in many
