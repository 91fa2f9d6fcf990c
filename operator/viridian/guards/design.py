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
from typing import Final

from viridian.guards.counts import Counts

_PRIOR: Final = 10.0
"""Imagined degrees of freedom without any spread: a few blocks do not make a cluster."""

_MEMORY: Final = 0.99
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
        return max(1.0, (self.squares + _PRIOR) / (self.freedom + _PRIOR))

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
        squares = sum((pod.events - pod.total * rate) ** 2 / (pod.total * rate * (1 - rate)) for pod in known)
        # Given the sum, the failures are hypergeometric; that makes the mean a little more than k - 1.
        freedom = (len(known) - 1) * total / (total - 1)
        return Spread(
            round(_MEMORY * self.squares + squares, _DIGITS), round(_MEMORY * self.freedom + freedom, _DIGITS)
        )
