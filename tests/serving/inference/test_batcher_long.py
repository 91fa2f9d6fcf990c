"""While the calls of a model that works on one after the other are long, one is in flight, and takes all that waits."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from tests.waiting import until

from viridian_serving.inference.batcher import CallFailedError, DynamicBatcher, Job

StringJob = Job[str, str]
SHORT, LONG = 0.001, 0.01
"""Seconds that a call takes."""


class Model:
    """Ends each call when a test says so, on the test's clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.ended: list[asyncio.Event] = []
        self._now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self._now)

    async def __call__(self, jobs: Sequence[StringJob], deadline: float) -> list[str]:
        self.calls.append("".join(job.payload for job in jobs))
        self.ended.append(asyncio.Event())
        await self.ended[-1].wait()
        if self.calls[-1] == "x":
            raise CallFailedError
        return [job.payload.upper() for job in jobs]

    def end(self, call: str, seconds: float) -> None:
        """End a call that runs, after so long."""
        self._now += seconds
        self.ended[self.calls.index(call)].set()

    async def is_asked(self, *calls: str) -> None:
        """Wait until these are all the calls that were made, and see that there are no more in the next turns."""
        await until(lambda: len(self.calls) >= len(calls))
        for _ in range(10):
            await asyncio.sleep(0)
        assert self.calls == list(calls)


def make(model: Model, *, serial: bool = True) -> DynamicBatcher[str, str]:
    return DynamicBatcher(model, calls_in_flight=2, max_rows=200, max_queue=1000, serial=serial)


def job(payload: str, rows: int = 1, size: int = 0) -> StringJob:
    return Job("shape", rows, payload, asyncio.get_running_loop().time() + 60, size=size)


async def last_call(
    model: Model, batcher: DynamicBatcher[str, str], seconds: float, rows: int = 1, size: int = 0
) -> None:
    """Let one call, `a`, take so long: by it the batcher knows the model."""
    first = batcher.submit(job("a", rows, size))
    await model.is_asked("a")
    model.end("a", seconds)
    await first


@pytest.mark.parametrize(
    ("seconds", "rows", "size", "serial"),
    [
        pytest.param(SHORT, 1, 0, True, id="short"),
        pytest.param(LONG, 100, 0, True, id="short for its rows"),
        pytest.param(LONG, 1, 1_000_000, True, id="short for its bytes"),
        pytest.param(LONG, 1, 0, False, id="not serial"),
    ],
)
async def test_a_call_is_made_beside_another(
    monkeypatch: pytest.MonkeyPatch, seconds: float, rows: int, size: int, serial: bool
) -> None:
    # given a model whose last call was not long, or that works on several
    model = Model(monkeypatch)
    batcher = make(model, serial=serial)
    await last_call(model, batcher, seconds, rows, size)
    # when requests come one after the other
    waits = [batcher.submit(job("b"))]
    await model.is_asked("a", "b")
    waits.append(batcher.submit(job("c")))
    # then each is sent at once
    await model.is_asked("a", "b", "c")
    model.end("b", seconds)
    model.end("c", seconds)
    assert await asyncio.gather(*waits) == ["B", "C"]


async def test_what_comes_during_a_long_call_travels_together_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a model whose last call was long
    model = Model(monkeypatch)
    batcher = make(model)
    await last_call(model, batcher, LONG)
    # when requests come one after the other
    waits = [batcher.submit(job("b"))]
    await model.is_asked("a", "b")
    waits.append(batcher.submit(job("c")))
    await model.is_asked("a", "b")
    assert batcher.calls_in_flight == 1
    waits.append(batcher.submit(job("d")))
    model.end("b", LONG)
    # then those behind the call share one
    await model.is_asked("a", "b", "cd")
    model.end("cd", SHORT)
    assert await asyncio.gather(*waits) == ["B", "C", "D"]
    assert batcher.calls_in_flight == 2
    # and once a call was short, one is made beside another again
    waits = [batcher.submit(job("e"))]
    await model.is_asked("a", "b", "cd", "e")
    waits.append(batcher.submit(job("f")))
    await model.is_asked("a", "b", "cd", "e", "f")
    model.end("e", SHORT)
    model.end("f", SHORT)
    assert await asyncio.gather(*waits) == ["E", "F"]


async def test_of_two_calls_that_turn_out_long_only_the_last_is_followed_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given two calls that run, and requests that wait
    model = Model(monkeypatch)
    batcher = make(model)
    waits = [batcher.submit(job("a"))]
    await model.is_asked("a")
    waits.append(batcher.submit(job("b")))
    await model.is_asked("a", "b")
    waits.append(batcher.submit(job("c")))
    # when the first turns out to be long
    model.end("a", LONG)
    # then the one that runs is waited for, and takes along what came in the meantime
    await model.is_asked("a", "b")
    waits.append(batcher.submit(job("d")))
    model.end("b", LONG)
    await model.is_asked("a", "b", "cd")
    model.end("cd", LONG)
    assert await asyncio.gather(*waits) == ["A", "B", "C", "D"]


async def test_the_time_that_a_call_waits_for_the_one_before_is_none_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given two short calls, the second of which ends long after it was sent
    model = Model(monkeypatch)
    batcher = make(model)
    waits = [batcher.submit(job("a"))]
    await model.is_asked("a")
    waits.append(batcher.submit(job("b")))
    await model.is_asked("a", "b")
    model.end("a", 0.004)
    await waits[0]
    model.end("b", 0.004)
    await waits[1]
    # when requests come, then one is sent beside the other
    waits = [batcher.submit(job("c"))]
    await model.is_asked("a", "b", "c")
    waits.append(batcher.submit(job("d")))
    await model.is_asked("a", "b", "c", "d")
    model.end("c", SHORT)
    model.end("d", SHORT)
    assert await asyncio.gather(*waits) == ["C", "D"]


async def test_a_long_call_that_fails_is_followed_by_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a model whose calls are long, one that will fail, and a request behind it
    model = Model(monkeypatch)
    batcher = make(model)
    await last_call(model, batcher, LONG)
    fails = batcher.submit(job("x"))
    await model.is_asked("a", "x")
    waits = batcher.submit(job("b"))
    # when it fails
    model.end("x", LONG)
    with pytest.raises(CallFailedError):
        await fails
    # then the next is made
    await model.is_asked("a", "x", "b")
    model.end("b", LONG)
    assert await waits == "B"
