"""Histograms as Prometheus has them, and the grids that they use."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

WAITS: Final[tuple[float, ...]] = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""Seconds."""
SIZES: Final[tuple[int, ...]] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SHARES: Final[tuple[float, ...]] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
DECADES: Final[tuple[float, ...]] = (-10_000, -1_000, -100, -10, -1, -0.1, 0, 0.1, 1, 10, 100, 1_000, 10_000)
"""For numbers about which nothing is known. Bounds below zero go without a sum on the page: it could fall."""


def evenly(low: float, high: float, parts: int = 10) -> tuple[float, ...]:
    """Divide a range.

    Args:
        low: Its lower end, finite.
        high: Its upper end, finite and greater.
        parts: How many parts it gets.

    Returns:
        The bounds, both ends included.
    """
    return (*(low + (high - low) * i / parts for i in range(parts)), high)


class Histogram:
    """Counts of numbers by bucket."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start at zero.

        Args:
            bounds: Upper bounds, increasing; one more bucket is above the last.
        """
        self.bounds: Final = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one number."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_all(self, values: Sequence[float]) -> None:
        """Count many; dearer than observe() for a few, and much cheaper for hundreds."""
        ordered = sorted(values)
        before = 0
        for bucket, bound in enumerate(self.bounds):
            upto = bisect_right(ordered, bound)
            self.counts[bucket] += upto - before
            before = upto
        self.counts[-1] += len(ordered) - before
        self.total += sum(ordered)

    def cumulative(self) -> list[tuple[str, float]]:
        """Return the buckets as the page shows them: upper bound, and how many are not above it."""
        names = (*(repr(float(bound)) for bound in self.bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))
