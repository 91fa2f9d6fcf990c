"""Settings that are allowed and yet likely to disappoint: each with what happens, and what to write instead."""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from viridian.api.quantities import parse_quantity
from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.absolute import BELOW
from viridian.guards.config import absolute_guards
from viridian.guards.counts import Counts
from viridian.guards.evidence.eprocess import EProcess
from viridian.guards.power import requests_missing
from viridian.guards.spec import guard_config
from viridian.rollout.drills.obstacles import small, unseen
from viridian_shared.durations import format_duration, parse_duration

from ..forecast.power import Hold, hold_that_sees, holds, seen_within

Risk = tuple[str, str]
"""A field's path, and a sentence."""
_LAX: Final = 0.5
_LEAST_MEMORY: Final = 1 << 20
_HALF: Final = 50
"""The weight, in percent, up to which stable keeps enough requests to be compared with."""
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
    yield from _tiny_memory(spec)
    yield from _blind_guards(spec)
    yield from _drills(spec)
    if rpm is not None:
        yield from _little_traffic(spec, rpm)


def _short_holds(spec: ModelDeploymentSpec, scrape_interval: timedelta) -> Iterator[Risk]:
    timeout = parse_duration(spec.serving.timeout)
    for hold in holds(spec):
        length = format_duration(hold.length)
        if hold.length < scrape_interval:
            yield (
                hold.field,
                f"is {length}, shorter than Prometheus' scrape interval of"
                f" {format_duration(scrape_interval)}: the guards see nothing in it; make it several intervals long",
            )
        elif hold.weight and hold.length <= timeout:
            yield (
                hold.field,
                f"is {length}, not longer than serving.timeout ({spec.serving.timeout}): after each"
                " change of weight the comparison with stable leaves out one timeout; make the hold longer",
            )


def _drills(spec: ModelDeploymentSpec) -> Iterator[Risk]:
    if spec.drill is None:
        return
    if (why := small(spec)) is not None:
        yield "spec.drill", f"never begins: {why}"
    for index, kind in enumerate(spec.drill.kinds):
        if (why := unseen(spec, kind)) is not None:
            yield f"spec.drill.kinds[{index}]", f"is {kind}, and such a drill never begins: {why}"


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
            "is 1, with guards on latency: one slow node passes for a slow model, and nobody is answered while its node"
            " is drained; write at least 2",
        )
    else:
        yield (
            field,
            "is 1: nobody is answered while its node is drained; write at least 2 if users must be served meanwhile",
        )


def _tiny_memory(spec: ModelDeploymentSpec) -> Iterator[Risk]:
    """128m is 0.128 bytes: no container starts with it, and what the runtime says names no field."""
    for name, container in (("triton", spec.serving.triton), ("api", spec.serving.api)):
        for kind in ("requests", "limits"):
            memory = getattr(container.resources, kind).get("memory")
            if memory is not None and parse_quantity(str(memory)) < _LEAST_MEMORY:
                yield (
                    f"spec.serving.{name}.resources.{kind}.memory",
                    f"is {memory}, less than 1Mi, and no container runs in it: write it in Mi or Gi, such as 512Mi",
                )


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
    first = next(holds(spec))
    need, guard = max(_requests_to_confirm(spec), default=(0, ""))
    if need > rpm * first.load / 100 * first.length.total_seconds() / 60:
        yield first.field, _short_of_evidence(spec, first, rpm, need, guard)
    yield from _min_requests(spec, rpm)
    yield from _detects(spec, rpm)


def _short_of_evidence(spec: ModelDeploymentSpec, hold: Hold, rpm: float, need: int, guard: str) -> str:
    at_first = rpm * hold.load / 100
    seen = at_first * hold.length.total_seconds() / 60
    lasts = timedelta(minutes=need / at_first) if at_first else timedelta.max
    text = (
        f"is {format_duration(hold.length)}: at {rpm:,.0f} requests a minute the candidate gets about {seen:,.0f} in it"
        f" with {hold.load} %, and {guard} needs about {need:,} to confirm its maximum, so the step"
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


def _detects(spec: ModelDeploymentSpec, rpm: float) -> Iterator[Risk]:
    """Whether a clear regression would be found within the holds that are written."""
    share = seen_within(spec, rpm, _USUAL_ERRORS, _REGRESSION)
    if share is None or share >= 1:
        return
    weight = max((hold.weight for hold in holds(spec) if hold.weight <= _HALF), default=_HALF)
    enough = hold_that_sees(spec, rpm, _USUAL_ERRORS, _REGRESSION, weight)
    hold = f", or one of them {format_duration(enough)} at {weight} %" if enough is not None else ""
    yield (
        "spec.rollout.steps",
        f"are too short for {rpm:,.0f} requests a minute: {_REGRESSION:g} times as many errors as stable's"
        f" {_USUAL_ERRORS:.1%} would not be seen within holds and bake; make them about"
        f" {math.ceil(1 / share) if share else 'many'} times as long{hold}, or accept it",
    )
