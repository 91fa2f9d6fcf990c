"""How much less failures say because pods differ: the design effect.

Failures that come in clusters (one slow node, one bad disk) are fewer events than they seem. Stable's pods run the same
model, so what lies between them beyond chance is not the model's doing. Given a block's failures in all, Pearson's
statistic of k pods has the mean k - 1 if nothing but chance is between them; the ratio of the two is the design effect
(Kish, *Survey sampling*, 1965; as the dispersion of a quasi-binomial model: McCullagh & Nelder, *Generalized linear
models*, 1989, section 4.5). A likelihood ratio is raised to 1 / effect, which Jensen's inequality keeps valid as long
as the effect is fixed before the block is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from viridian.guards.counts import Counts

if TYPE_CHECKING:
    from viridian.guards.elementwise import Number

_PRIOR: Final = 10.0
"""Imagined degrees of freedom without any spread: a few blocks do not make a cluster."""

MEMORY: Final = 0.99
"""What each block leaves of the earlier ones: after some hundred, a node that is well again is forgotten."""

_DIGITS: Final = 4


@dataclass(frozen=True)
class Spread:
    """What stable's pods have shown of themselves.

    Attributes:
        squares: The sum of Pearson's statistic over blocks, the older the less.
        freedom: The sum of its mean under chance alone.
    """

    squares: float = 0.0
    freedom: float = 0.0

    @property
    def effect(self) -> float:
        """The design effect, at least 1."""
        return max(1.0, design_effect(self.squares, self.freedom))

    def after(self, pods: Sequence[Counts]) -> Spread:
        """Take in a block; one failure, nothing but failures, or one pod alone says nothing.

        Args:
            pods: Requests and failures of each of stable's pods.
        """
        known = [pod for pod in pods if pod.total]
        total, events = sum(pod.total for pod in known), sum(pod.events for pod in known)
        if len(known) < 2 or not 2 <= events <= total - 1:
            return self
        rate = events / total
        squares = sum(pearson(pod.events, pod.total, rate) for pod in known)
        freedom = expected(len(known), total)
        return Spread(round(MEMORY * self.squares + squares, _DIGITS), round(MEMORY * self.freedom + freedom, _DIGITS))


def design_effect(squares: Number, freedom: Number) -> Number:
    """Returns how many failures count as one, before the bound of 1."""
    return (squares + _PRIOR) / (freedom + _PRIOR)


def pearson(events: Number, total: Number, rate: Number) -> Number:
    """Returns a pod's part of Pearson's statistic, given the rate of all pods, strictly between 0 and 1."""
    return (events - total * rate) ** 2 / (total * rate * (1 - rate))


def expected(pods: Number, total: Number) -> Number:
    """Returns the statistic's mean under chance alone.

    Given the sum, the failures are hypergeometric; that makes it a little more than the number of pods less one.
    """
    return (pods - 1) * total / (total - 1)
