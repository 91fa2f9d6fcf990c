"""Brings records to where they are kept, in batches, without ever keeping a request waiting.

What is waiting is bounded in bytes; what does not fit any more is dropped and counted. A receiver that is away is asked
again, later each time. Whatever may block runs in its own thread.
"""

import asyncio
import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

LOG = logging.getLogger("viridian.log")

T = TypeVar("T")

_MOST_RECORDS: Final = 512
_MOST_BYTES: Final = 1024 * 1024
"""What goes in one batch."""
_LINGER: Final = 1.0
"""Seconds for which a batch waits for more records."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record."""

    time_ns: int
    """What it is about: nanoseconds since the epoch."""
    line: bytes
    """JSON, without a line break."""
    trace_id: str | None = None
    """The trace that it belongs to, in 32 hexadecimal digits."""


class PassingError(Exception):
    """The receiver did not take the batch now and may later."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause
        """Seconds for which it asks to be left alone."""


class RefusedError(Exception):
    """The receiver will never take the batch."""


class Sink(Protocol):
    """Where records are kept."""

    def send(self, records: Sequence[Record]) -> int:
        """Send a batch; may block.

        Args:
            records: The batch.

        Returns:
            How many of them were refused for good.

        Raises:
            PassingError: Another try may help.
            RefusedError: None will.
        """
        ...


class Dropped(StrEnum):
    """Why a record was lost."""

    QUEUE_FULL = "queue-full"
    REFUSED = "refused"
    CHANGED = "changed"
    """Settings named another receiver, or none, before its own had taken it."""
    SHUTDOWN = "shutdown"
    UNREADABLE = "unreadable"
    """A defect of ours: it could not be written."""


class Shipments:
    """How many records have been delivered and lost, whoever the receiver was."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.delivered = 0
        self.dropped = dict.fromkeys(Dropped, 0)

    def families(self, names: Sequence[str], identity: Sequence[str], waiting: int) -> Iterator[Metric]:
        """Render the counts.

        Args:
            names: The labels that every series has.
            identity: Their values.
            waiting: Bytes that wait at the moment.
        """
        delivered = CounterMetricFamily("viridian_log_records", "Delivered records of the prediction log", labels=names)
        delivered.add_metric(identity, self.delivered)
        yield delivered
        dropped = CounterMetricFamily(
            "viridian_log_dropped", "Lost records of the prediction log", labels=(*names, "reason")
        )
        for reason, number in self.dropped.items():
            dropped.add_metric((*identity, reason.value), number)
        yield dropped
        queue = GaugeMetricFamily("viridian_log_queue_bytes", "Bytes of records that wait", labels=names)
        queue.add_metric(identity, waiting)
        yield queue


