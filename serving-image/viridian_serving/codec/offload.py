"""Work on one body beside the event loop, which must answer others meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final, TypeVar

_R = TypeVar("_R")
SMALL: Final = 64 * 1024
"""Bytes that are read carefully in a few milliseconds."""
# One thread for all: more would only take the event loop's turns away from it, and one body at a time is unpacked, or
# made into values, which take many times its memory.
_THREAD: Final = ThreadPoolExecutor(1, "reading")


async def aside(size: int, read: Callable[[], _R], thread: Executor = _THREAD) -> _R:
    """Read a small body at once, and a large one beside the event loop.

    Args:
        size: Of what has to be looked at, in bytes.
        read: Reads it.
        thread: Where a large one is read.
    """
    return read() if size <= SMALL else await asyncio.get_running_loop().run_in_executor(thread, read)
