"""Which guards there are, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from viridian.guards.counts import Counts
from viridian.guards.latency import round_up
from viridian.guards.series import RequestCounts

SILENCE: Final = 0.01
"""The part of alpha for silence. Its evidence comes so fast, once there is any, that a small part will do."""


@dataclass(frozen=True)
class LatencyGuard:
    """A statement such as "95 % of requests take at most 200 ms".

    Attributes:
        percentile: In percent, between 0 and 100, both excluded.
        maximum: In seconds.
    """

    percentile: float
    maximum: float

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise ValueError(f"a percentile must lie between 0 and 100, not {self.percentile:g}")
        round_up(self.maximum)

    @property
    def bound(self) -> float:
        """The bound of the grid that is used, in seconds."""
        return round_up(self.maximum)


@dataclass(frozen=True)
class Config:
    """What is guarded.

    Attributes:
        error_rate_max: The largest acceptable share of errors, 0 to 1; None for no such guard.
        worse_than_stable: The largest acceptable ratio of the candidate's odds of an error to stable's; None for no
            such guard.
        latencies: Guards on durations, each with its own percentile.
        alpha: The probability of ever rolling back a healthy candidate, shared by all guards.
        request_timeout: Seconds that a request takes at most. So many after a change of weight are left out of the
            comparison with stable: a revision whose weight rose shows only its fast finishers at first.
    """

    error_rate_max: float | None = None
    worse_than_stable: float | None = None
    latencies: tuple[LatencyGuard, ...] = ()
    alpha: float = 0.01
    request_timeout: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {self.alpha:g}")
        if self.error_rate_max is not None and not 0 < self.error_rate_max < 1:
            raise ValueError(
                f"the largest acceptable error rate must be more than 0 % and less than 100 %, "
                f"not {100 * self.error_rate_max:g} %"
            )
        if self.worse_than_stable is not None and self.worse_than_stable <= 0:
            raise ValueError(f"the acceptable odds ratio must be more than 0, not {self.worse_than_stable:g}")
        names = [name(guard) for guard in self.latencies]
        if len(set(names)) < len(names):
            raise ValueError("two latency guards have the same percentile; keep the stricter one")

    @property
    def silence_alpha(self) -> float:
        """What of alpha belongs to the question whether the candidate answers at all."""
        return self.alpha * SILENCE

    @property
    def tests_alpha(self) -> float:
        """What of alpha the sequential tests share."""
        return self.alpha - self.silence_alpha


@dataclass(frozen=True)
class AbsoluteGuard:
    """A share of requests with a fixed maximum.

    Attributes:
        name: What status calls it, such as `errorRate` or `latency-p95`.
        maximum: The largest acceptable share of events.
        latency: The guard on durations that it stems from; None for errors.
    """

    name: str
    maximum: float
    latency: LatencyGuard | None = None

    def counts(self, tally: RequestCounts) -> Counts:
        """Picks what this guard looks at."""
        return tally.slow(self.latency.bound) if self.latency else tally.failed()

    @property
    def fingerprint(self) -> str:
        """Differs when the question differs; evidence for one question is none for another."""
        return f"{self.maximum:.6g}" + (f"@{self.latency.bound:g}" if self.latency else "")


@dataclass(frozen=True)
class RelativeGuard:
    """A comparison with stable.

    Attributes:
        name: What status calls it.
        psi0: The largest acceptable odds ratio.
    """

    name: str
    psi0: float

    @property
    def fingerprint(self) -> str:
        """Differs when the question differs."""
        return f"x{self.psi0:.6g}"


def name(guard: LatencyGuard) -> str:
    """Returns what status calls a latency guard."""
    return f"latency-p{guard.percentile:g}"


def absolute_guards(config: Config) -> Iterator[AbsoluteGuard]:
    """Yields the guards with a fixed maximum."""
    if config.error_rate_max is not None:
        yield AbsoluteGuard("errorRate", config.error_rate_max)
    for latency in config.latencies:
        yield AbsoluteGuard(name(latency), 1 - latency.percentile / 100, latency)


def relative_guards(config: Config) -> Iterator[RelativeGuard]:
    """Yields the guards that compare with stable."""
    if config.worse_than_stable is not None:
        yield RelativeGuard("errorRate", config.worse_than_stable)


def bounds(configs: Iterable[Config]) -> tuple[float, ...]:
    """Returns the bounds of the latency grid that some guards need, in seconds, ascending, without +Inf."""
    return tuple(sorted({guard.bound for config in configs for guard in config.latencies}))
