"""The work queue."""

import asyncio
import random

import pytest
from tests.waiting import DEADLINE

from viridian.controller.runtime.queue import WorkQueue
from viridian.kube.backoff import Backoff


async def soon(queue: WorkQueue[str]) -> str:
    return await asyncio.wait_for(queue.take(), DEADLINE)


async def nothing_comes(queue: WorkQueue[str], within: float = 0.05) -> bool:
    try:
        await asyncio.wait_for(queue.take(), within)
    except TimeoutError:
        return True
    return False


async def test_a_key_that_waits_already_is_not_added_again() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert [await soon(queue), await soon(queue)] == ["a", "b"]
    assert await nothing_comes(queue)


async def test_a_group_with_many_keys_delays_another_by_one() -> None:
    # given a group with a thousand keys
    queue: WorkQueue[str] = WorkQueue(lambda key: key[0])
    for number in range(1000):
        queue.add(f"a{number}")

    # when two others have some
    for key in ("b0", "b1", "c0"):
        queue.add(key)

    # then each has its turn, with its own keys in their order
    assert [await soon(queue) for _ in range(7)] == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


async def test_a_group_that_comes_again_stands_behind_the_others() -> None:
    # given keys of two groups, of which one is taken and wished for again at once
    queue: WorkQueue[str] = WorkQueue(lambda key: key[0])
    for key in ("a0", "b0", "c0"):
        queue.add(key)
    assert await soon(queue) == "a0"
    queue.done("a0")
    queue.add("a0")

    # then the others come before it
    assert [await soon(queue) for _ in range(3)] == ["b0", "c0", "a0"]
    assert await nothing_comes(queue)


async def test_a_key_in_work_comes_again_once_and_only_afterwards() -> None:
    # given a key that somebody works on
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await soon(queue)

    # when it is asked for twice meanwhile, then nobody else gets it
    queue.add("a")
    queue.add("a")
    assert await nothing_comes(queue)

    # and when the work is done, then it comes once more
    queue.done("a")
    assert await soon(queue) == "a"
    queue.done("a")
    assert await nothing_comes(queue)


async def test_no_key_has_two_workers_and_no_wish_is_lost() -> None:
    # given a number that grows for each key, and workers that look at it when they begin
    queue: WorkQueue[int] = WorkQueue(backoff=Backoff(0.001, 0.002))
    wanted, seen = dict.fromkeys(range(5), 0), dict.fromkeys(range(5), 0)
    busy: set[int] = set()
    up_to_date = asyncio.Event()
    chance = random.Random(1)

    async def work() -> None:
        while True:
            key = await queue.take()
            assert key not in busy
            busy.add(key)
            before = wanted[key]
            await asyncio.sleep(chance.choice([0, 0.001]))
            busy.discard(key)
            if chance.random() < 0.3:
                queue.failed(key)
                continue
            seen[key] = before
            queue.done(key)
            if seen == wanted and sum(wanted.values()) == 300:
                up_to_date.set()

    # when wishes come in any order while they work
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(4)]
        for _ in range(300):
            key = chance.randrange(5)
            wanted[key] += 1
            queue.add(key)
            await asyncio.sleep(chance.choice([0, 0, 0.001]))

        # then each key is worked on after its last wish
        await up_to_date.wait()
        for worker in workers:
            worker.cancel()


async def test_the_delay_grows_with_each_failure_and_is_forgotten_after_a_success() -> None:
    queue: WorkQueue[str] = WorkQueue(backoff=Backoff(0.2, 30.0, jitter=0))
    assert [queue.failed("a") for _ in range(9)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
    assert queue.failed("b") == 0.2
    queue.done("a")
    assert queue.failed("a") == 0.2
    for key in ("a", "b"):
        queue.forget(key)


async def test_a_failure_of_long_standing_still_has_a_delay() -> None:
    queue: WorkQueue[str] = WorkQueue()
    delays = [queue.failed("a") for _ in range(3000)]
    assert 0.8 * 30.0 <= delays[-1] <= 30.0
    queue.forget("a")


async def test_a_failed_key_comes_again_by_itself() -> None:
    queue: WorkQueue[str] = WorkQueue(backoff=Backoff(0.01, 30.0))
    queue.add("a")
    queue.failed(await soon(queue))
    assert await soon(queue) == "a"


async def test_an_event_does_not_wait_for_the_delay() -> None:
    queue: WorkQueue[str] = WorkQueue(backoff=Backoff(60.0, 60.0))
    queue.add("a")
    queue.failed(await soon(queue))
    queue.add("a")
    assert await soon(queue) == "a"
    queue.forget("a")


@pytest.mark.parametrize("delays", [(60, 0.01), (0.01, 60), (0.05, 0.01)])
async def test_of_two_wishes_for_later_the_sooner_one_counts(delays: tuple[float, float]) -> None:
    queue: WorkQueue[str] = WorkQueue()
    for delay in delays:
        queue.add_after("a", delay)
    assert await soon(queue) == "a"
    queue.done("a")
    assert await nothing_comes(queue, within=0.1)


async def test_a_forgotten_key_does_not_come_again() -> None:
    queue: WorkQueue[str] = WorkQueue(backoff=Backoff(0.01, 30.0))
    queue.add("a")
    queue.failed(await soon(queue))
    queue.add_after("b", 0.01)
    for key in ("a", "b", "never seen"):
        queue.forget(key)
    assert await nothing_comes(queue)
