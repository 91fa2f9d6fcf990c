"""How long to wait before another try: twice as long each time, and not all at the same moment."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

_DOUBLINGS = 32
"""After this many failures, every pause is the longest one."""


@dataclass(frozen=True)
class Backoff:
    """Pauses between tries, in seconds; an iterator over them never ends.

    Attributes:
        first: The longest pause after the first failure.
        longest: The longest of all.
        jitter: The share, 0 to 1, by which a pause may be shorter, at random: what failed together is not tried again
            together.
    """

    first: float
    longest: float
    jitter: float = 0.2

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after this many failures in a row, at least one."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, _DOUBLINGS))
        return whole * (1 - self.jitter * random.random())  # noqa: S311 - no secret

    def __iter__(self) -> Iterator[float]:
        """Start over."""
        failures = 0
        while True:
            failures += 1
            yield self.pause(failures)
