"""Is it the candidate's fault, or does stable fail as well?

A fixed maximum is crossed by the candidate alone or in an incident that hits both, and only the first is a reason to
take it back. Where stable gets most of the requests, its own evidence answers that. Where the candidate has most, its
evidence is complete before stable has answered a single request; so blame waits a little for stable's requests, and
counts only those from moments in which the candidate was failing: after an incident both do well again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from viridian.guards.counts import Block, Counts
from viridian.guards.elementwise import log, log1p

if TYPE_CHECKING:
    from viridian.guards.elementwise import Number

SHARED_ALPHA: Final = 0.05
"""The level at which stable is said to breach. It withholds blame and punishes nobody, so it need not be strict."""

A_FEW: Final = 3
"""Requests, or failures, of stable that are more than an accident."""

SETTLED: Final = math.log(1000)
"""The likelihood ratio, as a logarithm, at which stable is said not to fail as the candidate does."""

SHORT_WAIT: Final = 10.0
"""Seconds that blame waits for stable's requests while there are hardly any."""

LONG_WAIT: Final = 60.0
"""The same while there are some, none of which tells the two apart: a mild failure takes more of them than a total one,
and does less harm meanwhile."""

HIGHEST: Final = 0.99
"""The largest rate of a candidate that stable's requests are held against: of 1, one good answer would settle all."""


def told_apart(events: Number, total: Number, maximum: float, rate: Number) -> Number:
    """Returns the logarithm of how much better requests of stable fit to the maximum than to the candidate's rate.

    Args:
        events: Those of them that count against it.
        total: Of stable's requests.
        maximum: The largest acceptable share of events.
        rate: The candidate's share of events, more than the maximum and at most `HIGHEST`.
    """
    return events * log(maximum / rate) + (total - events) * (log1p(-maximum) - log1p(-rate))


@dataclass(frozen=True)
class Attribution:
    """Whether stable fails as well, as far as is known. Kept in memory only: after a restart one waits again.

    Attributes:
        apart: The logarithm of how much better stable's requests fit to the maximum than to the candidate's rate.
        since: The stamp at which the evidence against the candidate was complete; None if it is not.
    """

    apart: float = 0.0
    since: float | None = None

    def after(self, tick: Block, candidate: Counts, maximum: float, over: float | None) -> Attribution:
        """Takes in the requests since the last look.

        Args:
            tick: Those requests.
            candidate: The candidate's requests that the evidence is about.
            maximum: The largest acceptable share of events.
            over: The stamp of this look if the evidence against the candidate is complete, else None.
        """
        apart = self.apart
        rate = min(candidate.rate, HIGHEST)
        if tick.candidate.rate > maximum and rate > maximum:
            apart += told_apart(tick.stable.events, tick.stable.total, maximum, rate)
        since = self.since if over is not None and self.since is not None else over
        return Attribution(apart, since)

    @property
    def settled(self) -> bool:
        """Whether stable surely does better than the candidate."""
        return self.apart >= SETTLED

    def waited(self, stamp: float, stable: Counts) -> bool:
        """Whether stable has been waited for long enough, given its requests in the same time."""
        wait = SHORT_WAIT if stable.total < A_FEW else LONG_WAIT
        return self.since is not None and stamp - self.since >= wait
