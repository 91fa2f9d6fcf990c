"""The queue before a sink."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event

import pytest
from tests.serving.pages import samples
from tests.waiting import DEADLINE

from viridian_serving.telemetry import export_queue
from viridian_serving.telemetry.export_queue import (
    BatchExporter,
    Dropped,
    PassingError,
    Record,
    RefusedError,
    Shipments,
    Sink,
)


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_queue, "_LINGER", 0.01)
    monkeypatch.setattr(export_queue, "_FIRST_PAUSE", 0.01)


class Memory:
    """Keeps what it gets; `answers` are used up first."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.batches: list[list[bytes]] = []
        self.tries = 0
        self.tried = asyncio.Event()
        self.arrived: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def send(self, records: Sequence[Record]) -> int:
        self.tries += 1
        self._loop.call_soon_threadsafe(self.tried.set)
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        self.batches.append([record.line for record in records])
        self._loop.call_soon_threadsafe(self.arrived.put_nowait, self.batches[-1])
        return answer

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.batches for line in batch]


def shipper_to(sink: Sink, max_bytes: int) -> BatchExporter:
    return BatchExporter(sink, max_bytes, Shipments())


def record(number: int, size: int = 0) -> Record:
    return Record(number, b"%d" % number + b" " * size)


async def delivered(shipper: BatchExporter, records: Sequence[Record]) -> None:
    for each in records:
        shipper.offer(each)
    shipper.close()
    await asyncio.wait_for(shipper.run(), DEADLINE)


async def test_everything_arrives_in_order_and_in_batches() -> None:
    sink = Memory()
    await delivered(shipper_to(sink, 1 << 20), [record(i) for i in range(1200)])
    assert sink.lines == [b"%d" % i for i in range(1200)]
    assert [len(batch) for batch in sink.batches] == [512, 512, 176]


async def test_a_batch_is_bounded_in_bytes() -> None:
    sink = Memory()
    await delivered(shipper_to(sink, 10 << 20), [record(i, 600_000) for i in range(3)])
    assert [len(batch) for batch in sink.batches] == [1, 1, 1]


async def test_a_record_is_delivered_though_no_other_follows() -> None:
    # given
    sink = Memory()
    shipper = shipper_to(sink, 1000)
    task = asyncio.create_task(shipper.run())
    # when
    for number in range(3):
        shipper.offer(record(number))
        # then
        async with asyncio.timeout(DEADLINE):
            assert await sink.arrived.get() == [b"%d" % number]
    task.cancel()


async def test_a_receiver_that_is_away_is_asked_again_and_nothing_is_lost() -> None:
    sink = Memory(PassingError("away"), PassingError("away", 0.02), PassingError("away"))
    shipper = shipper_to(sink, 1000)
    await delivered(shipper, [record(i) for i in range(5)])
    assert sink.lines == [b"%d" % i for i in range(5)]
    assert (sink.tries, shipper.shipments.delivered, sum(shipper.shipments.dropped.values())) == (4, 5, 0)


async def test_what_waits_goes_the_new_way_when_there_is_one() -> None:
    # given a receiver that trusts nobody yet
    wrong, right = Memory(*[PassingError("who are you?")] * 100), Memory()
    shipper = shipper_to(wrong, 3)
    shipper.start()
    for number in range(4):
        shipper.offer(record(number))
    await asyncio.wait_for(wrong.tried.wait(), DEADLINE)
    # when
    shipper.change(right, 5)
    for number in range(4, 7):
        shipper.offer(record(number))
    await shipper.end(5, Dropped.CHANGED)
    # then, with room for the old number and the new
    assert right.lines == [b"0", b"1", b"2", b"4", b"5"]
    assert shipper.shipments.dropped == {**dict.fromkeys(Dropped, 0), Dropped.QUEUE_FULL: 2}


async def test_what_is_refused_for_good_is_counted_and_the_rest_goes_on() -> None:
    sink = Memory(RefusedError("no"), 3)
    shipper = shipper_to(sink, 1 << 20)
    await delivered(shipper, [record(i) for i in range(1024)])
    assert shipper.shipments.dropped[Dropped.REFUSED] == 512 + 3
    assert shipper.shipments.delivered == 512 - 3


async def test_what_does_not_fit_is_dropped_and_room_is_made_again() -> None:
    # given a queue of ten bytes
    sink = Memory()
    shipper = shipper_to(sink, 10)
    # when
    for number in range(15):
        shipper.offer(record(number % 10))
    # then
    assert shipper.shipments.dropped[Dropped.QUEUE_FULL] == 5
    await delivered(shipper, [])
    shipper.offer(record(9))
    assert (shipper.shipments.dropped[Dropped.QUEUE_FULL], shipper.shipments.delivered) == (5, 10)


@contextmanager
def stuck() -> Iterator[tuple[Callable[[Sequence[Record]], int], Event]]:
    release = Event()

    def send(_: Sequence[Record]) -> int:
        release.wait(DEADLINE)
        return 0

    yield send, release
    release.set()


async def test_a_sink_that_is_stuck_keeps_nobody_waiting_and_what_is_left_is_counted() -> None:
    with stuck() as (send, _):
        sink = Memory()
        sink.send = send  # type: ignore[method-assign]
        shipper = shipper_to(sink, 1000)
        shipper.start()
        for number in range(3):
            shipper.offer(record(number))
        # when it is to end
        await shipper.end(0.1, Dropped.SHUTDOWN)
        # then
        assert shipper.shipments.dropped[Dropped.SHUTDOWN] == 3


async def test_the_page_has_every_series_from_the_start() -> None:
    # given
    shipper = shipper_to(Memory(), 10)
    shipper.offer(record(1, 5))
    shipper.offer(record(2, 5))
    # when
    page = samples(lambda: shipper.shipments.families(("model",), ("m",), shipper.waiting_bytes), "reason")
    # then
    assert page == {
        ("viridian_log_records_total",): 0,
        ("viridian_log_dropped_total", "queue-full"): 1,
        ("viridian_log_dropped_total", "refused"): 0,
        ("viridian_log_dropped_total", "changed"): 0,
        ("viridian_log_dropped_total", "shutdown"): 0,
        ("viridian_log_dropped_total", "unreadable"): 0,
        ("viridian_log_queue_bytes",): 6,
    }
