"""Stable's own percentiles, taken once when the candidate gets its first weight.

"Not slower than 1.5 times stable's P99" would be a moving target if stable's P99 were measured all along: a candidate
that slows the node down for both would look fine. So the percentile is frozen, and what is tested from then on is a
share of requests above a fixed bound, as for any limit on latency.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from viridian.guards.config import Config
from viridian.guards.series import RequestCounts, Snapshot, delta
from viridian.guards.state import State

_BEYOND: Final = 10
"""Requests of stable slower than the percentile, on average, that it takes to know where that lies."""


def resolve(config: Config, of_stable: Mapping[float, float]) -> Config:
    """Return the configuration with a limit in seconds for each multiple of a percentile of stable that is known."""
    known = tuple(
        guard.latency(of_stable[guard.percentile]) for guard in config.slower if guard.percentile in of_stable
    )
    unknown = tuple(guard for guard in config.slower if guard.percentile not in of_stable)
    return replace(config, latencies=(*config.latencies, *known), slower=unknown)


def freeze(config: Config, state: State, baseline: Snapshot, now: Snapshot, stable: str) -> State:
    """Return the state with those of stable's percentiles that can be told by now.

    Requests since the candidate was created count, or, where those are too few, all of its pods' so far.

    Args:
        config: The guards, with what is still unknown in `slower`.
        state: What is known already.
        baseline: The first reading of the rollout.
        now: The newest.
        stable: The revision that the candidate is compared with.
    """
    found = dict(state.of_stable)
    recent = delta(baseline, now, stable).comparable
    ever = sum((pod.comparable for pod in now.pods.get(stable, {}).values()), RequestCounts())
    for guard in config.slower:
        share = 1 - guard.percentile / 100
        told = next((each for each in (recent, ever) if _total(each) * share >= _BEYOND), None)
        if told is not None and (bound := percentile(told, guard.percentile)) is not None:
            found[guard.percentile] = bound
    return state if found == state.of_stable else replace(state, of_stable=found)


def percentile(counts: RequestCounts, percent: float) -> float | None:
    """Return the least bound of the grid within which so many percent of the requests were answered.

    Returns:
        Seconds, or None where they took longer than any bound, or were not timed.
    """
    least = _total(counts) * percent / 100
    enough = (bound for bound in sorted(counts.buckets) if counts.buckets[bound] >= least and math.isfinite(bound))
    return next(enough, None) if _total(counts) else None


def _total(counts: RequestCounts) -> int:
    return counts.buckets.get(math.inf, 0)
