"""Which guards there are, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from viridian.guards.counts import Counts
from viridian.guards.latency import round_up
from viridian.guards.relative import ALTERNATIVES
from viridian.guards.series import RequestCounts
from viridian_shared.counts.latency import GRID

OBVIOUS: Final = 0.01
"""The part of alpha for what is plain to see: half for silence, half for answers that are none. Evidence of these comes
so fast, once there is any, that a small part will do."""


_DIGITS: Final = 9
"""Of a multiple of a bound: 1.5 times 0.1 is one of the grid, and not a little more."""


class Source(StrEnum):
    """Which counters a guard reads."""

    REQUESTS = "requests"
    SHADOW = "shadow"
    FEEDBACK = "feedback"
    PREDICTIONS = "predictions"


@dataclass(frozen=True)
class LatencyGuard:
    """A statement such as "95 % of requests take at most 200 ms".

    Attributes:
        percentile: In percent, between 0 and 100, both excluded.
        maximum: In seconds.
        of_stable: Whether the maximum is a multiple of what stable took before the candidate had any weight. Then one
            slow node under a single pod must not pass for a slow model.
    """

    percentile: float
    maximum: float
    of_stable: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise ValueError(f"a percentile must lie between 0 and 100, not {self.percentile:g}")
        round_up(self.maximum)

    @property
    def bound(self) -> float:
        """The bound of the grid that is used, in seconds."""
        return round_up(self.maximum)


@dataclass(frozen=True)
class SlowerGuard:
    """A statement such as "P99 is at most 1.5 times stable's". It becomes a `LatencyGuard` once stable's is known.

    Attributes:
        percentile: In percent, between 0 and 100, both excluded.
        times: The largest acceptable multiple.
    """

    percentile: float
    times: float

    def latency(self, of_stable: float) -> LatencyGuard:
        """Return the guard, given stable's percentile in seconds."""
        return LatencyGuard(self.percentile, min(GRID[-1], round(self.times * of_stable, _DIGITS)), of_stable=True)


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
        rejected: The largest acceptable ratio of the candidate's odds of a 4xx answer to stable's; None for no such
            guard.
        slower: Guards on durations as multiples of stable's, whose bounds are not known yet.
        agreement: The least acceptable share of shadow requests that are answered as by stable, 0 to 1; None for no
            such guard.
        accuracy: The largest acceptable ratio of the candidate's odds of a wrong prediction to stable's; None for no
            such guard.
        max_shift: The largest acceptable total variation distance between the labels of both, 0 to 1; None for no
            limit.
        max_class_ratio: The largest acceptable ratio of the shares of one label, more than 1; None for no limit.
    """

    error_rate_max: float | None = None
    worse_than_stable: float | None = None
    latencies: tuple[LatencyGuard, ...] = ()
    alpha: float = 0.01
    request_timeout: float = 30.0
    rejected: float | None = None
    slower: tuple[SlowerGuard, ...] = ()
    agreement: float | None = None
    accuracy: float | None = None
    max_shift: float | None = None
    max_class_ratio: float | None = None

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
        shares = {"agreement": self.agreement, "the shift of predictions": self.max_shift}
        for what, share in shares.items():
            if share is not None and not 0 < share < 1:
                raise ValueError(f"{what} must be bounded by more than 0 % and less than 100 %, not {100 * share:g} %")
        ratios = {"rejected requests": self.rejected, "wrong predictions": self.accuracy}
        for what, ratio in ratios.items():
            if ratio is not None and ratio <= 0:
                raise ValueError(f"the acceptable odds ratio of {what} must be more than 0, not {ratio:g}")
        if self.max_class_ratio is not None and self.max_class_ratio <= 1:
            raise ValueError(f"the acceptable ratio of classes must be more than 1, not {self.max_class_ratio:g}")
        limits: tuple[LatencyGuard | SlowerGuard, ...] = (*self.latencies, *self.slower)
        names = [name(guard) for guard in limits]
        if len(set(names)) < len(names):
            raise ValueError("two latency guards have the same percentile; keep the stricter one")

    @property
    def silence_alpha(self) -> float:
        """What of alpha belongs to the question whether the candidate answers at all."""
        return self.alpha * OBVIOUS / 2

    @property
    def broken_alpha(self) -> float:
        """What of alpha belongs to the question whether its answers are any."""
        return self.alpha * OBVIOUS / 2

    @property
    def tests_alpha(self) -> float:
        """What of alpha the sequential tests share."""
        return self.alpha * (1 - OBVIOUS)


@dataclass(frozen=True)
class AbsoluteGuard:
    """A share of requests with a fixed maximum.

    Attributes:
        name: What status calls it, such as `errorRate` or `latency-p95`.
        maximum: The largest acceptable share of events.
        latency: The guard on durations that it stems from; None for others.
        source: Which counters it reads.
        event: What an event is, in words.
    """

    name: str
    maximum: float
    latency: LatencyGuard | None = None
    source: Source = Source.REQUESTS
    event: str = "failed"

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
        psi0: The largest acceptable odds ratio; of labels, the limit on their shift or ratio.
        source: Which counters it reads.
        event: What an event is, in words.
        of: What may be one.
        alternatives: How many alternatives its test bets on.
    """

    name: str
    psi0: float
    source: Source = Source.REQUESTS
    event: str = "failed"
    of: str = "requests"
    alternatives: int = len(ALTERNATIVES)

    def counts(self, tally: RequestCounts) -> Counts:
        """Picks what this guard looks at."""
        return tally.refused() if self.name == REJECTED else tally.failed()

    @property
    def fingerprint(self) -> str:
        """Differs when the question differs."""
        return f"x{self.psi0:.6g}"


