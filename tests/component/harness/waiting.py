"""Waiting for something to become true, with a deadline and a sentence for when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_INTERVAL = 0.05


def eventually(look: Callable[[], T], what: str, within: float = 30.0) -> T:
    """Look again and again until what is seen is true; return what was seen.

    An `AssertionError` of `look` counts as not yet, and is shown if time runs out. Any other error ends the wait.

    Args:
        look: Returns something true when the wait is over, or raises AssertionError while it is not.
        what: What is waited for, as it reads after "waited 30 s for".
        within: Longest time to wait, in seconds.

    Raises:
        AssertionError: time ran out.
    """
    end = time.monotonic() + within
    while True:
        try:
            seen = look()
            why = f"last seen: {seen!r}"
        except AssertionError as error:
            seen, why = None, str(error)
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"waited {within:g} s for {what}; {why}")
        time.sleep(_INTERVAL)


def stays(look: Callable[[], object], what: str, during: float) -> None:
    """Hold that something is true the whole time: for "nothing happens", which no single look can show.

    Raises:
        AssertionError: it was not true at some look.
    """
    end = time.monotonic() + during
    while time.monotonic() < end:
        assert look(), f"{what}: this was not so {end - time.monotonic():.1f} s before the end of {during:g} s"
        time.sleep(_INTERVAL)
