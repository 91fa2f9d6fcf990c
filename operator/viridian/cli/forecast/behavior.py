"""What is assumed of a version: how often its requests fail, and how long they take."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist
from typing import Final, Protocol

_SPREAD: Final = 0.5
"""Standard deviation of the logarithm of durations, where nothing but a percentile is known."""


class Latency(Protocol):
    """How long requests take that do not fail."""

    def slower_than(self, seconds: float) -> float:
        """Return the share of requests, 0 to 1, that takes longer."""
        ...

    def within(self, share: float) -> float:
        """Return the seconds that a share of requests, between 0 and 1, takes at most."""
        ...


@dataclass(frozen=True)
class LogNormal:
    """Durations of which one percentile is known.

    Attributes:
        p95: Seconds that 95 % of the requests take at most.
    """

    p95: float

    def slower_than(self, seconds: float) -> float:
        """Return the share of requests, 0 to 1, that takes longer."""
        normal = NormalDist()
        return normal.cdf(normal.inv_cdf(0.05) - math.log(seconds / self.p95) / _SPREAD) if seconds > 0 else 1.0

    def within(self, share: float) -> float:
        """Return the seconds that a share of requests, between 0 and 1, takes at most."""
        normal = NormalDist()
        return self.p95 * math.exp(_SPREAD * (normal.inv_cdf(share) - normal.inv_cdf(0.95)))


@dataclass(frozen=True)
class Histogram:
    """Durations as they were counted.

    Attributes:
        bounds: Upper bounds of the buckets in seconds, ascending, without +Inf.
        shares: For each bound the share of requests, 0 to 1, that took at most so long.
    """

    bounds: tuple[float, ...]
    shares: tuple[float, ...]

    def slower_than(self, seconds: float) -> float:
        """Return the share of requests, 0 to 1, that takes longer; between two bounds in proportion."""
        above = bisect_left(self.bounds, seconds)
        if above == len(self.bounds):
            return 1 - self.shares[-1]
        low, at_low = (self.bounds[above - 1], self.shares[above - 1]) if above else (0.0, 0.0)
        part = (seconds - low) / (self.bounds[above] - low)
        return 1 - (at_low + part * (self.shares[above] - at_low))

    def within(self, share: float) -> float:
        """Return the seconds that a share of requests, between 0 and 1, takes at most; the last bound if it is more."""
        above = bisect_left(self.shares, share)
        if above == len(self.shares):
            return self.bounds[-1]
        low, at_low = (self.bounds[above - 1], self.shares[above - 1]) if above else (0.0, 0.0)
        part = (share - at_low) / (self.shares[above] - at_low)
        return low + part * (self.bounds[above] - low)


@dataclass(frozen=True)
class Behavior:
    """One version.

    Attributes:
        errors: The share of requests that fail, 0 to 1.
        latency: How long the others take.
        slowdown: So many times as long as `latency` says.
    """

    errors: float
    latency: Latency
    slowdown: float = 1.0

    def shares(self, bounds: tuple[float, ...]) -> tuple[float, ...]:
        """Return the shares of all requests that are answered well within each bound but not within the one before.

        Args:
            bounds: In seconds, ascending. One more share than bounds: the last is of what takes longer.
        """
        within = [1 - self.latency.slower_than(bound / self.slowdown) for bound in bounds]
        edges = [0.0, *within, 1.0]
        return tuple((1 - self.errors) * max(0.0, after - before) for before, after in pairwise(edges))


@dataclass(frozen=True)
class Candidate:
    """What the new version may turn out to be.

    Attributes:
        name: In a word or two.
        behavior: How it does.
    """

    name: str
    behavior: Behavior


def candidates(stable: Behavior) -> Iterator[Candidate]:
    """Yield what may become of a new version, from the best to the worst.

    Args:
        stable: What it replaces.
    """
    yield Candidate("healthy", stable)
    for times in (1.5, 2.0, 5.0):
        yield Candidate(f"{times:g}x errors", replace(stable, errors=min(1.0, times * stable.errors)))
    yield Candidate("2x slower", replace(stable, slowdown=2.0))
    yield Candidate("5x slower", replace(stable, slowdown=5.0))
    yield Candidate("all failing", replace(stable, errors=1.0))
