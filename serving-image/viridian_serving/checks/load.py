"""Load: when requests are sent, what was measured, and whether that keeps an objective. Pure: who sends is elsewhere.

Requests are sent when they are due, whether or not earlier ones were answered (an open loop), and each is timed from
when it was due. A server that stalls delays all requests that are due meanwhile, and all of them show it; a client that
waits for an answer before it sends the next request would have left them out (coordinated omission).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

FAILED: Final = math.inf
"""Seconds that a request took that was not answered as it should be: errors count as slow."""
LEAST, MOST = 1.0, 50_000.0
"""Requests a second between which the highest rate is looked for."""
_NEAR: Final = 1.1
"""How close to the lowest rate that is too high the highest one that is not has to come."""
_KEEPING_UP: Final = 0.9
"""Share of the rate at which requests are due that answers must come at: else those wait longer and longer."""
_TRIES: Final = 2
"""Times that a rate has to fail before it counts as too high: a busy machine spoils single ones."""


@dataclass(frozen=True)
class Objective:
    """What has to be kept."""

    p99: float
    """Seconds."""
    max_errors: float
    """Share of the requests."""


@dataclass(frozen=True)
class Sent:
    """One request, on the sender's clock, in seconds."""

    due: float
    sent: float
    ended: float
    error: str = ""
    """Why it was not answered as it should be."""

    @property
    def seconds(self) -> float:
        """How long it took from when it was due."""
        return FAILED if self.error else self.ended - self.due


@dataclass(frozen=True)
class Measured:
    """What came of a number of requests. Times are in seconds; infinite where it is a request that failed."""

    rate: float
    """Answers a second, had the first one come at once."""
    requests: int
    p50: float
    p99: float
    slowest: float
    errors: Mapping[str, int]
    """How often each was seen, the most frequent first."""
    lateness: float
    """How much later than due the sender itself was, in 99 % of the requests: that is in the times above."""

    @property
    def failed(self) -> int:
        """Number of requests that failed."""
        return sum(self.errors.values())

    def fault(self, objective: Objective, rate: float = 0.0) -> str | None:
        """Return what of the objective is not kept, as the end of a sentence, or None.

        Args:
            objective: What has to be kept.
            rate: At which requests were due, if that was fixed.
        """
        if self.failed > objective.max_errors * self.requests:
            first = next(iter(self.errors))
            return f"{self.failed} of {self.requests} requests failed, above {objective.max_errors:.3g}: {first}"
        if self.p99 > objective.p99:
            return f"p99 is {milliseconds(self.p99)}, above {milliseconds(objective.p99)}"
        if self.rate < _KEEPING_UP * rate:
            return f"answers fall behind, at {self.rate:,.3g} a second"
        return None


def due_times(rate: float, count: int) -> Iterator[float]:
    """Yield when each of so many requests is due, in seconds from the first one, at an even rate per second."""
    return (number / rate for number in range(count))


def measured(sent: Sequence[Sent]) -> Measured:
    """Sum up requests.

    Args:
        sent: One or more.
    """
    seconds = sorted(each.seconds for each in sent)
    lateness = sorted(each.sent - each.due for each in sent)
    errors: dict[str, int] = {}
    for each in sent:
        if each.error:
            errors[each.error] = errors.get(each.error, 0) + 1
    fastest = min(each.ended - each.due for each in sent)
    took = max(each.ended for each in sent) - min(each.due for each in sent) - fastest
    return Measured(
        rate=(len(sent) - 1) / took if took > 0 else math.inf,
        requests=len(sent),
        p50=percentile(seconds, 0.5),
        p99=percentile(seconds, 0.99),
        slowest=seconds[-1],
        errors=dict(sorted(errors.items(), key=lambda pair: -pair[1])),
        lateness=percentile(lateness, 0.99),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of these numbers that this share of them does not exceed.

    Args:
        ordered: From the lowest to the highest; one or more.
        share: Above 0, at most 1.
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Trial:
    """A rate that was tried."""

    rate: float
    """Requests a second, as sent."""
    kept: bool
    """Whether it kept the objective."""


def highest(trials: Sequence[Trial]) -> float | None:
    """Return the highest rate that kept the objective, below all that did not; None where there is none."""
    high = lowest_failing(trials)
    return max((each.rate for each in trials if each.kept and (high is None or each.rate < high)), default=None)


def lowest_failing(trials: Sequence[Trial]) -> float | None:
    """Return the lowest rate that failed as often as it takes, and never kept the objective; None without one."""
    kept = {each.rate for each in trials if each.kept}
    failed = [each.rate for each in trials if each.rate not in kept]
    return min((rate for rate in failed if failed.count(rate) >= _TRIES), default=None)


def next_rate(trials: Sequence[Trial], first: float, least: float = LEAST, most: float = MOST) -> float | None:
    """Return the rate to try next in search of the highest that keeps the objective.

    It is doubled until one fails, and then halved between the last two, on a logarithmic scale.

    Args:
        trials: So far, in their order.
        first: The rate to begin with.
        least: The lowest rate to try.
        most: The highest rate to try.

    Returns:
        Requests a second; None when the highest was found, or there is none.
    """
    if not trials:
        return min(first, most)
    if not trials[-1].kept and sum(each.rate == trials[-1].rate for each in trials) < _TRIES:
        return trials[-1].rate
    low, high = highest(trials), lowest_failing(trials)
    if low is None:
        return high / 2 if high is not None and high >= 2 * least else None
    if high is None:
        return min(2 * low, most) if low < most else None
    return math.sqrt(low * high) if high > _NEAR * low else None


def milliseconds(seconds: float) -> str:
    """Return a time for people."""
    if math.isinf(seconds):
        return "that of an error"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
