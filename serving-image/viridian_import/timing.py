"""How long a call takes. Both models are timed by the same rule, each in its own process."""

import time
from collections.abc import Callable
from statistics import median


def microseconds_of(call: Callable[[], object], seconds: float) -> float:
    """Return the microseconds that one call takes, as the median of calls for so many seconds, and of one at least."""
    call()  # the first one makes what later ones find
    took: list[float] = []
    until = time.perf_counter() + seconds
    while not took or time.perf_counter() < until:
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return median(took) * 1e6
