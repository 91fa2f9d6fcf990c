"""A request that is the only one is sent without being queued, and ends as any other."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from tests.waiting import until

from viridian_serving.inference.batcher import CallFailedError, DynamicBatcher, Job, NotSentError

StringJob = Job[str, str]
Settle = Callable[[str | CallFailedError], None]


class Calls:
    """Both ways to the model; a test answers what came the straight one."""

    def __init__(self, *, connected: bool = True) -> None:
        self.connected = connected
        self.joined: list[list[str]] = []
        self.straight: list[str] = []
        self.settle: list[Settle] = []
        self.given_up: list[str] = []

    async def join(self, jobs: Sequence[StringJob], deadline: float) -> list[str]:
        self.joined.append([job.payload for job in jobs])
        await asyncio.sleep(0)
        return [job.payload.upper() for job in jobs]

    def now(self, job: StringJob, settle: Settle) -> Callable[[], None] | None:
        if not self.connected:
            return None
        self.straight.append(job.payload)
        self.settle.append(settle)

        def give_up() -> None:
            self.given_up.append(job.payload)
            settle(CallFailedError("given up"))

        return give_up


def make(calls: Calls) -> DynamicBatcher[str, str]:
    return DynamicBatcher(calls.join, calls_in_flight=2, max_rows=4, max_queue=100, call_now=calls.now)


def job(payload: str, *, seconds: float = 60) -> StringJob:
    return Job("shape", 1, payload, asyncio.get_running_loop().time() + seconds)


async def test_the_only_request_is_sent_before_submit_returns() -> None:
    # given
    calls = Calls()
    batcher = make(calls)
    # when
    only = job("a")
    waits = batcher.submit(only)
    # then it has left, and counts as a call
    assert (calls.straight, batcher.queued_rows, only.demand.sent > 0) == (["a"], 0, True)
    calls.settle[0]("A")
    assert await waits == "A"
    assert (batcher.stats.calls, batcher.stats.rows, calls.joined) == (1, 1, [])


async def test_what_comes_meanwhile_is_joined_until_a_client_is_alone_for_a_while() -> None:
    # given a request that runs
    calls = Calls()
    batcher = make(calls)
    first = batcher.submit(job("a"))
    # when others come
    others = [batcher.submit(job(payload)) for payload in "bcd"]
    calls.settle[0]("A")
    # then they share a call
    assert await asyncio.gather(first, *others) == ["A", "B", "C", "D"]
    assert calls.joined == [["b", "c", "d"]]
    # and when one client is left, its requests are queued a few times, and then sent straight again
    sent = 0
    while len(calls.straight) == 1:
        waits = batcher.submit(job("e"))
        await until(lambda: waits.done() or len(calls.straight) > 1)  # noqa: B023  it is awaited at once
        sent += 1
        assert sent < 100
    calls.settle[1]("E")
    assert await waits == "E"
    assert sent > 2


async def test_without_a_connection_it_is_queued() -> None:
    calls = Calls(connected=False)
    assert await make(calls).submit(job("a")) == "A"
    assert calls.joined == [["a"]]


async def test_a_call_that_did_not_take_place_is_made_the_other_way() -> None:
    # given a connection that turns out to be closed
    calls = Calls()
    waits = make(calls).submit(job("a"))
    # when
    calls.settle[0](NotSentError())
    # then
    assert await waits == "A"


async def test_a_failure_is_that_of_the_request() -> None:
    calls = Calls()
    batcher = make(calls)
    waits = batcher.submit(job("a"))
    calls.settle[0](CallFailedError("poisoned"))
    with pytest.raises(CallFailedError, match="poisoned"):
        await waits
    assert batcher.stats.reruns == 0


async def test_at_its_deadline_the_call_is_given_up() -> None:
    # given a model that hangs
    calls = Calls()
    batcher = make(calls)
    # when
    with pytest.raises(TimeoutError):
        await batcher.submit(job("a", seconds=0.01))
    # then its call is ended, and the next request has its slot
    await until(lambda: calls.given_up == ["a"])
    again = batcher.submit(job("b"))
    calls.settle[1]("B")
    assert await again == "B"


async def test_the_call_of_a_client_that_left_goes_on_until_its_deadline() -> None:
    # given a request whose client leaves
    calls = Calls()
    batcher = make(calls)
    waits = batcher.submit(job("a", seconds=0.2))
    waits.cancel()
    await asyncio.sleep(0)
    # when others come, then the model works on both
    assert calls.given_up == []
    assert await batcher.submit(job("b")) == "B"
    # and when it still does at the first one's deadline, that is given up
    await until(lambda: calls.given_up == ["a"])


async def test_an_answer_that_comes_after_its_client_left_frees_the_slot() -> None:
    # given
    calls = Calls()
    batcher = make(calls)
    batcher.submit(job("a", seconds=0.05)).cancel()
    await asyncio.sleep(0)
    # when
    calls.settle[0]("A")
    # then the next one is alone again, and nothing is given up at the deadline
    waits = batcher.submit(job("b"))
    calls.settle[1]("B")
    assert await waits == "B"
    await asyncio.sleep(0.1)
    assert calls.given_up == []
