"""Futures that fail at their deadlines, with one timer for all that are due together.

A timer for each request that is never to go off costs more than to read the request.
"""

import asyncio
import math
from typing import Any, Final

STEP: Final = 0.02
"""Seconds after its deadline by which a future fails, at the latest."""


class Deadlines:
    """Futures by when they are due."""

    def __init__(self) -> None:
        """Start with none."""
        self._due: dict[int, set[asyncio.Future[Any]]] = {}

    def watch(self, future: "asyncio.Future[Any]", deadline: float) -> None:
        """Fail a future with TimeoutError when its time is over, unless it is done by then or forgotten.

        Args:
            future: One of the running event loop.
            deadline: On the event loop's clock, in seconds.
        """
        step = math.ceil(deadline / STEP)
        due = self._due.get(step)
        if due is None:
            due = self._due[step] = set()
            future.get_loop().call_at(step * STEP, self._expire, step)
        due.add(future)

    def forget(self, future: "asyncio.Future[Any]", deadline: float) -> None:
        """Let go of a future that is done.

        Args:
            future: What was watched.
            deadline: What was given with it.
        """
        due = self._due.get(math.ceil(deadline / STEP))
        if due is not None:
            due.discard(future)

    def _expire(self, step: int) -> None:
        for future in self._due.pop(step):
            if not future.done():
                future.set_exception(TimeoutError())
