"""Requests that come together travel together, and fail alone."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.waiting import until

from viridian_serving.inference.batcher import CallFailedError, DynamicBatcher, Job, QueueFullError

StringJob = Job[str, str]


class FakeModel:
    """Answers when told to, and remembers what it was asked."""

    def __init__(self, *, poison: str = "", held: bool = False) -> None:
        self.calls: list[list[str]] = []
        self.running = 0
        self.most_running = 0
        self.gate = asyncio.Event()
        self._poison = poison
        if not held:
            self.gate.set()

    async def __call__(self, jobs: Sequence[StringJob], deadline: float) -> list[str]:
        self.calls.append([job.payload for job in jobs])
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(0)
        await self.gate.wait()
        self.running -= 1
        if any(job.payload == self._poison for job in jobs):
            raise CallFailedError("poisoned")
        return [job.payload.upper() for job in jobs]


def make(model: FakeModel, *, slots: int = 1, max_rows: int = 4, max_queue: int = 100) -> DynamicBatcher[str, str]:
    return DynamicBatcher(model, calls_in_flight=slots, max_rows=max_rows, max_queue=max_queue)


def job(payload: str, *, key: str = "shape", rows: int = 1, seconds: float = 60) -> StringJob:
    return Job(key, rows, payload, asyncio.get_running_loop().time() + seconds)


async def test_a_single_request_leaves_at_once_and_alone() -> None:
    # given
    model = FakeModel()
    batcher = make(model)
    # when
    answer = await batcher.submit(job("a"))
    # then
    assert (answer, model.calls) == ("A", [["a"]])


async def test_requests_of_one_turn_share_a_call() -> None:
    # given
    model = FakeModel()
    batcher = make(model)
    # when
    answers = await asyncio.gather(*(batcher.submit(job(name)) for name in "abc"))
    # then
    assert (answers, model.calls) == (["A", "B", "C"], [["a", "b", "c"]])


async def test_what_arrives_during_a_call_travels_in_the_next() -> None:
    # given a call that runs
    model = FakeModel(held=True)
    batcher = make(model)
    first = batcher.submit(job("a"))
    await until(lambda: model.running)
    # when
    others = [batcher.submit(job(name)) for name in "bcd"]
    await asyncio.sleep(0)
    assert model.calls == [["a"]]
    model.gate.set()
    # then
    assert await asyncio.gather(first, *others) == ["A", "B", "C", "D"]
    assert model.calls == [["a"], ["b", "c", "d"]]


async def test_never_more_calls_than_slots_nor_more_rows_than_allowed() -> None:
    # given
    model = FakeModel()
    batcher = make(model, slots=2, max_rows=3)
    # when
    names = [chr(97 + i) for i in range(20)]
    answers = await asyncio.gather(*(batcher.submit(job(name)) for name in names))
    # then
    assert answers == [name.upper() for name in names]
    assert model.most_running == 2
    assert max(map(len, model.calls)) == 3


async def test_what_the_answered_ask_for_next_travels_in_the_next_call() -> None:
    # given a call that runs, and a job that waits for the only slot
    model = FakeModel(held=True)
    batcher = make(model)

    async def client() -> list[str]:
        return [await batcher.submit(job("a")), await batcher.submit(job("c"))]

    answered = asyncio.create_task(client())
    await until(lambda: model.running)
    waiting = batcher.submit(job("b"))
    # when the call ends, and who was answered asks again
    model.gate.set()
    # then both share the next
    assert (await answered, await waiting) == (["A", "C"], "B")
    assert model.calls == [["a"], ["b", "c"]]


async def test_what_does_not_fit_into_a_call_takes_the_next_free_slot_at_once() -> None:
    # given a model that holds back, and room for two calls
    model = FakeModel(held=True)
    batcher = make(model, slots=2, max_rows=2)
    # when more comes in one turn than one call takes
    answers = [batcher.submit(job(name)) for name in "abcd"]
    # then both calls run
    await until(lambda: model.running == 2)
    assert model.calls == [["a", "b"], ["c", "d"]]
    model.gate.set()
    assert await asyncio.gather(*answers) == ["A", "B", "C", "D"]


async def test_a_job_larger_than_a_call_travels_alone() -> None:
    model = FakeModel()
    batcher = make(model, max_rows=4)
    await asyncio.gather(*(batcher.submit(job(name, rows=rows)) for name, rows in [("a", 1), ("b", 9), ("c", 2)]))
    assert model.calls == [["a"], ["b"], ["c"]]


async def test_different_shapes_never_share_a_call_and_take_turns() -> None:
    # given
    model = FakeModel()
    batcher = make(model, max_rows=2)
    # when four of one shape and one of another wait
    await asyncio.gather(*(batcher.submit(job(f"x{i}", key="x")) for i in range(4)), batcher.submit(job("y", key="y")))
    # then the other shape comes second, not last
    assert model.calls == [["x0", "x1"], ["y"], ["x2", "x3"]]


async def test_a_failing_instance_fails_alone() -> None:
    # given
    model = FakeModel(poison="b")
    batcher = make(model)
    # when
    results = await asyncio.gather(*(batcher.submit(job(name)) for name in "abc"), return_exceptions=True)
    # then each was run again by itself, and only the bad one failed
    assert results[0] == "A"
    assert isinstance(results[1], CallFailedError)
    assert results[2] == "C"
    assert model.calls == [["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert batcher.stats.reruns == 3


async def test_a_single_failure_is_not_run_twice() -> None:
    model = FakeModel(poison="a")
    batcher = make(model)
    with pytest.raises(CallFailedError, match="poisoned"):
        await batcher.submit(job("a"))
    assert model.calls == [["a"]]


async def test_a_job_times_out_at_its_own_deadline_while_the_call_runs_on() -> None:
    # given
    model = FakeModel(held=True)
    batcher = make(model)
    hurried, patient = batcher.submit(job("a", seconds=0.02)), batcher.submit(job("b"))
    # when
    with pytest.raises(TimeoutError):
        await hurried
    model.gate.set()
    # then
    assert await patient == "B"


async def test_who_left_while_waiting_is_not_sent() -> None:
    # given
    model = FakeModel(held=True)
    batcher = make(model)
    first = batcher.submit(job("a"))
    await until(lambda: model.running)
    left, stays = batcher.submit(job("b")), batcher.submit(job("c"))
    # when
    left.cancel()
    model.gate.set()
    # then
    assert await asyncio.gather(first, stays) == ["A", "C"]
    assert model.calls == [["a"], ["c"]]
    assert batcher.queued_rows == 0


async def test_a_full_queue_turns_requests_away() -> None:
    # given
    model = FakeModel(held=True)
    batcher = make(model, max_queue=2)
    running = batcher.submit(job("a"))
    await until(lambda: model.running)
    waiting = [batcher.submit(job(name)) for name in "bc"]
    # when, then
    with pytest.raises(QueueFullError):
        batcher.submit(job("d"))
    model.gate.set()
    assert await asyncio.gather(running, *waiting) == ["A", "B", "C"]


async def test_a_defect_in_the_call_is_told_at_once_and_the_slot_is_free_again() -> None:
    # given
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    calls = 0

    async def broken(jobs: Sequence[StringJob], deadline: float) -> list[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError
        return [job.payload for job in jobs]

    batcher: DynamicBatcher[str, str] = DynamicBatcher(broken, calls_in_flight=1, max_rows=4, max_queue=10)
    # when, then
    with pytest.raises(CallFailedError, match="ZeroDivisionError"):
        await batcher.submit(job("a"))
    assert await batcher.submit(job("b")) == "b"
    assert len(reported) == 1


async def test_what_timed_out_or_was_given_up_takes_no_place_in_the_queue() -> None:
    # given a model that hangs, and a full queue before it
    model = FakeModel(held=True)
    batcher = make(model, max_queue=2)
    running = batcher.submit(job("a"))
    await until(lambda: model.running)
    late, left = batcher.submit(job("b", seconds=0.01)), batcher.submit(job("c"))
    with pytest.raises(QueueFullError):
        batcher.submit(job("d"))
    # when one passes its deadline, and the client of another leaves
    left.cancel()
    with pytest.raises(TimeoutError):
        await late
    await until(lambda: batcher.queued_rows == 0)
    # then others take their places
    others = [batcher.submit(job(name)) for name in "ef"]
    model.gate.set()
    assert await asyncio.gather(running, *others) == ["A", "E", "F"]
    assert model.calls == [["a"], ["e", "f"]]


async def test_a_job_that_nobody_waits_for_makes_room() -> None:
    # given a full queue, half of it only to be measured
    model = FakeModel(held=True)
    batcher = make(model, max_queue=2)
    running = batcher.submit(job("a"))
    await until(lambda: model.running)
    measured, wanted = job("b"), job("c")
    futures = [batcher.submit(measured), batcher.submit(wanted)]
    measured.demand.abandoned = True
    # when
    third = batcher.submit(job("d"))
    # then
    with pytest.raises(QueueFullError):
        await futures[0]
    with pytest.raises(QueueFullError):
        batcher.submit(job("e"))
    model.gate.set()
    assert await asyncio.gather(running, futures[1], third) == ["A", "C", "D"]
