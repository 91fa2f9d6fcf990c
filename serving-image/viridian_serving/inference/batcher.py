"""Joins concurrent requests into one call to the model, without a timer.

A call is sent as soon as one of a few slots is free, and takes with it everything that waits and has the same shape.
With one client a request therefore leaves at once, without even being queued; under load, what arrives while a call
runs travels in the next one, and batches grow by themselves as far as the load asks for it. A timer would make the
single client wait for nobody. While the calls of a model that works on one after the other are long, one slot is used:
beside such a call another could only wait, and grow no more.

Nothing here knows Triton: the call is a function, and the tests pass their own.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import ClassVar, Final, Generic, TypeVar

from viridian_serving.inference.deadlines import Deadlines, Due
from viridian_serving.metrics.histograms import SIZES, WAITS, Histogram

_SOLITUDE: Final = 8
"""Calls in a row with one job and no other beside it, after which a client is taken to be alone."""
_LONG: Final = 0.005
_LONG_ROW: Final = 0.00025
_LONG_BYTE: Final = 20e-9
"""Seconds that a long call takes at least, and seconds for each of its rows and bytes: ten times what they take outside
the model. Where the way to it takes most of a call, another call is on that way meanwhile."""

P = TypeVar("P")
R = TypeVar("R")


GiveUp = Callable[[], None]


class QueueFullError(Exception):
    """So much waits already that this would only wait and time out too."""


class CallFailedError(Exception):
    """The model, or the way to it, failed for the jobs of one call."""

    again: ClassVar = True
    """Whether the jobs may be run again, each by itself."""


class NotSentError(CallFailedError):
    """The call did not take place: nothing was sent."""


class Demand:
    """Whether somebody still waits for the jobs of one request."""

    __slots__ = ("abandoned", "sent")

    def __init__(self) -> None:
        self.abandoned = False
        """The client was answered by somebody else; the job runs on only so that its outcome is known."""
        self.sent = 0.0
        """When the first of the jobs left the queue, by `time.perf_counter`; 0 while all of them wait."""


class Job(Generic[P, R]):
    """One request's share of a call."""

    __slots__ = ("deadline", "demand", "done", "due", "give_up", "key", "payload", "rows", "since", "size", "waits")

    def __init__(
        self,
        key: Hashable,
        rows: int,
        payload: P,
        deadline: float,
        demand: Demand | None = None,
        size: int = 0,
    ) -> None:
        """Make one, which is not queued yet.

        Args:
            key: Only jobs of an equal key may share a call: their tensors have the same types and shapes.
            rows: Of its tensors.
            payload: What to run.
            deadline: On the event loop's clock, in seconds.
            demand: Whether somebody still waits for it; by default somebody does.
            size: Bytes of its tensors.
        """
        self.key = key
        self.rows = rows
        self.size = size
        self.payload = payload
        self.deadline = deadline
        self.demand = Demand() if demand is None else demand
        self.done: asyncio.Future[R]
        self.since = 0.0
        """When it was queued, by `time.perf_counter`: the event loop's clock counts milliseconds."""
        self.waits = False
        """Whether it is in the queue."""
        self.due: Due
        """What is due when it is, itself included."""
        self.give_up: GiveUp | None = None
        """Ends the call that it has for itself, without having been queued, and settles it by that."""


