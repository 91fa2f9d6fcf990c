"""Counters frozen at multiples of the scrape interval."""

import re
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.serving.contexts import context_of

from viridian_serving.contract.compatibility import UNKNOWN
from viridian_serving.http1.messages import Request
from viridian_serving.inference.request_context import Failure
from viridian_serving.metrics.guard_counters import NANOSECONDS, FallbackReason, FrozenCounters, outcome_of
from viridian_serving.telemetry import exposition
from viridian_serving.telemetry.exposition import FallbackGauge, LiveGauges, build_registry, render
from viridian_serving.telemetry.failures import FailureCounts
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import Via

BOUNDS = (0.01, 0.1, 1.0)


def at(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK), (204, Outcome.OK), (400, Outcome.REJECTED), (404, Outcome.REJECTED),
        (429, Outcome.REJECTED), (500, Outcome.ERROR), (502, Outcome.ERROR), (503, Outcome.ERROR), (504, Outcome.ERROR),
    ],
)  # fmt: skip
def test_outcome_follows_the_status(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


def test_every_series_exists_at_zero_from_the_start() -> None:
    # given
    counters = FrozenCounters(BOUNDS, 2.0, at(100.5))
    # when
    stamp, counts = counters.published(at(100.6))
    # then
    assert stamp == 100.0
    assert set(counts.requests) == {(via, outcome) for via in Via for outcome in Outcome}
    assert not any(counts.requests.values())
    assert all(buckets == [0, 0, 0, 0] for buckets in counts.durations.values())


def test_a_request_shows_only_from_the_next_multiple_on() -> None:
    # given
    counters = FrozenCounters(BOUNDS, 2.0, at(100.5))
    counters.record(Via.SPLIT, Outcome.OK, 0.05, at(101.0))
    # when
    before, at_multiple = counters.published(at(101.999)), counters.published(at(102.0))
    # then
    assert before[0] == 100.0
    assert before[1].requests[Via.SPLIT, Outcome.OK] == 0
    assert at_multiple[0] == 102.0
    assert at_multiple[1].requests[Via.SPLIT, Outcome.OK] == 1
    assert at_multiple[1].durations[Via.SPLIT] == [0, 1, 0, 0]


def test_a_late_scrape_does_not_see_what_came_after_the_multiple() -> None:
    # given a request before 102 and one after it, and nobody looked in between
    counters = FrozenCounters(BOUNDS, 2.0, at(100))
    counters.record(Via.SPLIT, Outcome.ERROR, 0.5, at(101.9))
    counters.record(Via.SPLIT, Outcome.ERROR, 0.5, at(102.1))
    # when
    stamp, counts = counters.published(at(103.9))
    # then
    assert (stamp, counts.requests[Via.SPLIT, Outcome.ERROR]) == (102.0, 1)


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.CACHED])
def test_a_request_that_did_not_reach_the_model_has_no_latency(outcome: Outcome) -> None:
    counters = FrozenCounters(BOUNDS, 1.0, at(0))
    counters.record(Via.SPLIT, outcome, 0.001, at(0.1))
    _, counts = counters.published(at(1))
    assert counts.requests[Via.SPLIT, outcome] == 1
    assert counts.durations[Via.SPLIT] == [0, 0, 0, 0]


def test_an_error_is_above_every_bound_however_fast_it_came() -> None:
    counters = FrozenCounters(BOUNDS, 1.0, at(0))
    counters.record(Via.SPLIT, Outcome.ERROR, 0.001, at(0.1))
    assert counters.published(at(1))[1].durations[Via.SPLIT] == [0, 0, 0, 1]


def test_rescues_are_frozen_with_the_rest_and_exist_from_the_start() -> None:
    # given
    counters = FrozenCounters(BOUNDS, 2.0, at(100))
    assert counters.published(at(100))[1].rescues == dict.fromkeys(FallbackReason, 0)
    # when
    counters.count_fallback(FallbackReason.HUNG, answered=True, now_ns=at(101))
    counters.count_fallback(FallbackReason.ERROR, answered=False, now_ns=at(101))
    # then
    before, after = counters.published(at(101.9))[1], counters.published(at(102))[1]
    assert not any(before.rescues.values())
    assert {reason: number for reason, number in after.rescues.items() if number} == {FallbackReason.HUNG: 1}
    assert {reason: number for reason, number in after.rescues_failed.items() if number} == {FallbackReason.ERROR: 1}


def test_a_bound_belongs_to_its_bucket() -> None:
    counters = FrozenCounters(BOUNDS, 1.0, at(0))
    for seconds in (0.01, 0.1, 1.0, 1.1):
        counters.record(Via.SPLIT, Outcome.OK, seconds, at(0.1))
    assert counters.published(at(1))[1].durations[Via.SPLIT] == [1, 1, 1, 1]


