"""The work queue: each key once, never two workers on one key, a second wish while a worker is at it is not lost.

Groups of keys, such as namespaces, have their turns one after the other: one with a thousand keys delays others by one.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from viridian.kube.backoff import Backoff

K = TypeVar("K", bound=Hashable)

BACKOFF = Backoff(first=0.2, longest=30.0)
"""Before a key whose work failed comes again."""


class WorkQueue(Generic[K]):
    """De-duplicating queue for one event loop."""

    def __init__(
        self,
        group: Callable[[K], Hashable] = lambda _: None,
        backoff: Backoff = BACKOFF,
    ) -> None:
        """Make an empty queue.

        Args:
            group: of a key; those of one group come in the order in which they were added.
            backoff: when a failed key comes again.
        """
        self._group = group
        self._ready: OrderedDict[Hashable, deque[K]] = OrderedDict()
        self._waiting: dict[K, float] = {}
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self._backoff = backoff

    def __len__(self) -> int:
        """Keys that wait for a worker."""
        return len(self._waiting)

    @property
    def oldest(self) -> float:
        """Seconds that the oldest of them has waited; 0 if none waits."""
        return time.monotonic() - next(iter(self._waiting.values())) if self._waiting else 0.0

    def add(self, key: K) -> None:
        """Ask for a key to be worked on soon."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = time.monotonic()
            self._ready.setdefault(self._group(key), deque()).append(key)
            self._wake.set()

    def add_after(self, key: K, delay: float) -> None:
        """Ask for a key to be worked on in `delay` seconds; of two such wishes the sooner one counts."""
        loop, planned = asyncio.get_running_loop(), self._timers.get(key)
        if planned is not None:
            if planned.when() <= loop.time() + delay:
                return
            planned.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def take(self) -> K:
        """Wait for the next key; the caller must say `done` or `failed` afterwards."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        group, keys = self._ready.popitem(last=False)
        key = keys.popleft()
        if keys:
            self._ready[group] = keys  # behind all other groups
        del self._waiting[key]
        self._busy.add(key)
        return key

    def done(self, key: K) -> None:
        """The work on a key went well."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: K) -> float:
        """The work on a key failed: it comes again after a growing delay, which is returned in seconds."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = self._backoff.pause(self._failures[key])
        self._release(key)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key is gone: cancel what was planned for it."""
        self._failures.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _release(self, key: K) -> None:
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
