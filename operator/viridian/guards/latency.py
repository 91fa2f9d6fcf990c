"""Limits on the latency, held against the grid of bounds that serving pods count by.

"P95 <= L" is tested as "at most 5 % of requests take longer than L" (Howard & Ramdas, arXiv 1906.09712: a quantile is a
statement about a share). A histogram knows that share only at its bounds, so L is rounded up to one of them and the
guard says which one it used.
"""

from __future__ import annotations

from bisect import bisect_left

from viridian_shared.counts.latency import GRID


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
