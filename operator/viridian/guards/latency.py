"""The one grid of latency bounds that serving pods count by and guards read.

"P95 <= L" is tested as "at most 5 % of requests take longer than L" (Howard & Ramdas, arXiv 1906.09712: a quantile is a
statement about a share). A histogram knows that share only at its bounds, so L is rounded up to one of them and the
guard says which one it used. One grid for all models makes their counters comparable across revisions.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

GRID: Final[tuple[float, ...]] = (
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.0075),
    *(0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.075),
    *(0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75),
    *(1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5),
    *(10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
"""Upper bounds of the histogram's buckets in seconds, ascending, without +Inf."""


def round_up(seconds: float) -> float:
    """Returns the smallest bound of the grid that is not below a wanted limit.

    Args:
        seconds: The limit, more than 0 and at most 60 s.

    Raises:
        ValueError: If the limit lies outside the grid.
    """
    if not 0 < seconds <= GRID[-1]:
        raise ValueError(
            f"a latency limit must be more than 0 s and at most {GRID[-1]:g} s, not {seconds:g} s: "
            "slower requests are not told apart"
        )
    return GRID[bisect_left(GRID, seconds)]
