"""Answers that are given again: the cache by itself, with the time as an argument, and a real pod that uses it."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.files import settings_file
from tests.serving.pod import post_many, running_pod
from tests.serving.two_pods import BY_ROUTE, two_pods
from tests.waiting import eventually

from viridian_serving.codec.oip import Encoded
from viridian_serving.inference.cache import AnswerCache, Entry, key_of


def entry(predictions: bytes = b"[1]", revision: str = "m-1", at: float = 0.0) -> Entry:
    return Entry(revision, "v1", predictions, at)


def cache_of(ttl: float = 30, stale_if_error: float = 300, max_bytes: int = 10_000) -> AnswerCache:
    return AnswerCache(ttl, stale_if_error, max_bytes)


# -- by itself


def test_an_answer_is_fresh_for_its_revision_and_its_time() -> None:
    cache = cache_of(ttl=30)
    cache.put(b"k", entry())
    assert cache.fresh(b"k", "m-1", now=29.9) == entry()
    assert cache.fresh(b"k", "m-1", now=30.0) is None
    assert cache.fresh(b"k", "m-2", now=1.0) is None
    assert cache.fresh(b"other", "m-1", now=1.0) is None


def test_a_stale_answer_may_be_another_revision_s() -> None:
    cache = cache_of(stale_if_error=300)
    cache.put(b"k", entry(revision="m-1"))
    assert cache.stale(b"k", now=300.0) == entry()
    assert cache.stale(b"k", now=300.1) is None


def test_what_was_longest_unused_makes_room() -> None:
    cache = cache_of(max_bytes=3 * 411)
    for key in (b"0123456789a", b"0123456789b", b"0123456789c"):
        cache.put(key, entry(b""))
    cache.fresh(b"0123456789a", "m-1", now=0.0)
    cache.put(b"0123456789d", entry(b""))
    assert cache.fresh(b"0123456789b", "m-1", now=0.0) is None
    assert len(cache) == 3


def test_room_is_given_back() -> None:
    cache = cache_of(ttl=1, max_bytes=500)
    for at in range(100):
        cache.put(b"k", entry(b"x" * 50, at=at))
    cache.put(b"huge", entry(b"x" * 1000))
    assert len(cache) == 1
    assert cache.fresh(b"k", "m-1", now=99.0) is not None


@pytest.mark.parametrize(
    "other",
    [
        ([Encoded(((2,),), 1, (b"ac",))], False),
        ([Encoded(((1, 2),), 1, (b"ab",))], False),
        ([Encoded(((2,),), 1, (b"ab",))], True),
        ([Encoded(((1,), (1,)), 1, (b"a", b"b"))], False),
        ([Encoded(((2,),), 1, (b"ab",))] * 2, False),
        ([], False),
    ],
)
def test_keys_tell_apart_what_the_model_does(other: tuple[list[Encoded], bool]) -> None:
    one = [Encoded(((2,),), 1, (b"ab",))]
    assert key_of(one, many=False) == key_of(list(one), many=False)
    assert key_of(one, many=False) != key_of(other[0], many=other[1])


async def ask(cache: AnswerCache, give: Callable[[], Awaitable[Entry]], patience: float = 5) -> tuple[Entry, bool]:
    return await cache.join(b"k", give, patience)


async def test_an_input_that_many_ask_for_at_once_is_answered_once() -> None:
    cache, asked = cache_of(), 0
    go = asyncio.Event()

    async def give() -> Entry:
        nonlocal asked
        asked += 1
        await go.wait()
        return entry()

    asking = [asyncio.create_task(ask(cache, give)) for _ in range(5)]
    await asyncio.sleep(0)
    go.set()
    answers = await asyncio.gather(*asking)
    assert asked == 1
    assert sorted(others for _, others in answers) == [False, True, True, True, True]
    # and the next one is asked anew
    await ask(cache, give)
    assert asked == 2


@pytest.mark.parametrize("how", ["fails", "leaves"])
async def test_when_the_first_one_gets_none_the_others_try_for_themselves(how: str) -> None:
    cache = cache_of()
    go = asyncio.Event()

    async def fail() -> Entry:
        await go.wait()
        raise ValueError

    async def give() -> Entry:
        return entry()

    first = asyncio.create_task(ask(cache, fail))
    await asyncio.sleep(0)
    second = asyncio.create_task(ask(cache, give))
    await asyncio.sleep(0)
    if how == "leaves":
        first.cancel()
    go.set()
    assert await second == (entry(), False)
    with pytest.raises((ValueError, asyncio.CancelledError)):
        await first


async def test_nobody_waits_for_another_longer_than_for_themselves() -> None:
    cache = cache_of()
    first = asyncio.create_task(ask(cache, lambda: asyncio.sleep(60, entry())))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await ask(cache, lambda: asyncio.sleep(60, entry()), patience=0.01)
    first.cancel()


# -- in a pod


@pytest.mark.serving
async def test_the_same_input_is_answered_again_without_the_model(tmp_path: Path) -> None:
    cache = settings_file(tmp_path / "live", cache={"ttl": "60s"})
    with running_pod(tmp_path / "pod", models.lookup, FEEDBACK_KEY="k" * 16, **cache) as pod:
        eventually(lambda: '"cache"' in pod.log(), pod.log)
        # given
        first = pod.predict({"i": 3}, **BY_ROUTE)
        calls, before = pod.calls(), pod.counts()
        # when the same is asked again, written otherwise, and by way of an address
        again = [
            pod.request("POST", "/predict", b'{ "i" :[3]}', headers=BY_ROUTE),
            pod.request("GET", "/predict?i=3", headers=BY_ROUTE),
        ]
        # then the model is not asked, it is counted as nothing that the model did, and the answer says so
        assert (pod.calls(), pod.since(before)) == (calls, {("split", "cached"): 2})
        assert first.json["prediction"] == 30.0
        assert "cached" not in first.json
        assert "age" not in first.headers
        for answer in again:
            assert (answer.status, answer.json["prediction"], answer.json["cached"]) == (200, 30.0, "hit")
            assert answer.headers["viridian-cache"] == "hit"
            assert 0 <= int(answer.headers["age"]) < 60
            assert answer.json["request_id"] != first.json["request_id"]
            assert answer.json["feedback_token"] != first.json["feedback_token"]
        assert "etag" in again[1].headers
        assert pod.gauge("viridian_cache_hits_total") == 2
        # but not for what is about the model, nor for a list, which is answered otherwise
        assert "cached" not in pod.predict({"i": 3}, Viridian_Via="check").json
        assert "cached" not in pod.predict([{"i": 3}]).json
        assert pod.predict([{"i": 3}]).json["cached"] == "hit"


@pytest.mark.serving
async def test_requests_of_one_input_at_the_same_time_are_one_for_the_model(tmp_path: Path) -> None:
    cache = settings_file(tmp_path / "live", cache={"ttl": "60s"})
    with running_pod(tmp_path / "pod", models.slow, **cache) as pod:
        eventually(lambda: '"cache"' in pod.log(), pod.log)
        before, counts = pod.calls(), pod.counts()
        answers = await post_many(pod, [{"rounds": 30_000}] * 10, clients=10)
        assert {(answer.status, answer.json["prediction"]) for answer in answers} == {
            (200, answers[0].json["prediction"])
        }
        assert pod.calls() == before + 1
        assert Counter(answer.json.get("cached") for answer in answers) == {None: 1, "hit": 9}
        assert pod.since(counts) == {("direct", "ok"): 1, ("direct", "cached"): 9}


@pytest.mark.serving
async def test_an_old_answer_of_either_revision_is_better_than_an_error(tmp_path: Path) -> None:
    live = settings_file(tmp_path / "live", cache={"ttl": "1ms", "staleIfError": "60s"})
    with two_pods(tmp_path, **live) as pair:
        pair.wait_until_known()
        # given what the candidate answered, and what stable answered in its stead
        own = pair.candidate.predict({"i": 1}, **BY_ROUTE)
        rescued = pair.candidate.predict({"i": 5}, **BY_ROUTE)
        assert rescued.headers["viridian-fallback"] == "stable"
        before = pair.candidate.counts()
        # when neither answers any more
        pair.service.target = None
        for pod in (pair.candidate, pair.stable):
            (triton,) = pod.processes("tritonserver")
            os.kill(triton, signal.SIGKILL)
        # then the old answers are given, each in the name of who gave it
        for asked, given, revision in (({"i": 1}, own, "m-2"), ({"i": 5}, rescued, "m-1")):
            answer = pair.candidate.predict(asked, **BY_ROUTE)
            assert (answer.status, answer.json["prediction"]) == (200, given.json["prediction"])
            assert (answer.json["cached"], answer.headers["viridian-cache"]) == ("stale", "stale")
            assert answer.json["revision"] == answer.headers["viridian-revision"] == revision
            assert int(answer.headers["age"]) >= 0
        # and what was never answered is an error
        assert pair.candidate.predict({"i": 0}, **BY_ROUTE).status == 503
        # and all of it counts against the candidate
        assert pair.candidate.since(before) == {("split", "error"): 3}


@pytest.mark.serving
def test_settings_take_effect_while_the_pod_runs(tmp_path: Path) -> None:
    live = settings_file(tmp_path / "live", cache={"ttl": "60s"})
    with running_pod(tmp_path / "pod", models.lookup, **live) as pod:
        # given
        eventually(lambda: '"cache"' in pod.log(), pod.log)
        pod.predict({"i": 3})
        assert pod.predict({"i": 3}).json["cached"] == "hit"
        # when the cache is turned off, and clients are held to a rate
        settings_file(tmp_path / "live", rateLimit={"requestsPerSecond": 1, "clientHeader": "X-User"})
        eventually(lambda: '"rateLimit"' in pod.log(), pod.log)
        # then
        ada = {**BY_ROUTE, "X_User": "ada"}
        first, second = pod.predict({"i": 3}, **ada), pod.predict({"i": 3}, **ada)
        assert "cached" not in first.json
        assert (first.status, second.status) == (200, 429)
        assert second.json["type"] == "urn:viridian:problem:rate-limited"
        assert int(second.headers["retry-after"]) == 1
        # and another client may, told by the header or else by the address that the gateway adds
        assert pod.predict({"i": 3}, **BY_ROUTE, X_User="bob").status == 200
        assert pod.predict({"i": 3}, **BY_ROUTE, X_Forwarded_For="10.9.9.9, 10.0.0.1").status == 200
        assert pod.predict({"i": 3}, **BY_ROUTE, X_Forwarded_For="10.8.8.8, 10.0.0.1").status == 429
        # but past the gateway nobody chooses a name
        statuses = [pod.predict({"i": 3}, X_User=f"user-{n}").status for n in range(3)]
        assert statuses == [200, 429, 429]
        assert pod.gauge("viridian_rate_limited_total") == 4
        assert pod.counts()["split", "rejected"] == 2


@pytest.mark.serving
def test_who_says_that_it_is_a_pod_in_need_is_held_to_the_rate_as_well(tmp_path: Path) -> None:
    # given
    live = settings_file(tmp_path / "live", rateLimit={"requestsPerSecond": "0.01"})
    with running_pod(tmp_path / "pod", models.lookup, **live) as pod:
        eventually(lambda: '"rateLimit"' in pod.log(), pod.log)
        # when
        answers = [
            pod.predict({"i": 3}, "FALLBACK_PORT", Viridian_Via="fallback", X_Forwarded_For=f"10.0.0.{n}")
            for n in range(3)
        ]
        # then
        assert [answer.status for answer in answers] == [200, 429, 429]
        assert pod.counts() == {("fallback", "ok"): 1, ("fallback", "rejected"): 2}
