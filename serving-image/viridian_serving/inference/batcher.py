"""Joins concurrent requests into one call to the model, without a timer.

A call is sent as soon as one of a few slots is free, and takes with it everything that waits and has the same shape.
With one client a request therefore leaves at once; under load, what arrives while a call runs travels in the next one,
and batches grow by themselves as far as the load asks for it. A timer would make the single client wait for nobody.

Nothing here knows Triton: the call is a function, and the tests pass their own.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Generic, TypeVar

from viridian_serving.inference.deadlines import Deadlines, Due
from viridian_serving.metrics.histograms import SIZES, WAITS, Histogram

P = TypeVar("P")
R = TypeVar("R")


class QueueFullError(Exception):
    """So much waits already that this would only wait and time out too."""


class CallFailedError(Exception):
    """The model, or the way to it, failed for the jobs of one call."""

    again: ClassVar = True
    """Whether the jobs may be run again, each by itself."""


@dataclass(slots=True, eq=False)
class Demand:
    """Whether somebody still waits for the jobs of one request."""

    abandoned: bool = False
    """The client was answered by somebody else; the job runs on only so that its outcome is known."""
    sent: float = 0.0
    """When the first of the jobs left the queue, by `time.perf_counter`; 0 while all of them wait."""


@dataclass(slots=True, eq=False)
class Job(Generic[P, R]):
    """One request's share of a call."""

    key: Hashable
    """Only jobs of an equal key may share a call: their tensors have the same types and shapes."""
    rows: int
    payload: P
    deadline: float
    """On the event loop's clock, in seconds."""
    demand: Demand = field(default_factory=Demand)
    done: "asyncio.Future[R]" = field(init=False)
    since: float = field(init=False, default=0.0)
    """When it was queued, by `time.perf_counter`: the event loop's clock counts milliseconds."""
    waits: bool = field(init=False, default=False)
    """Whether it is in the queue."""
    due: Due = field(init=False)
    """What is due when it is, itself included."""


@dataclass(slots=True)
class Stats:
    """Counts since the start."""

    calls: int = 0
    rows: int = 0
    reruns: int = 0
    waits: Histogram = field(default_factory=lambda: Histogram(WAITS))
    """Seconds in the queue, of jobs that were sent."""
    sizes: Histogram = field(default_factory=lambda: Histogram(SIZES))
    """Rows in a call."""


