"""Which regressions this much traffic can show within the holds that are written, and which holds would."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.power import requests_to_detect
from viridian.guards.spec import guard_config
from viridian.rollout.reporting.power import each_alpha
from viridian_shared.durations import format_duration, parse_duration

_LONGEST: Final = timedelta(days=7)


@dataclass(frozen=True)
class Hold:
    """One hold of a rollout.

    Attributes:
        field: Its path in the manifest.
        length: How long it is.
        weight: The candidate's share of the traffic in it, in percent; 0 while it gets copies.
        load: What reaches the candidate in it, copies included, in percent of the traffic.
    """

    field: str
    length: timedelta
    weight: int
    load: int


def holds(spec: ModelDeploymentSpec) -> Iterator[Hold]:
    """Yield each hold of a spec, the bake last."""
    if spec.is_canary:
        for index, step in enumerate(spec.rollout.steps):
            yield Hold(f"spec.rollout.steps[{index}].hold", parse_duration(step.hold), step.share, step.load)
    bake = spec.rollout.bake
    weight = 100 - bake.holdback if spec.has_route else 100
    yield Hold("spec.rollout.bake.duration", parse_duration(bake.duration), weight, weight)


def seen_within(spec: ModelDeploymentSpec, rpm: float, base_rate: float, times: float) -> float | None:
    """Return how much of the evidence against a regression the holds bring, on average; 1 is enough.

    Args:
        spec: What is asked for.
        rpm: Requests a minute of all users.
        base_rate: Stable's share of errors, more than 0.
        times: How many times stable's odds of an error the candidate has.

    Returns:
        The part, or None where the comparison with stable accepts such a candidate, or is not made.
    """
    config = guard_config(spec)
    if config.worse_than_stable is None or not spec.has_route or times <= config.worse_than_stable:
        return None
    return sum(_evidence(spec, hold, rpm, base_rate, times) for hold in holds(spec))


def hold_that_sees(
    spec: ModelDeploymentSpec, rpm: float, base_rate: float, times: float, weight: int
) -> timedelta | None:
    """Return how long a hold at a weight shows a regression by itself, in whole minutes; None for more than a week.

    Args:
        spec: As for `seen_within`, like the next three.
        rpm: The same.
        base_rate: The same.
        times: The same.
        weight: The candidate's, in percent.
    """
    minute = _evidence(spec, Hold("", timedelta(minutes=1), weight, weight), rpm, base_rate, times)
    minutes = math.ceil(1 / minute) if minute > 0 else math.inf
    return timedelta(minutes=minutes) if minutes * 60 <= _LONGEST.total_seconds() else None


def blind_spot(spec: ModelDeploymentSpec, rpm: float, base_rate: float, times: float) -> str:
    """Return that the holds are too short for a regression, and how long they would have to be; empty if they are not.

    Args:
        spec: As for `seen_within`, like the others.
        rpm: The same.
        base_rate: The same.
        times: The same.
    """
    part = seen_within(spec, rpm, base_rate, times)
    if part is None:
        if not spec.has_route:
            return "Without a gateway nothing is compared with stable: only fixed maxima turn a candidate back."
        allowed = spec.guards.error_rate.worse_than_stable
        return f"{times:g} times stable's errors are accepted (guards.errorRate.worseThanStable: '{allowed}')."
    if part >= 1:
        return ""
    weight = max((hold.weight for hold in holds(spec) if hold.weight <= 50), default=50)
    enough = hold_that_sees(spec, rpm, base_rate, times, weight)
    would = f"{format_duration(enough)} at {weight} % would" if enough is not None else "nor would a week"
    return f"This traffic cannot show {times:g} times stable's errors within these holds; {would}."


def _evidence(spec: ModelDeploymentSpec, hold: Hold, rpm: float, base_rate: float, times: float) -> float:
    config, share = guard_config(spec), hold.weight / 100
    if config.worse_than_stable is None or not 0 < share < 1:
        return 0.0
    needed = requests_to_detect(times, config.worse_than_stable, base_rate, share, each_alpha(config))
    return 0.0 if needed is None else rpm * share * hold.length.total_seconds() / 60 / needed