def test_a_clock_set_back_moves_the_stamp_and_loses_no_count() -> None:
    # given
    counters = FrozenCounters(BOUNDS, 2.0, at(1000))
    counters.record(Via.SPLIT, Outcome.OK, 0.05, at(1001))
    # when
    stamp, counts = counters.published(at(500.3))
    # then
    assert (stamp, counts.requests[Via.SPLIT, Outcome.OK]) == (500.0, 1)


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60))
def test_published_is_exactly_what_ended_before_the_stamp(steps: list[tuple[float, bool]]) -> None:
    # given
    counters = FrozenCounters(BOUNDS, 2.0, at(10))
    now = 10.0
    ended: list[int] = []
    for gap, scrape in steps:
        # when
        now += gap
        if not scrape:
            ended.append(at(now))
            counters.record(Via.SPLIT, Outcome.OK, 0.05, at(now))
            continue
        stamp, counts = counters.published(at(now))
        # then
        assert at(stamp) % at(2.0) == 0
        assert 0 <= at(now) - at(stamp) < at(2.0)
        assert counts.requests[Via.SPLIT, Outcome.OK] == sum(moment < at(stamp) for moment in ended)


def test_the_page_has_the_contract_s_names_and_labels() -> None:
    # given
    counters = FrozenCounters(BOUNDS, 2.0, at(100))
    counters.record(Via.PIN, Outcome.OK, 0.05, at(100.1))
    counters.record(Via.PIN, Outcome.OK, 5.0, at(100.1))
    registry = build_registry(
        counters,
        ("ml", "iris", "iris-3", "uid"),
        [LiveGauges(lambda: {"viridian_ready": ("x", 1)})],
        lambda: at(103.25),
    )
    # when
    families = {family.name: family for family in text_string_to_metric_families(render(registry).decode())}
    # then
    identity = {"model_namespace": "ml", "model": "iris", "revision": "iris-3", "pod_uid": "uid"}
    (stamp,) = families["viridian_counters_stamp_seconds"].samples
    assert (stamp.labels, stamp.value) == (identity, 102.0)
    (started,) = families["viridian_counters_started_seconds"].samples
    assert (started.labels, started.value) == (identity, 100.0)
    requests = families["viridian_requests"].samples
    assert {sample.name for sample in requests} == {"viridian_requests_total"}
    assert len(requests) == len(Via) * len(Outcome)
    assert [s.value for s in requests if s.labels == {**identity, "via": "pin", "outcome": "ok"}] == [2.0]
    pins = [s for s in families["viridian_request_duration_seconds"].samples if s.labels["via"] == "pin"]
    buckets = [s for s in pins if s.name.endswith("_bucket")]
    assert [s.labels["le"] for s in buckets] == ["0.01", "0.1", "1.0", "+Inf"]
    assert [s.value for s in buckets] == list(accumulate([0, 1, 0, 1]))
    assert [s.value for s in pins if s.name.endswith("_count")] == [2.0]
    assert set(buckets[0].labels) == {*identity, "via", "le"}
    assert "process_resident_memory_bytes" in families


DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
IDENTITY = {"model_namespace", "model", "revision", "pod_uid"}


def documented() -> dict[str, set[str]]:
    """The labels of each series of the contract, as the documentation has them."""
    contract = DOCUMENT.read_text().partition("## Metrics of a serving pod")[2].partition("\n## ")[0]
    found: dict[str, set[str]] = {}
    for name, cell in re.findall(r"^\| `(viridian_\w+)` \| ([^|]*) \|", contract, re.MULTILINE):
        labels = set(re.findall(r"`(\w+)`", cell))
        if "the same without" in cell:
            labels = found["viridian_requests_total"] - labels
        found[name] = labels | IDENTITY if "the first four" in cell else labels
    return found


def test_the_page_has_the_series_of_the_contract_and_no_other() -> None:
    # given a pod that has something to say of each kind
    failures = FailureCounts()
    failed = context_of(Request(b"POST", b"/predict", {}, b"", 0), "id", Via.SPLIT, 0, failure=Failure("timeout", 504))
    failures.observe([failed])
    identity = ("ml", "iris", "iris-3", "uid")
    families = [
        *build_registry(FrozenCounters(BOUNDS, 2.0, at(100)), identity, (), lambda: at(101)).collect(),
        *FallbackGauge(identity, lambda: UNKNOWN).collect(),
        *failures.families(tuple(exposition.IDENTITY), identity),
    ]
    # then its series and their labels are those that the documentation names
    page = {
        family.name + ("_total" if family.type == "counter" else ""): set(family.samples[0].labels) - {"le"}
        for family in families
        if family.name.startswith("viridian_")
    }
    assert page == documented()
