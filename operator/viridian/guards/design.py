"""How much less failures say because pods differ: the design effect.

Failures that come in clusters (one slow node, one bad disk) are fewer events than they seem. Stable's pods run the same
model, so what lies between them beyond chance is not the model's doing. Given a block's failures in all, Pearson's
statistic of k pods has the mean k - 1 if nothing but chance is between them; the ratio of the two is the design effect
(Kish, *Survey sampling*, 1965; as the dispersion of a quasi-binomial model: McCullagh & Nelder, *Generalized linear
models*, 1989, section 4.5). A likelihood ratio is raised to 1 / effect, which Jensen's inequality keeps valid as long
as the effect is fixed before the block is seen.

Stable's pods have shown it before, since they served alone. What the candidate's own pods show of it in the very block
can only be used against the evidence: a ratio that speaks against the candidate is lowered, and no other (see
`tempered`). A regression of the model is on all of its pods, and leaves them alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from viridian.guards.counts import Counts
from viridian.guards.elementwise import where

if TYPE_CHECKING:
    from viridian.guards.elementwise import Number

_PRIOR: Final = 10.0
"""Imagined degrees of freedom without any spread: a few blocks do not make a cluster."""

_OWN_PRIOR: Final = 2.0
"""The same of the candidate's pods, of which only one block is looked at."""

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


def design_effect(squares: Number, freedom: Number, prior: float = _PRIOR) -> Number:
    """Returns how many failures count as one, before the bound of 1."""
    return (squares + prior) / (freedom + prior)


def effect_within(pods: Sequence[Counts]) -> float:
    """Returns the design effect, at least 1, that the candidate's pods show in a block alone."""
    found = Spread().after(pods)
    return max(1.0, own_effect(found.squares, found.freedom))


def own_effect(squares: Number, freedom: Number) -> Number:
    """Returns the same of Pearson's statistic and its mean, before the bound of 1."""
    return design_effect(squares, freedom, _OWN_PRIOR)


def tempered(log_ratio: Number, effect: Number, within: Number) -> Number:
    """Returns the logarithm of a likelihood ratio that is raised to 1 / effect, and lowered if it is still above 1.

    Args:
        log_ratio: The logarithm of the ratio.
        effect: The design effect by earlier blocks, at least 1.
        within: That of the candidate's pods in this block, at least 1.
    """
    return where(log_ratio > 0, log_ratio / where(within > effect, within, effect), log_ratio / effect)


def pearson(events: Number, total: Number, rate: Number) -> Number:
    """Returns a pod's part of Pearson's statistic, given the rate of all pods, strictly between 0 and 1."""
    return (events - total * rate) ** 2 / (total * rate * (1 - rate))


def expected(pods: Number, total: Number) -> Number:
    """Returns the statistic's mean under chance alone.

    Given the sum, the failures are hypergeometric; that makes it a little more than the number of pods less one.
    """
    return (pods - 1) * total / (total - 1)
