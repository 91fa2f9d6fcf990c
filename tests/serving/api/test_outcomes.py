"""Real Triton, real API: what is counted, and as what."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.frozen import frozen
from tests.serving import models
from tests.serving.pod import Pod, counts_of, post_many, running_pod, stamp_of
from tests.waiting import eventually

pytestmark = pytest.mark.serving


async def test_a_failing_instance_fails_alone_and_counters_are_exact(lookup: Pod) -> None:
    # given good, failing and invalid requests, all at once
    before = lookup.counts()
    indices = [i % 10 if i % 7 else 99 for i in range(210)]
    bodies: list[object] = [{"i": index} for index in indices] + [{"i": "x"}] * 5
    # when
    answers = await post_many(lookup, bodies, clients=24, Viridian_Via="split")
    # then
    for index, answer in zip(indices, answers, strict=False):
        if index == 99:
            assert answer.status == 500
            assert answer.json["type"] == "urn:viridian:problem:model-failed"
            assert b"Gather" not in answer.body
        else:
            assert (answer.status, answer.json["prediction"]) == (200, index * 10.0)
    assert lookup.since(before) == {("split", "ok"): 180, ("split", "error"): 30, ("split", "rejected"): 5}


def test_a_list_with_a_failing_instance_is_one_error(lookup: Pod) -> None:
    before = lookup.counts()
    answer = lookup.predict([{"i": 1}, {"i": 99}])
    assert answer.status == 500
    assert lookup.since(before) == {("direct", "error"): 1}


@pytest.mark.parametrize(
    ("port", "claimed", "counted"),
    [
        ("HTTP_PORT", "split", "split"),
        ("HTTP_PORT", "pin", "pin"),
        ("HTTP_PORT", "", "direct"),
        ("HTTP_PORT", "nonsense", "direct"),
        ("HTTP_PORT", "split, pin", "direct"),
        ("FALLBACK_PORT", "fallback", "fallback"),
        ("FALLBACK_PORT", "split", "direct"),
        ("FALLBACK_PORT", "pin", "direct"),
        ("FALLBACK_PORT", "", "direct"),
    ],
)
def test_who_may_say_how_a_request_came(lookup: Pod, port: str, claimed: str, counted: str) -> None:
    # given
    before = lookup.counts()
    headers = {"Viridian_Via": claimed} if claimed else {}
    # when
    assert lookup.predict({"i": 3}, port, **headers).status == 200
    # then
    assert lookup.since(before) == {(counted, "ok"): 1}


def test_only_inferences_count(lookup: Pod) -> None:
    before = lookup.counts()
    for path in ("/health", "/live", "/ready", "/v2", "/v2/health/ready", "/v2/models/m", "/nothing", "/docs"):
        lookup.get(path)
    assert lookup.since(before) == {}


def test_counters_stand_still_between_multiples_of_the_interval(tmp_path: Path) -> None:
    # given an interval that is long enough to look at
    with running_pod(tmp_path, models.lookup, SCRAPE_INTERVAL="3s") as served:
        page = served.metrics_after(time.time())  # the beginning of an interval
        stamp, before = stamp_of(page), counts_of(page)
        # when
        served.predict({"i": 1})
        seen = [(stamp, before)]

        def is_counted() -> bool:
            page = served.get("/metrics", "METRICS_PORT").body.decode()
            seen.append((stamp_of(page), counts_of(page)))
            return seen[-1][1] == {("direct", "ok"): 1}

        eventually(is_counted, lambda: str(seen))
        # then all pages of an interval say the same
        assert before == {}
        assert all(stamp % 3 == 0 for stamp, _ in seen)
        assert len({(stamp, tuple(counts)) for stamp, counts in seen}) == len({stamp for stamp, _ in seen})


def test_a_timeout_is_an_error_at_its_time(pod: Callable[..., Pod]) -> None:
    # given
    served = pod(models.slow, TIMEOUT="500ms")
    # when
    started = time.monotonic()
    answer = served.predict({"rounds": 10_000_000})
    # then
    assert (answer.status, answer.json["type"]) == (504, "urn:viridian:problem:timeout")
    assert 0.4 < time.monotonic() - started < 60
    assert served.counts() == {("direct", "error"): 1}


def test_clients_that_lose_patience_count_as_errors(pod: Callable[..., Pod]) -> None:
    # given a model that hangs for longer than its clients wait
    served = pod(models.slow, TIMEOUT="120s", ABANDONED_AFTER="300ms")
    body = json.dumps({"rounds": 10_000_000}).encode()
    # when one leaves after that time, and one before it
    for patience in (0.4, 0.1):
        assert served.request("POST", "/predict", body, seconds=patience).status == 0
    # then both are counted long before the timeout of 120 s
    eventually(lambda: served.counts() == {("direct", "error"): 2}, lambda: str(served.counts()), within=100)


def test_a_client_that_leaves_before_a_quick_answer_is_not_judged(pod: Callable[..., Pod]) -> None:
    # given a model that answers once its client has left
    served = pod(models.slow, TIMEOUT="120s", ABANDONED_AFTER="110s")
    (triton,) = served.processes("tritonserver")
    # when
    with frozen(triton):
        assert served.request("POST", "/predict", b'{"rounds": 1}', seconds=0.5).status == 0
    # then
    eventually(lambda: served.counts() == {("direct", "rejected"): 1}, lambda: str(served.counts()))


@pytest.mark.parametrize(
    ("abandoned_after", "rounds", "outcome"), [("300ms", 10_000_000, "error"), ("110s", 30_000, "rejected")]
)
def test_a_client_that_says_how_long_it_waits_is_told_then_and_judged_as_if_it_had_left(
    pod: Callable[..., Pod], abandoned_after: str, rounds: int, outcome: str
) -> None:
    # given a model that takes longer than its client waits
    served = pod(models.slow, TIMEOUT="120s", ABANDONED_AFTER=abandoned_after)
    # when
    started = time.monotonic()
    answer = served.predict({"rounds": rounds}, **{"Viridian-Timeout-Ms": "100"})
    # then it is not kept waiting for the timeout of 120 s
    assert (answer.status, answer.json["type"]) == (504, "urn:viridian:problem:timeout")
    assert "Viridian-Timeout-Ms" in answer.json["detail"]
    assert 0.1 <= time.monotonic() - started < 100
    # and whether the model was slow is judged by the same patience for every client
    eventually(lambda: served.counts() == {("direct", outcome): 1}, lambda: str(served.counts()))


@pytest.mark.parametrize("given", ["soon", "0", "-5", "1.5", "1e3", "9" * 20])
def test_a_time_that_cannot_be_meant_is_said(digits: Pod, given: str) -> None:
    answer = digits.predict([0.0] * 64, **{"Viridian-Timeout-Ms": given})
    assert (answer.status, answer.json["type"]) == (400, "urn:viridian:problem:invalid-timeout")
    assert "Viridian-Timeout-Ms must be a whole number of milliseconds" in answer.json["detail"]


def test_who_waits_long_enough_gets_the_answer(digits: Pod) -> None:
    assert digits.predict([0.0] * 64, **{"Viridian-Timeout-Ms": "9000"}).status == 200
