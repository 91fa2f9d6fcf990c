"""Settings that are allowed and yet likely to disappoint: each with what happens, and what to write instead."""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.absolute import BELOW
from viridian.guards.config import absolute_guards
from viridian.guards.counts import Counts
from viridian.guards.eprocess import EProcess
from viridian.guards.power import requests_missing, requests_to_detect
from viridian.guards.spec import guard_config
from viridian_shared.durations import format_duration, parse_duration

Risk = tuple[str, str]
"""A field's path, and a sentence."""
_LAX: Final = 0.5
_REGRESSION: Final = 5.0
"""The odds ratio of the regression whose detection is spoken of."""
_USUAL_ERRORS: Final = 0.001
"""Stable's share of errors where none is known."""


def risks(spec: ModelDeploymentSpec, rpm: float | None, scrape_interval: timedelta) -> Iterator[Risk]:
    """Yield what is risky in a spec.

    Args:
        spec: what is asked for.
        rpm: requests a minute of all users; None leaves out what depends on it.
        scrape_interval: how often Prometheus reads the pods.
    """
    yield from _short_holds(spec, scrape_interval)
    yield from _few_pods(spec)
    yield from _blind_guards(spec)
    if rpm is not None:
        yield from _little_traffic(spec, rpm)


class _Hold(NamedTuple):
    """One hold: its field and length, what reaches the candidate in it, and its weight, both in percent of traffic."""

    field: str
    length: timedelta
    load: int
    weight: int


def _holds(spec: ModelDeploymentSpec) -> Iterator[_Hold]:
    """Each hold, the bake included."""
    if spec.is_canary:
        for index, step in enumerate(spec.rollout.steps):
            yield _Hold(f"spec.rollout.steps[{index}].hold", parse_duration(step.hold), step.load, step.share)
    bake, length = spec.rollout.bake, parse_duration(spec.rollout.bake.duration)
    weight = 100 - bake.holdback if spec.has_route else 100
    yield _Hold("spec.rollout.bake.duration", length, weight, weight)


def _short_holds(spec: ModelDeploymentSpec, scrape_interval: timedelta) -> Iterator[Risk]:
    timeout = parse_duration(spec.serving.timeout)
    for field, hold, _, weight in _holds(spec):
        if hold < scrape_interval:
            yield (
                field,
                f"is {format_duration(hold)}, shorter than Prometheus' scrape interval of"
                f" {format_duration(scrape_interval)}: the guards see nothing in it; make it several intervals long",
            )
        elif weight and hold <= timeout:
            yield (
                field,
                f"is {format_duration(hold)}, not longer than serving.timeout ({spec.serving.timeout}): after each"
                " change of weight the comparison with stable leaves out one timeout; make the hold longer",
            )


def _few_pods(spec: ModelDeploymentSpec) -> Iterator[Risk]:
    scaling = spec.serving.autoscaling
    field, pods = "spec.serving.replicas", spec.serving.replicas
    if scaling is not None:
        field, pods = "spec.serving.autoscaling.minReplicas", scaling.min_replicas
    if pods > 1:
        return
    if spec.guards.latency:
        yield (
            field,
            "is 1, with guards on latency: one slow node passes for a slow model, and a drained node takes all answers;"
            " write at least 2",
        )
    else:
        yield field, "is 1: a drained node takes all answers; write at least 2 if users must be served meanwhile"


def _blind_guards(spec: ModelDeploymentSpec) -> Iterator[Risk]:
    config = guard_config(spec)
    if config.error_rate_max is not None and config.error_rate_max >= _LAX:
        yield (
            "spec.guards.errorRate.max",
            f"is {spec.guards.error_rate.max}: half of the users may see errors; write what they accept, such as 1%",
        )
    if spec.guards.latency:
        return
    alone = "" if spec.has_route else " Without a gateway nothing is compared with stable either."
    yield (
        "spec.guards.latency",
        "is empty: a candidate that is slow, but answers within serving.timeout, is promoted; write"
        f" [{{percentile: '95', max: 200ms}}] with your own maximum.{alone}",
    )


def _little_traffic(spec: ModelDeploymentSpec, rpm: float) -> Iterator[Risk]:
    holds = list(_holds(spec))
    field, hold, load, _ = holds[0]
    need, guard = max(_requests_to_confirm(spec), default=(0, ""))
    at_first = rpm * load / 100
    seen = at_first * hold.total_seconds() / 60
    if need > seen:
        lasts = timedelta(minutes=need / at_first) if at_first else timedelta.max
        yield field, _short_of_evidence(spec, hold, load, rpm, seen, need, guard, lasts)
    yield from _min_requests(spec, rpm)
    yield from _detects(spec, holds, rpm)


def _short_of_evidence(
    spec: ModelDeploymentSpec,
    hold: timedelta,
    weight: int,
    rpm: float,
    seen: float,
    need: int,
    guard: str,
    lasts: timedelta,
) -> str:
    text = (
        f"is {format_duration(hold)}: at {rpm:,.0f} requests a minute the candidate gets about {seen:,.0f} in it with"
        f" {weight} %, and {guard} needs about {need:,} to confirm its maximum, so the step"
    )
    if lasts >= parse_duration(spec.rollout.deadline):
        return f"{text} does not end before rollout.deadline and the rollout expires; raise the weight or the maximum"
    whole = timedelta(minutes=max(1, math.ceil(lasts.total_seconds() / 60)))
    return f"{text} lasts about {format_duration(whole)}; raise the weight to make it shorter"


def _requests_to_confirm(spec: ModelDeploymentSpec) -> Iterator[tuple[int, str]]:
    """How many requests without an event each guard with a maximum needs before a step may end, and its name."""
    for guard in absolute_guards(guard_config(spec)):
        missing = requests_missing(EProcess.start(len(BELOW)), Counts(), guard.maximum)
        if missing is not None:
            yield missing, guard.name


def _min_requests(spec: ModelDeploymentSpec, rpm: float) -> Iterator[Risk]:
    deadline = parse_duration(spec.rollout.deadline)
    for index, step in enumerate(spec.rollout.steps if spec.is_canary else []):
        minutes = step.min_requests / (rpm * step.load / 100) if rpm else math.inf
        if step.min_requests and minutes * 60 >= deadline.total_seconds():
            yield (
                f"spec.rollout.steps[{index}].minRequests",
                f"is {step.min_requests:,}: at {rpm:,.0f} requests a minute and {step.load} % they do not arrive"
                " before rollout.deadline, and the rollout expires; lower it, or raise the weight",
            )


def _detects(spec: ModelDeploymentSpec, holds: list[_Hold], rpm: float) -> Iterator[Risk]:
    """Whether a clear regression would be found within the holds that are written."""
    config = guard_config(spec)
    if config.worse_than_stable is None or not spec.has_route:
        return
    alpha = config.tests_alpha / (len(list(absolute_guards(config))) + 1)
    share = 0.0
    for _, hold, _, weight in holds:
        if not weight:
            continue  # copies take no part in the comparison with stable
        fraction = weight / 100
        needed = requests_to_detect(_REGRESSION, config.worse_than_stable, _USUAL_ERRORS, fraction, alpha)
        if needed is not None:
            share += rpm * fraction * hold.total_seconds() / 60 / needed
    if share < 1:
        yield (
            "spec.rollout.steps",
            f"are too short for {rpm:,.0f} requests a minute: {_REGRESSION:g} times as many errors as stable's"
            f" {_USUAL_ERRORS:.1%} would not be seen within holds and bake; make them about"
            f" {math.ceil(1 / share) if share else 'many'} times as long, or accept it",
        )
