"""What the guards found, in words."""

from __future__ import annotations

from typing import Final

from viridian.guards.config import AbsoluteGuard, RelativeGuard
from viridian.guards.counts import Block, Counts

_MANY: Final = 1e6
ONE_POD: Final = "but on one pod, where a slow node looks the same: run two replicas to tell them apart"


def percent(share: float) -> str:
    """Returns a share of 0 to 1 in percent, with more digits where it is small."""
    return f"{100 * share:.2g} %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def limit(share: float) -> str:
    """Returns a configured share of 0 to 1 in percent, as a user would write it."""
    return f"{100 * share:.4g} %"


def evidence(value: float) -> str:
    """Returns an e-value with as many digits as mean something."""
    if value >= _MANY:
        return "more than a million"
    if value < 0.01:
        return "less than 0.01"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """Returns a duration in the unit that reads best."""
    return f"{1000 * seconds:g} ms" if seconds < 1 else f"{seconds:g} s"


def times(factor: float) -> str:
    """Returns "1.5 times"."""
    return f"{factor:g} times"


def what(guard: AbsoluteGuard | RelativeGuard) -> str:
    """Returns what an event of this guard is: "failed", "took longer than 200 ms or failed"."""
    if isinstance(guard, AbsoluteGuard) and guard.latency:
        return f"took longer than {duration(guard.latency.bound)} or failed"
    return guard.event


def share_of(counts: Counts, where: str, verb: str, of: str = "requests") -> str:
    """Returns "37 of 412 requests on the candidate failed (9.0 %)"."""
    return f"{counts.events:,} of {counts.total:,} {of} on {where} {verb} ({percent(counts.rate)})"


def both(block: Block, verb: str, of: str = "requests") -> str:
    """Returns the shares of both sides, or of the candidate alone where stable had no requests."""
    text = share_of(block.candidate, "the candidate", verb, of)
    if block.stable.total:
        text += f", {block.stable.events:,} of {block.stable.total:,} on stable ({percent(block.stable.rate)})"
    return text


def pinned(counts: Counts, verb: str) -> str:
    """Returns what pinned requests did, and what that is worth."""
    return (
        f"Of pinned requests, {counts.events:,} of {counts.total:,} {verb}: clients choose those, so they count only"
        " beside unpinned ones that fail as well."
    )


def against(value: float, threshold: float) -> str:
    """Returns "evidence 2,140 against a threshold of 300"."""
    return f"evidence {evidence(value)} against a threshold of {threshold:,.0f}"


def allowed(guard: AbsoluteGuard) -> str:
    """Returns what the guard allows: "10 %", or with the percentile that it stems from."""
    if guard.latency:
        of_stable = ", a multiple of stable's," if guard.latency.of_stable else ""
        return f"the {limit(guard.maximum)} that P{guard.latency.percentile:g}{of_stable} allows"
    return f"the maximum of {limit(guard.maximum)}"
