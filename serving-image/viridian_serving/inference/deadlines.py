"""Futures that fail at their deadlines, with one timer for all that are due together.

A timer for each request that is never to go off costs more than to read the request.
"""

import asyncio
import math
from typing import Any, Final

STEP: Final = 0.02
"""Seconds after its deadline by which a future fails, at the latest."""

Due = set["asyncio.Future[Any]"]


class Deadlines:
    """Futures by when they are due."""

    def __init__(self) -> None:
        """Start with none."""
        self._due: dict[int, Due] = {}

    def add(self, future: "asyncio.Future[Any]", deadline: float) -> Due:
        """Fail a future with TimeoutError when its time is over, unless it is done by then.

        Args:
            future: One of the running event loop.
            deadline: On the event loop's clock, in seconds.

        Returns:
            All that are due with it. Whoever is done with the future takes it out, or it is kept until then.
        """
        step = math.ceil(deadline / STEP)
        due = self._due.get(step)
        if due is None:
            due = self._due[step] = set()
            future.get_loop().call_at(step * STEP, self._expire, step)
        due.add(future)
        return due

    def _expire(self, step: int) -> None:
        for future in self._due.pop(step):
            if not future.done():
                future.set_exception(TimeoutError())
