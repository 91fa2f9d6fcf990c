"""Futures that fail at their deadlines."""

import asyncio

import pytest

from viridian_serving.inference.deadlines import STEP, Deadlines


async def test_each_fails_at_its_own_time_and_never_before() -> None:
    # given
    loop = asyncio.get_running_loop()
    deadlines, begun = Deadlines(), loop.time()
    ended: dict[str, float] = {}
    futures = {name: loop.create_future() for name in ("soon", "late", "with soon")}
    for name, seconds in (("late", 0.2), ("soon", 0.05), ("with soon", 0.05)):
        futures[name].add_done_callback(lambda _, name=name: ended.setdefault(name, loop.time() - begun))
        deadlines.add(futures[name], begun + seconds)
    # when
    await asyncio.wait(futures.values())
    # then
    assert all(isinstance(future.exception(), TimeoutError) for future in futures.values())
    assert list(ended)[-1] == "late"
    assert ended["soon"] >= 0.05
    assert ended["late"] >= 0.2


async def test_what_is_done_or_forgotten_is_left_alone() -> None:
    # given
    loop = asyncio.get_running_loop()
    deadlines, due = Deadlines(), loop.time() + STEP
    done, forgotten, last = loop.create_future(), loop.create_future(), loop.create_future()
    together = deadlines.add(forgotten, due)
    for future in (done, last):
        deadlines.add(future, due)
    # when
    done.set_result("answered")
    together.discard(forgotten)
    with pytest.raises(TimeoutError):
        await last
    # then
    assert done.result() == "answered"
    assert not forgotten.done()


async def test_no_timer_is_left_behind_by_many_that_are_due_together() -> None:
    # given
    loop = asyncio.get_running_loop()
    deadlines, due = Deadlines(), loop.time() + STEP
    # when a thousand come and go
    for _ in range(1000):
        future = loop.create_future()
        together = deadlines.add(future, due)
        future.set_result(None)
        together.discard(future)
    # then nothing of them is kept but one moment, until it has passed
    assert [len(futures) for futures in deadlines._due.values()] == [0]
    last = loop.create_future()
    deadlines.add(last, due)
    with pytest.raises(TimeoutError):
        await last
    assert not deadlines._due
