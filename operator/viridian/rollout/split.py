"""Whether the gateway has followed a step, told by the requests that both colors complete.

A request on the candidate says nothing if it had weight before: a gateway whose controller is away goes on with the old
weights. So the two splits are weighed against each other, request by request, in Wald's sequential test: the one that
the step asks for, and the one before it. Where the candidate had no weight before, its first request decides.
"""

import math
from datetime import datetime

from viridian.api.status import StepStatus
from viridian.api.status.changes import StepChanges, evolve

from .context import RolloutContext

SURE = math.log(10_000)
"""The likelihood ratio, as a logarithm, at which one split is said to be the true one of the two. A test that ends
wrongly is that rare; a gateway that stays away for long is tested again and again."""


def follow(step: StepStatus, candidate: int, stable: int, now: datetime) -> StepStatus:
    """Take in the requests counted so far: the step is verified, found lagging, or as it was.

    A test that is decided against the step starts anew with the next request, so that a gateway which follows late is
    seen to follow at once, however long it did not.

    Args:
        step: a step that is not verified, and whose weight is in the route.
        candidate: comparable requests that the candidate has completed since the rollout began.
        stable: the same of stable.
        now: the time, with a zone.
    """
    counted: StepChanges = {"requests_before": candidate, "stable_requests_before": stable}
    here, there = candidate - step.requests_before, stable - step.stable_requests_before
    if here < 0 or there < 0:  # pods took their counts with them
        return evolve(step, counted)
    for_it = log_likelihood_ratio(here, there, step.weight, step.weight_before)
    if for_it >= SURE:
        return evolve(step, counted, verified_at=now, lagging_since=None)
    if for_it <= -SURE:
        return evolve(step, counted, lagging_since=step.lagging_since or now)
    return step


def lag(context: RolloutContext) -> str:
    """That the gateway does not follow the present step, and what to do, in a sentence; empty when it may yet.

    Requests that were on their way, and proxies that learn of new weights one after the other, are given a moment.
    """
    step = context.status.step
    if step is None or step.lagging_since is None or context.now - step.lagging_since < context.settings.quiet:
        return ""
    return (
        f"the route gives the candidate {step.weight} %, but it is seen to complete {step.weight_before} % of the"
        f" requests, as before this step: check that the gateway's controller runs, what the status of HTTPRoute"
        f" {context.name} says, and that requests reach the candidate's pods"
    )


def log_likelihood_ratio(here: int, there: int, asked: int, before: int) -> float:
    """How much better the requests fit to the weight asked for than to the one before, both in percent."""
    if asked == before:  # as in a bake after a step of the same weight: nothing has to move
        return math.inf if here else 0.0
    candidate = here * _log_ratio(asked, before) if here else 0.0
    stable = there * _log_ratio(100 - asked, 100 - before) if there else 0.0
    # What neither split allows: a request at weight 0. The one asked for is never 0, so the candidate's tells most.
    return candidate if math.isinf(candidate) else candidate + stable


def _log_ratio(asked: int, before: int) -> float:
    if before == 0:
        return math.inf
    return math.log(asked / before) if asked else -math.inf