REJECTED: Final = "rejected"
AGREEMENT: Final = "agreement"
ACCURACY: Final = "accuracy"
SHIFT: Final = "predictions-shift"
CLASS_RATIO: Final = "predictions-classRatio"


def name(guard: LatencyGuard | SlowerGuard) -> str:
    """Returns what status calls a latency guard."""
    of_stable = isinstance(guard, SlowerGuard) or guard.of_stable
    return f"latency-p{guard.percentile:g}" + ("-of-stable" if of_stable else "")


def absolute_guards(config: Config, *sources: Source) -> Iterator[AbsoluteGuard]:
    """Yields the guards with a fixed maximum, of some sources or of all."""
    found = []
    if config.error_rate_max is not None:
        found.append(AbsoluteGuard("errorRate", config.error_rate_max))
    found += [AbsoluteGuard(name(latency), 1 - latency.percentile / 100, latency) for latency in config.latencies]
    if config.agreement is not None:
        found.append(
            AbsoluteGuard(AGREEMENT, 1 - config.agreement, source=Source.SHADOW, event="were answered otherwise")
        )
    yield from (guard for guard in found if not sources or guard.source in sources)


def relative_guards(config: Config, *sources: Source) -> Iterator[RelativeGuard]:
    """Yields the guards that compare with stable, of some sources or of all."""
    found = []
    if config.worse_than_stable is not None:
        found.append(RelativeGuard("errorRate", config.worse_than_stable))
    if config.rejected is not None:
        found.append(RelativeGuard(REJECTED, config.rejected, event="were rejected"))
    if config.accuracy is not None:
        found.append(
            RelativeGuard(ACCURACY, config.accuracy, Source.FEEDBACK, "were wrong", "predictions with feedback")
        )
    if config.max_shift is not None:
        found.append(RelativeGuard(SHIFT, config.max_shift, Source.PREDICTIONS, alternatives=1))
    if config.max_class_ratio is not None:
        found.append(RelativeGuard(CLASS_RATIO, config.max_class_ratio, Source.PREDICTIONS, alternatives=1))
    yield from (guard for guard in found if not sources or guard.source in sources)


def bounds(configs: Iterable[Config]) -> tuple[float, ...]:
    """Returns the bounds of the latency grid that some guards need, in seconds, ascending, without +Inf.

    As long as stable's own percentile is to be found, those are all.
    """
    configs = list(configs)
    if any(config.slower for config in configs):
        return GRID
    return tuple(sorted({guard.bound for config in configs for guard in config.latencies}))
