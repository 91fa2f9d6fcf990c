"""Evidence that may be looked at after every request.

An e-process starts at 1 and, while the null hypothesis holds, is expected not to grow: by Ville's inequality it ever
reaches 1/alpha with probability at most alpha, however often one looks. Here it is a mixture over alternatives and over
the moment at which the candidate turned bad, so that a good past does not hide a late regression:

    S_j(k) = L_j(k) * (S_j(k-1) + w(k)),    S_j(0) + w(1) + w(2) + ... = 1

with L_j(k) the likelihood ratio of block k for alternative j (Shin, Ramdas & Rinaldo, *E-detectors*, arXiv 2203.03532,
have the sum over change points; with weights that sum to 1 it is a plain e-process). What has not been handed out yet
counts too: the mean of the S_j plus the rest of the w is a supermartingale that starts at 1.

The numbers are kept as logarithms. They fit in the status of an object and survive a restart.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from viridian.guards.elementwise import log, log_add_exp, log_sum_exp

if TYPE_CHECKING:
    from viridian.guards.elementwise import Number

HEAD: Final = 0.5
"""The mass on "bad from the start"; the rest is spread over later change points."""

SPREAD: Final = 200
"""The block by which half of the mass for change points is handed out. The weights have a long tail (they fall with the
square of the block's number), so that a rollout may last as long as it likes."""

LARGEST_LOG: Final = 60.0
"""The logarithm at which an e-value is cut off."""

_DIGITS: Final = 6

ROUNDING: Final = 1e-3
"""The logarithm of an e-value that is still none."""


def weight(block: Number) -> Number:
    """Returns the mass on a change point just before a block, numbered from 1.

    The sum telescopes: w(1) + ... + w(k) = (1 - HEAD) * k / (k + SPREAD).
    """
    return (1 - HEAD) * SPREAD / ((block + SPREAD - 1) * (block + SPREAD))


def unspent(blocks: Number) -> Number:
    """Return the mass on change points after this many blocks."""
    return (1 - HEAD) * SPREAD / (blocks + SPREAD)


def weighed(log_s: Number, log_ratio: Number, log_w: Number) -> Number:
    """Returns log S_j(k), given log S_j(k-1), log L_j(k) and log w(k)."""
    return log_ratio + log_add_exp(log_s, log_w)


def log_e_value(log_s: Collection[Number], blocks: Number) -> Number:
    """Returns the logarithm of the e-value after so many blocks, given log S_j for each alternative."""
    return log_add_exp(log_sum_exp(log_s) - math.log(len(log_s)), log(unspent(blocks)))


@dataclass(frozen=True)
class EProcess:
    """The state of one test.

    Attributes:
        log_s: The logarithm of S_j for each alternative.
        blocks: How many blocks it has seen.
    """

    log_s: tuple[float, ...]
    blocks: int = 0

    @classmethod
    def start(cls, alternatives: int) -> EProcess:
        """Returns the state before any data."""
        return cls((round(math.log(HEAD), _DIGITS),) * alternatives)

    def update(self, log_ratios: Sequence[float]) -> EProcess:
        """Takes in one block.

        Args:
            log_ratios: The logarithm of the block's likelihood ratio for each alternative.
        """
        log_w = math.log(weight(self.blocks + 1))
        # Rounded here rather than when written down: a state read back is then the same state, to the last bit.
        log_s = tuple(round(weighed(s, ratio, log_w), _DIGITS) for ratio, s in zip(log_ratios, self.log_s, strict=True))
        return EProcess(log_s, self.blocks + 1)

    def capped(self, most: float = HEAD) -> EProcess:
        """Returns the state with no S_j above a bound, by default none above its start.

        Lowering evidence never costs validity.
        """
        bound = round(math.log(most), _DIGITS)
        return EProcess(tuple(min(s, bound) for s in self.log_s), self.blocks)

    @property
    def log_evidence(self) -> float:
        """The logarithm of the e-value."""
        return log_e_value(self.log_s, self.blocks)

    @property
    def quiet(self) -> bool:
        """Whether there is no evidence at all: the e-value is at most 1, but for rounding."""
        return self.log_evidence < ROUNDING

    @property
    def evidence(self) -> float:
        """The e-value, cut off at about 1e26 so that it stays a finite number."""
        return math.exp(min(self.log_evidence, LARGEST_LOG))