class Stats:
    """Counts since the start."""

    __slots__ = ("calls", "reruns", "rows", "sizes", "waits")

    def __init__(self) -> None:
        self.calls = 0
        self.rows = 0
        self.reruns = 0
        self.waits = Histogram(WAITS)
        """Seconds in the queue, of jobs that were sent."""
        self.sizes = Histogram(SIZES)
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
        serial: bool = False,
        call_now: "Callable[[Job[P, R], Callable[[R | CallFailedError], None]], GiveUp | None] | None" = None,
    ) -> None:
        """Make an empty queue of the running event loop.

        Args:
            call: Runs jobs of one key together before a deadline (event loop's clock) and returns their results in the
                same order. Raises CallFailedError when it could not.
            calls_in_flight: Calls at the same time.
            max_rows: Rows in one call, at most; a single job with more travels alone.
            max_queue: Rows that may wait.
            serial: Whether the function works on one call after the other, however many are in flight. While its calls
                are long, one is in flight: a second could only wait for it, and would take along what is there now,
                instead of what comes until its turn.
            call_now: Sends one job without waiting for anything, and has its result or failure told; gives what ends
                the call early, or None, and sends nothing, when it would have to wait. By default every job is queued.
        """
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._call_now = call_now
        self._slots = calls_in_flight
        self._free = calls_in_flight
        self._serial = serial
        self._is_long = False
        """Whether the last call was long, and the next has to wait for those that run."""
        self._last_end = 0.0
        """When it ended, by `time.perf_counter`."""
        self._running = 0
        self._company = 0
        """Calls in a row that have yet to run by themselves before the next job is taken for the only one."""
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

    @property
    def calls_in_flight(self) -> int:
        """Calls that may be made at the same time now, as long as the last one took."""
        return 1 if self._is_long else self._slots

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
        if self._running or self._waiting or self._alone:
            self._company = _SOLITUDE
        elif self._has_room() and not self._company and self._start_now(job):
            return job.done
        self._enqueue(job)
        return job.done

    def _enqueue(self, job: Job[P, R]) -> None:
        queue = self._waiting.get(job.key)
        if queue is None:
            queue = self._waiting[job.key] = OrderedDict()
        queue[job] = None
        self._queued_rows += job.rows
        job.waits = True
        self._use_free_slot()

    def _start_now(self, job: Job[P, R]) -> bool:
        """Send a job that is alone, if that can be done at once: no queue, no task, no turn of the event loop."""
        give_up = self._call_now(job, partial(self._ended, job)) if self._call_now is not None else None
        if give_up is None:
            return False
        job.give_up = give_up
        self._free -= 1
        self._running += 1
        job.demand.sent = job.demand.sent or job.since
        self.stats.waits.observe(0.0)
        self._count(job.rows)
        return True

    def _ended(self, job: Job[P, R], outcome: R | CallFailedError) -> None:
        """Settle a job that had a call for itself."""
        job.give_up = None
        self._free += 1
        self._running -= 1
        if not job.done.done():
            if isinstance(outcome, NotSentError):
                self._enqueue(job)
                return
            if isinstance(outcome, CallFailedError):
                job.done.set_exception(outcome)
            else:
                job.done.set_result(outcome)
        self._use_free_slot()

    def _give_up(self, job: Job[P, R]) -> None:
        if job.give_up is not None:
            job.give_up()

    def _has_room(self) -> bool:
        """Whether one more call may be made now."""
        return self._free == self._slots if self._is_long else self._free > 0

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
        elif job.give_up is not None:  # the same, but its call runs, until the deadline
            if done.cancelled():
                self._loop.call_at(job.deadline, self._give_up, job)
            else:
                self._give_up(job)

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
        if self._has_room() and not self._starting and (self._waiting or self._alone):
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
            if self._is_long and self._free < self._slots - 1:
                return  # another slot goes on

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
        rows = sum([job.rows for job in batch])
        self._count(rows)
        self._running += 1
        since = time.perf_counter()
        try:
            results = await self._call(batch, max([job.deadline for job in batch]))
        except CallFailedError as error:
            self._failed(batch, error)
            return
        except BaseException as defect:  # its own name: mypyc gives a name the type that it has first
            # A defect of ours. Waiters fail at once instead of at the deadline.
            for job in batch:
                if not job.done.done():
                    job.done.set_exception(CallFailedError(f"{type(defect).__name__}: {defect}"))
            raise
        finally:
            self._running -= 1
        self._measure(since, rows, sum([job.size for job in batch]))
        for job, result in zip(batch, results, strict=True):
            if not job.done.done():
                job.done.set_result(result)
        if len(batch) == 1 and not self._waiting:
            self._company = max(0, self._company - 1)

    def _measure(self, since: float, rows: int, size: int) -> None:
        """See whether a call was long, without the time that it waited for the one before."""
        now = time.perf_counter()
        took = now - max(since, self._last_end)
        self._last_end = now
        self._is_long = self._serial and took >= max(_LONG, _LONG_ROW * rows + _LONG_BYTE * size)

    def _count(self, rows: int) -> None:
        self.stats.calls += 1
        self.stats.rows += rows
        self.stats.sizes.observe(rows)

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
