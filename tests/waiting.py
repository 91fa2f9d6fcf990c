"""Waiting for what no event announces, such as what another task or thread does."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], within: float = 60.0) -> None:
    """Let the loop turn until a condition holds.

    Args:
        condition: What is waited for.
        within: Seconds; far more than it takes, since a busy machine proves nothing.

    Raises:
        TimeoutError: It did not hold in time.
    """
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
