"""Notifications that wait to be delivered: bounded, each receiver by itself, tried again until it is of no use."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from viridian.controller.runtime.jobs import end
from viridian.kube.backoff import Backoff

from .delivery import Address, Delivery, Denied, Undeliverable, Undelivered

LOG = logging.getLogger(__name__)

MOST, MOST_OF_ONE = 1000, 100
"""Notifications that may wait, for all receivers and for one."""
USEFUL = timedelta(hours=1)
"""After so long a notification is of no use to anybody and is given up."""
BACKOFF = Backoff(first=1.0, longest=300.0)
"""Before another try."""


class Outbox:
    """One task for each receiver that something waits for: one that hangs delays nobody else."""

    def __init__(
        self,
        deliver: Callable[[Delivery], Awaitable[None]],
        settled: Callable[[Delivery, Undelivered | None], Awaitable[None]],
        count: Callable[[str], None],
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            deliver: sends one, and raises `Undelivered` if that failed.
            settled: called when one was delivered, or given up for the error that is said.
            count: called with what became of one: `sent`, `retried`, `failed`, `dropped` or `denied`.
        """
        self._deliver, self._settled, self._count = deliver, settled, count
        self._queues: dict[Address, deque[Delivery]] = {}
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._waiting: set[str] = set()

    def __len__(self) -> int:
        """Notifications that wait."""
        return sum(map(len, self._queues.values()))

    def put(self, delivery: Delivery) -> None:
        """Let a notification be delivered, once; it is dropped where too many wait already."""
        address = delivery.address
        if delivery.id in self._waiting:
            return
        waiting = len(self._queues.get(address, ()))
        if waiting >= MOST_OF_ONE or len(self) >= MOST:
            LOG.warning("%s/%s: a notification to %s is dropped: %d wait", *delivery.model, address.label, len(self))
            self._count("dropped")
            return
        self._waiting.add(delivery.id)
        self._queues.setdefault(address, deque()).append(delivery)
        if address not in self._tasks:
            self._tasks[address] = asyncio.create_task(self._work(address), name=f"notify {address.label}")

    async def close(self) -> None:
        """End all tasks; what waits is found again in the statuses of the models."""
        await end(list(self._tasks.values()))

    async def _work(self, address: Address) -> None:
        queue = self._queues[address]
        try:
            while queue:
                await self._bring(queue[0])
                self._waiting.discard(queue.popleft().id)
        finally:
            self._waiting.difference_update(each.id for each in queue)
            del self._queues[address], self._tasks[address]

    async def _bring(self, delivery: Delivery) -> None:
        """Try until it is delivered or given up; a bug gives up one notification, not its receiver."""
        try:
            error = await self._try(delivery)
            self._count("sent" if error is None else "denied" if isinstance(error, Denied) else "failed")
            await self._settled(delivery, error)
        except Exception:
            LOG.exception("%s/%s: a notification to %s is lost", *delivery.model, delivery.address.label)
            self._count("failed")

    async def _try(self, delivery: Delivery) -> Undelivered | None:
        for pause in BACKOFF:
            try:
                await self._deliver(delivery)
            except Undeliverable as error:
                return error
            except Undelivered as error:
                if datetime.now(UTC) - delivery.notification.at >= USEFUL:
                    return error
                LOG.info("%s/%s: %s: %s; again in %.0f s", *delivery.model, delivery.address.label, error, pause)
                self._count("retried")
                await asyncio.sleep(pause)
            else:
                return None
        raise AssertionError("the pauses have no end")
