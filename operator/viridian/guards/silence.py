"""Does the candidate answer at all? One that completes nothing gives the other guards nothing to count.

The gateway assigns each request at random. If the candidate's share is p, the chance that of the next n requests that
stable answers well none was preceded by one for the candidate is at most (1 - p)^n. That is an e-value turned around;
the j-th stretch of silence in a rollout may spend alpha / (j * (j + 1)), which sums to alpha over all of them.

Requests take their time, on either side: whatever began in a stretch of silence counts once it is as old as the longest
answer of a healthy candidate takes (`longest_answer`). Stable's answers in the first `longest_answer` seconds of a
stretch may have begun before it, and are left out.

For blame, p is what the gateway was *seen* to give the candidate, not the weight in the route: a gateway that does not
follow the route, or has lost the way to the pods, is no fault of the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from viridian.guards import sentences as say
from viridian.guards.config import Config
from viridian.guards.counts import Counts
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.series import Traffic
from viridian.guards.state import Reach

SLOWEST: Final = 10.0
"""How many times a latency guard's bound a request of a healthy candidate takes at most, but for the share that the
guard allows: a stall of a second must not look like silence."""

AT_LEAST: Final = 10.0
"""Seconds, unless the request timeout is shorter, for the same reason."""

_Z: Final = 4.0
"""Standard errors by which the share that was seen is lowered: chance goes beyond once in 30,000 looks."""

_MARKS: Final = 32
"""At how many moments a stretch of silence remembers what stable has answered: it looks back to a 32nd of the longest
answer."""


@dataclass(frozen=True)
class Tick:
    """What happened since the last tick.

    Attributes:
        stamp: Now, in seconds since the epoch.
        weight: The share that the candidate is meant to get, 0 to 1; 0 where it cannot be compared with stable.
        moved: Whether that has just changed.
        pods: UIDs of the candidate's pods that have reported for this moment.
        candidate: What it did.
        stable: What stable did.
    """

    stamp: float
    weight: float
    moved: bool
    pods: frozenset[str]
    candidate: Traffic
    stable: Traffic


@dataclass(frozen=True)
class SilentPeriod:
    """A stretch of time without any answer of the candidate. Kept in memory only: a restart begins another.

    Attributes:
        since: When it began, in seconds since the epoch.
        pods: The candidate's pods, which have all reported ever since.
        compared: Comparable requests that stable answered meanwhile, its cache included, as everywhere here: whoever
            answers from the cache is not silent, and the gateway gave it that request.
        good: Those of them that it answered well.
        base: How many it had answered well when those that may have begun earlier were over; None before.
        marks: How many it had answered well at some moments, oldest first: as many as are needed to look back.
    """

    since: float
    pods: frozenset[str]
    compared: int = 0
    good: int = 0
    base: int | None = None
    marks: tuple[tuple[float, int], ...] = ()

    def after(self, tick: Tick, longest: float) -> SilentPeriod:
        """The same stretch, with another tick, in which the candidate was silent."""
        latest = tick.stable.comparable
        good = self.good + latest.answered - latest.errors
        base = good if self.base is None and tick.stamp >= self.since + longest else self.base
        marks = self.marks
        if len(marks) > 1 and tick.stamp - marks[-2][0] < longest / _MARKS:
            marks = marks[:-1]
        marks = (*marks, (tick.stamp, good))
        older = sum(stamp <= tick.stamp - longest for stamp, _ in marks)
        return replace(
            self, compared=self.compared + latest.answered, good=good, base=base, marks=marks[max(0, older - 1) :]
        )

    def expected_answers(self, longest: float, stamp: float) -> int:
        """How many good answers of stable a healthy candidate would have had its share of by now."""
        moment, count = self.marks[0] if self.marks else (stamp, 0)
        return max(0, count - self.base) if self.base is not None and moment <= stamp - longest else 0


def longest_answer(config: Config) -> tuple[float, float]:
    """How long a healthy candidate may take.

    Returns:
        Seconds, and the share of its requests, 0 to 1, that it surely completes in that time.
    """
    slowest = max(config.latencies, key=lambda guard: guard.bound, default=None)
    if slowest is None:
        return config.request_timeout, 1.0
    seconds = max(AT_LEAST, SLOWEST * slowest.bound)
    return (seconds, slowest.percentile / 100) if seconds < config.request_timeout else (config.request_timeout, 1.0)


def at_least(candidate: int, stable: int) -> float:
    """Return the smallest share, 0 to 1, that the candidate must have been given for these counts of requests.

    This is the lower end of Wilson's score interval.
    """
    total = candidate + stable
    if not candidate:
        return 0.0
    share, slack = candidate / total, _Z**2 / total
    spread = math.sqrt(share * (1 - share) * slack + slack**2 / 4)
    return (share + slack / 2 - spread) / (1 + slack)


def check_liveness(
    config: Config, reach: Reach, period: SilentPeriod | None, tick: Tick
) -> tuple[Reach, SilentPeriod | None, Judgement | None]:
    """Takes in what happened since the last tick.

    Args:
        config: The guards.
        reach: What the gateway was seen to give the candidate.
        period: The stretch of silence so far; None at first.
        tick: What happened since.

    Returns:
        The same anew, and a judgement if the silence is longer than chance allows.
    """
    if tick.moved:
        reach = replace(reach, share=max(reach.share, at_least(reach.candidate, reach.stable)), candidate=0, stable=0)
    if not tick.weight or not tick.pods:
        return reach, None, None
    if period is not None and not period.pods & tick.pods:
        reach = Reach(reach.runs)  # other pods, and the gateway may not know the way to them
    if period is None or tick.moved or period.pods != tick.pods:
        return replace(reach, runs=reach.runs + 1), SilentPeriod(tick.stamp, tick.pods), None
    if tick.candidate.answered:
        compared = tick.candidate.comparable.answered, period.compared + tick.stable.comparable.answered
        reach = replace(
            reach, runs=reach.runs + 1, candidate=reach.candidate + compared[0], stable=reach.stable + compared[1]
        )
        return reach, SilentPeriod(tick.stamp, tick.pods), None
    period = period.after(tick, longest_answer(config)[0])
    return reach, period, _judge(config, reach, period, tick)


def _judge(config: Config, reach: Reach, period: SilentPeriod, tick: Tick) -> Judgement | None:
    longest, surely = longest_answer(config)
    answers = period.expected_answers(longest, tick.stamp)
    threshold = reach.runs * (reach.runs + 1) / config.silence_alpha
    seen = min(tick.weight, max(reach.share, at_least(reach.candidate, reach.stable)))
    blamed, meant = _evidence(seen * surely, answers), _evidence(tick.weight * surely, answers)
    silence = say.duration(round(tick.stamp - period.since))
    silent = f"The candidate has answered no request for {silence}, while stable answered {answers:,}"
    if blamed >= threshold:
        verdict, value = Verdict.BREACH, blamed
        sentence = (
            f"{silent}; before, the gateway gave it at least {say.percent(seen)} of them,"
            f" {say.against(value, threshold)}."
        )
    elif meant >= threshold:
        verdict, value = Verdict.UNREACHED, meant
        sentence = (
            f"{silent}, although its weight is {say.limit(tick.weight)}. The gateway does not follow the route, or does"
            " not reach the pods, so the model is not blamed: check the gateway's controller, and what may block"
            " requests (a NetworkPolicy, a port)."
        )
    else:
        return None
    return Judgement("answers", "relative", verdict, value, threshold, Counts(), Counts(answers), sentence)


def _evidence(share: float, answers: int) -> float:
    """How unlikely it is that a candidate with this share got none; cut off so that it stays a finite number."""
    return math.exp(min(60.0, -answers * math.log1p(-share))) if share < 1 else math.exp(60.0)
