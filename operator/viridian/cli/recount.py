"""A guard's counts looked at once more, by hand: how unlikely they are, and what so many requests could have shown."""

import math
from collections.abc import Callable
from typing import Final

from viridian.guards.power import relative_entropy, requests_to_detect
from viridian.guards.sentences import limit as shown_limit
from viridian.guards.sentences import percent

from .model import Json

_STEPS: Final = 60
"""Halvings of a range in which a bound is looked for."""
_WORST: Final = 1e6
"""The largest odds ratio that is looked for."""


def recount(guard: Json) -> str:
    """Return what a guard counted, how that looks without sequential tests, and what it could have seen.

    Args:
        guard: as in `status.guards`, or in the history.

    Returns:
        Sentences; empty for a guard whose counts are not known, or that counted nothing.
    """
    candidate, stable = guard.get("candidate") or {}, guard.get("stable") or {}
    if not candidate.get("requests") or not guard.get("limit"):
        return ""
    told = [_counted(guard, candidate, stable), _by_hand(guard, candidate, stable), _power(guard, candidate, stable)]
    return " ".join(sentence for sentence in told if sentence)


def binomial_tail(requests: int, events: int, share: float) -> float:
    """Return the chance of so many events or more, if each request is one with the same chance."""
    logs = (
        _log_choose(requests, count) + count * math.log(share) + (requests - count) * math.log1p(-share)
        for count in range(events, requests + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))


def hypergeometric_tail(candidate: Json, stable: Json, odds: float) -> float:
    """Return the chance that so many or more of all events are the candidate's, if its odds are so many times stable's.

    Args:
        candidate: requests and events.
        stable: the same.
        odds: the odds ratio, more than 0.
    """
    requests, others = candidate["requests"], stable["requests"]
    events = candidate["events"] + stable["events"]
    low, high = max(0, events - others), min(events, requests)
    logs = {
        count: _log_choose(requests, count) + _log_choose(others, events - count) + count * math.log(odds)
        for count in range(low, high + 1)
    }
    largest = max(logs.values())
    whole = math.fsum(math.exp(log - largest) for log in logs.values())
    tail = math.fsum(math.exp(log - largest) for count, log in logs.items() if count >= candidate["events"])
    return min(1.0, tail / whole)


def _counted(guard: Json, candidate: Json, stable: Json) -> str:
    text = f"{guard['name']} ({guard['kind']}) counted {_share(candidate)} on the candidate"
    if stable.get("requests"):
        text += f" and {_share(stable)} on stable"
    limit = float(guard["limit"])
    allowed = f"{limit:g} times stable's odds" if guard["kind"] == "relative" else shown_limit(limit)
    return f"{text}; it allows {allowed}."


def _by_hand(guard: Json, candidate: Json, stable: Json) -> str:
    limit = float(guard["limit"])
    if guard["kind"] == "relative":
        if not stable.get("requests") or not candidate["events"] + stable["events"]:
            return ""
        chance = hypergeometric_tail(candidate, stable, limit)
    else:
        chance = binomial_tail(candidate["requests"], candidate["events"], limit)
    return f"By hand: a candidate exactly at that limit shows so many or more {_how_often(chance)}."


def _power(guard: Json, candidate: Json, stable: Json) -> str:
    limit, threshold = float(guard["limit"]), float(guard["threshold"])
    if guard["kind"] == "relative":
        if not stable.get("requests"):
            return ""
        found = _smallest(limit, _WORST, lambda odds: _detects(odds, limit, candidate, stable, threshold))
        seen = None if found is None else f"odds of an error from about {found:,.2g} times stable's on"
    else:
        requests = candidate["requests"]
        found = _smallest(limit, 1.0, lambda share: requests * relative_entropy(share, limit) >= math.log(threshold))
        seen = None if found is None else f"a share from about {percent(found)} on"
    if seen is None:
        return "So few requests cannot show even a candidate that always fails."
    return f"So many requests are enough to see {seen}, and hardly less."


def _detects(odds: float, limit: float, candidate: Json, stable: Json, threshold: float) -> bool:
    """Whether so many requests are enough for a comparison with stable, on average."""
    requests, others = candidate["requests"], stable["requests"]
    base = (stable["events"] + 1) / (
        others + 2
    )  # of a few requests without an error it is not said that there are none
    needed = requests_to_detect(odds, limit, base, requests / (requests + others), 1 / threshold)
    return needed is not None and needed <= requests


def _smallest(low: float, high: float, holds: Callable[[float], bool]) -> float | None:
    """The smallest number of a range for which something holds that holds for all larger ones; None for none."""
    if not holds(high):
        return None
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _share(counts: Json) -> str:
    return f"{counts['events']:,} of {counts['requests']:,} ({percent(counts['events'] / counts['requests'])})"


def _how_often(chance: float) -> str:
    if chance > 0.99:
        return "in nearly all looks"
    if chance > 0.1:
        return f"in {chance:.0%} of all looks".replace("%", " %")
    times = 1 / chance if chance else math.inf
    return f"once in {times:,.2g} looks" if times < 1000 else f"once in {_large(times)} looks"


def _large(number: float) -> str:
    """A large number with two digits that mean something; beyond a million it is only said to be beyond."""
    if number >= 1e6:
        return "more than a million"
    return f"{float(f'{number:.2g}'):,.0f}"


def _log_choose(whole: int, part: int) -> float:
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)
