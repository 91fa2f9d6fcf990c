"""What this much traffic can show, and how long it takes.

Evidence grows, on average, by the relative entropy of the truth from the null hypothesis with each request (Wald's
approximation of the sample number of a sequential test). Time to a verdict is therefore a matter of requests, and the
number needed is about log(1/alpha) plus what the mixture costs, divided by that growth.
"""

from __future__ import annotations

import math
from typing import Final

from viridian.guards.absolute import BELOW
from viridian.guards.counts import Counts
from viridian.guards.elementwise import log_add_exp
from viridian.guards.eprocess import HEAD, EProcess, weight
from viridian.guards.relative import ALTERNATIVES

SPEAK_ALPHA: Final = 0.05
"""The level at which a candidate is said to keep a maximum. It decides about going on, not about blame."""

_SHRINK: Final = 50
"""Imagined good requests with which an observed share is averaged: one failure of two requests is no forecast."""

_MIXTURE_COST: Final = math.log(len(ALTERNATIVES) / HEAD)


def relative_entropy(p: float, q: float) -> float:
    """Returns the relative entropy of a coin with probability p from one with q, in nats; q strictly inside (0, 1)."""
    yes = p * math.log(p / q) if p > 0 else 0.0
    no = (1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0
    return yes + no


def requests_to_detect(psi: float, psi0: float, base_rate: float, share: float, alpha: float) -> float | None:
    """Returns about how many requests to the candidate a comparison with stable needs.

    Of the failures, which are rare, a share q(psi) = psi * r / (psi * r + 1 - r) falls on the candidate when it gets a
    share r of the requests. Each failure adds the relative entropy of q(psi) from q(psi0), and there are
    b * (psi + (1 - r) / r) of them for each request to the candidate at a base rate b.

    Args:
        psi: How many times worse the candidate is (odds ratio).
        psi0: How much worse is acceptable.
        base_rate: Stable's share of failures, more than 0.
        share: The candidate's share of the requests, strictly between 0 and 1.
        alpha: The guard's part of alpha.

    Returns:
        The number, or None if this is not worse than acceptable and so never found.
    """
    if psi <= psi0:
        return None
    expected = psi * share / (psi * share + 1 - share)
    acceptable = psi0 * share / (psi0 * share + 1 - share)
    failures = min(1.0, base_rate * psi) + base_rate * (1 - share) / share
    return (_MIXTURE_COST - math.log(alpha)) / (failures * relative_entropy(expected, acceptable))


def power_sentence(
    requests_per_minute: float, psi0: float, base_rate: float, share: float, alpha: float, psi: float = 5.0
) -> str:
    """Returns what the traffic can show, such as "a 5x regression is caught in about 4 minutes".

    Args:
        requests_per_minute: Requests to the candidate.
        psi0: As for `requests_to_detect`, like the next three.
        base_rate: Stable's share of failures.
        share: The candidate's share of the requests.
        alpha: The guard's part of alpha.
        psi: The regression that is spoken of.
    """
    needed = requests_to_detect(psi, psi0, max(base_rate, 1e-6), share, alpha) if 0 < share < 1 else None
    if needed is None or requests_per_minute <= 0:
        return "with this traffic a regression cannot be told from stable"
    small = 1 + (psi0 - 1) / 2
    blind = f"; {small:.3g}x would not be" if small > 1 else ""
    return (
        f"at {requests_per_minute:,.0f} requests a minute to the candidate a {psi:g}x regression is caught in about "
        f"{_minutes(needed / requests_per_minute)}{blind}"
    )


def requests_missing(below: EProcess, seen: Counts, maximum: float) -> int | None:
    """Returns about how many more requests it takes to say that a maximum is kept.

    Args:
        below: The evidence for it so far.
        seen: The candidate's requests so far; their share of events (shrunk a little) is assumed to go on.
        maximum: The largest acceptable share of events.

    Returns:
        0 if it can be said, None if at this share of events it never will.
    """
    missing = -math.log(SPEAK_ALPHA) - below.log_evidence
    if missing <= 0:
        return 0
    rate = seen.events / (seen.total + _SHRINK)
    log_w = math.log(weight(below.blocks + 1))
    target = math.log(len(BELOW)) - math.log(SPEAK_ALPHA)
    waits = []
    for log_s, ratio in zip(below.log_s, BELOW, strict=True):
        growth = rate * math.log(ratio) - math.log1p(maximum * (ratio - 1))
        if growth > 0:
            waits.append((target - log_add_exp(log_s, log_w)) / growth)
    return max(1, math.ceil(min(waits))) if waits else None


def requests_to_decide(evidence: float, threshold: float, seen: Counts, maximum: float) -> int | None:
    """Returns about how many more requests at the share of events seen so far take the evidence to its threshold.

    Each request adds the relative entropy of that share from the maximum (Wald's approximation).

    Args:
        evidence: The e-value so far, more than 0.
        threshold: The e-value that decides.
        seen: The candidate's requests so far.
        maximum: The largest acceptable share of events, strictly between 0 and 1.

    Returns:
        The number, or None while the share is within the maximum: then it is not decided against the candidate.
    """
    if not seen.total or seen.rate <= maximum or evidence <= 0:
        return None
    return max(1, math.ceil(math.log(threshold / evidence) / relative_entropy(seen.rate, maximum)))


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return f"{max(1, round(60 * minutes))} seconds"
    if minutes < 90:
        return "1 minute" if round(minutes) == 1 else f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours"