class DynamicBatcher(Generic[P, R]):
    """A queue before a function that takes many jobs at once."""

    def __init__(
        self,
        call: Callable[[Sequence[Job[P, R]], float], Awaitable[Sequence[R]]],
        *,
        calls_in_flight: int,
        max_rows: int,
        max_queue: int,
    ) -> None:
        """Make an empty queue of the running event loop.

        Args:
            call: Runs jobs of one key together before a deadline (event loop's clock) and returns their results in the
                same order. Raises CallFailedError when it could not.
            calls_in_flight: Calls at the same time.
            max_rows: Rows in one call, at most; a single job with more travels alone.
            max_queue: Rows that may wait.
        """
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._free = calls_in_flight
        self._max_rows = max_rows
        self._max_queue = max_queue
        self._waiting: OrderedDict[Hashable, OrderedDict[Job[P, R], None]] = OrderedDict()
        self._alone: deque[Job[P, R]] = deque()
        self._queued_rows = 0
        self._starting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadlines = Deadlines()
        self.stats = Stats()

    @property
    def queued_rows(self) -> int:
        """Rows that wait now."""
        return self._queued_rows

    def submit(self, job: Job[P, R]) -> "asyncio.Future[R]":
        """Queue a job.

        Args:
            job: What to run.

        Returns:
            Its future result. It fails with CallFailedError when the model failed for this very job, and with
            TimeoutError at the deadline. Cancelling it takes the job out of the queue. A job whose demand is
            abandoned makes room for others when the queue is full; it then fails with QueueFullError.

        Raises:
            QueueFullError: Too much waits already.
        """
        if self._is_full(job.rows):
            self._drop_unwanted()
            if self._is_full(job.rows):
                raise QueueFullError
        job.done = self._loop.create_future()
        job.since = time.perf_counter()
        job.due = self._deadlines.add(job.done, job.deadline)
        job.done.add_done_callback(partial(self._settled, job))
        queue = self._waiting.get(job.key)
        if queue is None:
            queue = self._waiting[job.key] = OrderedDict()
        queue[job] = None
        self._queued_rows += job.rows
        job.waits = True
        self._use_free_slot()
        return job.done

    def _is_full(self, rows: int) -> bool:
        return self._queued_rows + rows > self._max_queue and self._queued_rows > 0

    def _drop_unwanted(self) -> None:
        for job in [job for queue in self._waiting.values() for job in queue if job.demand.abandoned]:
            self._leave(job)
            if not job.done.done():
                job.done.set_exception(QueueFullError())

    def _settled(self, job: Job[P, R], done: "asyncio.Future[R]") -> None:
        job.due.discard(done)
        if job.waits:  # it timed out or its client left: while a model hangs, such jobs must not fill the queue
            self._leave(job)

    def _leave(self, job: Job[P, R]) -> None:
        job.waits = False
        self._queued_rows -= job.rows
        queue = self._waiting[job.key]
        del queue[job]
        if not queue:
            del self._waiting[job.key]

    def _use_free_slot(self) -> None:
        # A task begins with the next turn of the event loop, so that what it reads in this one, from other
        # connections, comes along.
        if self._free and not self._starting and (self._waiting or self._alone):
            self._free -= 1
            self._starting = True
            task = self._loop.create_task(self._send_all())
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    async def _send_all(self) -> None:
        """Make call after call in one slot, for as long as anything waits."""
        self._starting = False
        while batch := self._next_batch():
            self._use_free_slot()  # for what has another shape, or did not fit
            await self._run(batch)
            # Waiters see their answer in the next turn of the event loop, and what arrives then is submitted in the
            # one after it. It travels in the next call, which leaves that little later and is the larger for it.
            for _ in range(2):
                await asyncio.sleep(0)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._free += 1
        self._use_free_slot()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "joined call crashed", "exception": error})

    def _next_batch(self) -> list[Job[P, R]]:
        # Jobs of a failed call go first, each alone: they have waited longest.
        while self._alone:
            job = self._alone.popleft()
            if not job.done.done():
                return [job]
        while self._waiting:
            # The key that has waited longest since its last turn: no shape can starve another.
            key, queue = self._waiting.popitem(last=False)
            batch = self._take(queue)
            if queue:
                self._waiting[key] = queue
            if batch:
                return batch
        return []

    def _take(self, queue: OrderedDict[Job[P, R], None]) -> list[Job[P, R]]:
        batch: list[Job[P, R]] = []
        rows = 0
        now = time.perf_counter()
        while queue:
            job, _ = queue.popitem(last=False)
            if batch and rows + job.rows > self._max_rows:
                queue[job] = None
                queue.move_to_end(job, last=False)
                break
            self._queued_rows -= job.rows
            job.waits = False
            if not job.done.done():  # else it was settled in this very turn of the loop
                batch.append(job)
                rows += job.rows
                self.stats.waits.observe(now - job.since)
                job.demand.sent = job.demand.sent or now
        return batch

    async def _run(self, batch: list[Job[P, R]]) -> None:
        self.stats.calls += 1
        rows = sum(job.rows for job in batch)
        self.stats.rows += rows
        self.stats.sizes.observe(rows)
        try:
            results = await self._call(batch, max(job.deadline for job in batch))
        except CallFailedError as error:
            self._failed(batch, error)
            return
        except BaseException as error:
            # A defect of ours. Waiters fail at once instead of at the deadline.
            for job in batch:
                if not job.done.done():
                    job.done.set_exception(CallFailedError(f"{type(error).__name__}: {error}"))
            raise
        for job, result in zip(batch, results, strict=True):
            if not job.done.done():
                job.done.set_result(result)

    def _failed(self, batch: list[Job[P, R]], error: CallFailedError) -> None:
        if len(batch) > 1 and error.again:
            # One bad instance fails the call for all that share it. Each is run again by itself, so that what counts
            # (and what a client sees) is its own result.
            self.stats.reruns += len(batch)
            self._alone.extend(batch)
            return
        for job in batch:
            if not job.done.done():
                job.done.set_exception(error)