class BatchExporter:
    """A bounded queue before a sink."""

    def __init__(self, sink: Sink, max_bytes: int, shipments: Shipments) -> None:
        """Make an empty queue.

        Args:
            sink: Where records go.
            max_bytes: Most bytes that wait.
            shipments: Counts what becomes of them.
        """
        self._sink = sink
        self.shipments = shipments
        self._max_bytes = max_bytes
        self._waiting: deque[Record] = deque()
        self.waiting_bytes = 0
        """Bytes of records that wait."""
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        """Set when a batch is full, or no more records will come."""
        self._closing = asyncio.Event()
        self._troubled = False
        self._running: asyncio.Task[None] | None = None

    def change(self, sink: Sink, max_bytes: int) -> None:
        """Reach the same receiver in another way from now on.

        Args:
            sink: Takes what waits and what comes.
            max_bytes: Most bytes that wait.
        """
        self._sink = sink
        self._max_bytes = max_bytes

    def offer(self, record: Record) -> None:
        """Queue a record, or drop it."""
        if self.waiting_bytes + len(record.line) > self._max_bytes:
            if not self.shipments.dropped[Dropped.QUEUE_FULL]:
                LOG.warning(
                    "prediction log: %d bytes wait already, so records are dropped; viridian_log_dropped_total counts "
                    "them",
                    self.waiting_bytes,
                )
            self.shipments.dropped[Dropped.QUEUE_FULL] += 1
            return
        self._waiting.append(record)
        self.waiting_bytes += len(record.line)
        self._arrived.set()
        if len(self._waiting) >= _MOST_RECORDS or self.waiting_bytes >= _MOST_BYTES:
            self._full.set()

    def start(self) -> None:
        """Begin to deliver."""
        self._running = asyncio.get_running_loop().create_task(self.run())
        self._running.add_done_callback(_said)

    async def end(self, longest: float, otherwise: Dropped) -> None:
        """Deliver what is left.

        Args:
            longest: Longest wait in seconds.
            otherwise: Why the rest was lost then.
        """
        self.close()
        if self._running is not None:
            await asyncio.wait((self._running,), timeout=longest)
            self._running.cancel()
        self.give_up(otherwise)

    async def run(self) -> None:
        """Deliver until closed, and then what is left."""
        while True:
            if not self._waiting:
                if self._closing.is_set():
                    return
                self._arrived.clear()
                self._full.clear()
                await self._arrived.wait()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), _LINGER)
            batch = self._batch()
            if batch:
                await self._deliver(batch)

    def close(self) -> None:
        """Record that no more records will come; run() ends when the last is delivered."""
        self._closing.set()
        self._arrived.set()
        self._full.set()

    def give_up(self, why: Dropped) -> None:
        """Count what waits as lost."""
        # A batch whose delivery was cut off is still waiting.
        lost = len(self._waiting)
        self.shipments.dropped[why] += lost
        self._waiting.clear()
        self.waiting_bytes = 0
        if lost:
            LOG.error("prediction log: %d record(s) could not be delivered before the end", lost)

    def _batch(self) -> list[Record]:
        batch: list[Record] = []
        size = 0
        for record in self._waiting:
            if batch and (len(batch) >= _MOST_RECORDS or size + len(record.line) > _MOST_BYTES):
                break
            batch.append(record)
            size += len(record.line)
        return batch

    async def _deliver(self, batch: Sequence[Record]) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                refused = await in_thread(lambda: self._sink.send(batch))
            except PassingError as error:
                self._trouble(str(error))
                await self._rest(max(error.pause, random.uniform(pause / 2, pause)))  # noqa: S311  no secret
                pause = min(2 * pause, _LONGEST_PAUSE)
            except RefusedError as error:
                LOG.warning("prediction log: %s", error)
                refused = len(batch)
                break
            else:
                break
        self._settle(batch, refused)

    def _settle(self, batch: Sequence[Record], refused: int) -> None:
        for record in batch:
            self._waiting.popleft()
            self.waiting_bytes -= len(record.line)
        self.shipments.dropped[Dropped.REFUSED] += refused
        self.shipments.delivered += len(batch) - refused
        if refused:
            LOG.error("prediction log: %d of %d record(s) were refused, and are lost", refused, len(batch))
        if self._troubled:
            LOG.info("prediction log: the receiver answers again")
            self._troubled = False

    async def _rest(self, seconds: float) -> None:
        # When the pod ends, there is no time to be patient.
        if self._closing.is_set():
            await asyncio.sleep(min(seconds, _FIRST_PAUSE))
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _trouble(self, why: str) -> None:
        if not self._troubled:
            LOG.warning("prediction log: %s; trying again until it is delivered", why)
        self._troubled = True


async def in_thread(call: Callable[[], T]) -> T:
    """Run what may block, in a thread that never keeps the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Future[T]) -> None:
        if done.done():
            return
        if (error := outcome.exception()) is not None:
            done.set_exception(error)
        else:
            done.set_result(outcome.result())

    def run() -> None:
        outcome: Future[T] = Future()
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001  is raised again where it is awaited
            outcome.set_exception(error)
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="prediction-log", daemon=True).start()
    return await done


def _said(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.error("the prediction log has ended: records from now on are lost", exc_info=error)
