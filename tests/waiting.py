"""Waiting for what no event announces, such as what another task, thread or process does."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 120.0
"""Seconds after which nobody waits any longer: more than a busy machine needs. Only a failure takes as long."""

_INTERVAL = 0.05
"""Seconds between two looks at first."""
_LONGEST_INTERVAL = 0.2
"""And after some seconds: each look costs those who are waited for a part of the machine."""


async def until(condition: Callable[[], object], within: float = DEADLINE) -> None:
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


def eventually(look: Callable[[], T], what: str | Callable[[], str] = "this", within: float = DEADLINE) -> T:
    """Look again and again until what is seen is true; return what was seen.

    An `AssertionError` of `look` counts as not yet, and is shown if time runs out. Any other error ends the wait.

    Args:
        look: Returns something true when the wait is over, or raises AssertionError while it is not.
        what: What is waited for, as it reads after "waited 120 s for"; or what says why it did not come, such as a log.
        within: Longest time to wait, in seconds.

    Raises:
        AssertionError: time ran out.
    """
    begun = time.monotonic()
    while True:
        try:
            seen = look()
            why = f"last seen: {seen!r}"
        except AssertionError as error:
            seen, why = None, str(error)
        if seen:
            return seen
        waited = time.monotonic() - begun
        if waited > within:
            wanted = what if isinstance(what, str) else f"this:\n{what()}\n"
            raise AssertionError(f"waited {within:g} s for {wanted}; {why}")
        time.sleep(max(_INTERVAL, min(waited / 40, _LONGEST_INTERVAL)))


def stays(look: Callable[[], object], what: str, during: float) -> None:
    """Hold that something is true the whole time: for "nothing happens", which no single look can show.

    Raises:
        AssertionError: it was not true at some look.
    """
    end = time.monotonic() + during
    while time.monotonic() < end:
        assert look(), f"{what}: this was not so {end - time.monotonic():.1f} s before the end of {during:g} s"
        time.sleep(_INTERVAL)
