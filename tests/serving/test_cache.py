"""The cache of answers, with the time as an argument."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from viridian_serving.cache import AnswerCache, Entry


def entry(answer: bytes = b"1", revision: str = "m-1", at: float = 0.0) -> Entry:
    return Entry(revision, answer, at)


def test_an_answer_is_fresh_for_its_revision_and_its_time():
    cache = AnswerCache(10_000)
    cache.put(b"k", entry())
    assert cache.fresh(b"k", "m-1", ttl=30, now=29.9) == entry()
    assert cache.fresh(b"k", "m-1", ttl=30, now=30.0) is None
    assert cache.fresh(b"k", "m-2", ttl=30, now=1.0) is None
    assert cache.fresh(b"other", "m-1", ttl=30, now=1.0) is None


def test_a_stale_answer_may_be_another_revision_s():
    cache = AnswerCache(10_000)
    cache.put(b"k", entry(revision="m-1"))
    assert cache.stale(b"k", longest=300, now=300.0) == entry()
    assert cache.stale(b"k", longest=300, now=300.1) is None


def test_what_was_longest_unused_makes_room():
    cache = AnswerCache(3 * 411)
    for key in (b"0123456789a", b"0123456789b", b"0123456789c"):
        cache.put(key, entry(b""))
    cache.fresh(b"0123456789a", "m-1", ttl=30, now=0.0)
    cache.put(b"0123456789d", entry(b""))
    assert cache.fresh(b"0123456789b", "m-1", ttl=30, now=0.0) is None
    assert len(cache) == 3


def test_room_is_given_back():
    cache = AnswerCache(500)
    for at in range(100):
        cache.put(b"k", entry(b"x" * 50, at=at))
    cache.put(b"huge", entry(b"x" * 1000))
    assert len(cache) == 1
    assert cache.fresh(b"k", "m-1", ttl=1, now=99.0) is not None


async def ask(cache: AnswerCache, give: Callable[[], Awaitable[Entry]], patience: float = 5) -> tuple[Entry, bool]:
    return await cache.join(b"k", give, patience)


async def test_an_input_that_many_ask_for_at_once_is_answered_once():
    cache, asked = AnswerCache(1000), 0
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
async def test_when_the_first_one_gets_none_the_others_try_for_themselves(how: str):
    cache = AnswerCache(1000)
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


async def test_nobody_waits_for_another_longer_than_for_themselves():
    cache = AnswerCache(1000)
    first = asyncio.create_task(ask(cache, lambda: asyncio.sleep(60, entry())))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await ask(cache, lambda: asyncio.sleep(60, entry()), patience=0.01)
    first.cancel()
