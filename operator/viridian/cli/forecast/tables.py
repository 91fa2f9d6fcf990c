"""Requests of many rollouts as tables, and what their pods show of clusters: arrays with a column for each rollout."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viridian.guards import config
from viridian.guards.config import RelativeGuard
from viridian.guards.design import MEMORY, design_effect, expected, pearson

Array = NDArray[Any]

TOTAL, ERRORS, REJECTED, SLOW = 0, 1, 2, 3
"""Rows of a table of requests, with a column for each rollout: all, those that failed, those that were refused (in no
other row), and for each bound of the latency guards, ascending, those that took longer or failed."""


@dataclass(frozen=True)
class Requests:
    """What was answered since the last look, as tables with the rows above.

    Attributes:
        candidate: Comparable requests.
        stable: The same of stable.
        mirrored: Copies of stable's requests that the candidate answered; None for none.
        pinned: Requests whose clients chose the candidate; None for none.
        stable_pods: Stable's comparable requests as one such table for each pod; None where pods are not told apart.
        candidate_pods: The same of the candidate's.
    """

    candidate: Array
    stable: Array
    mirrored: Array | None = None
    pinned: Array | None = None
    stable_pods: Array | None = None
    candidate_pods: Array | None = None


def row_of(guard: RelativeGuard) -> int:
    """Return the row of what counts against a candidate that is compared with stable."""
    return REJECTED if guard.name == config.REJECTED else ERRORS


def add_spread(apart: Array, pods: Array | None, row: int, told: Array) -> None:
    """Take in how far pods lie apart; one that got no request says nothing. See `design.Spread`.

    Args:
        apart: The sum of Pearson's statistic so far, and of its mean under chance; they change.
        pods: A table for each pod; None where they are not told apart.
        row: What a failure is.
        told: Which rollouts' pods are looked at.
    """
    if pods is None:
        return
    failed = pods[:, row]
    totals = pods[:, TOTAL] + (failed if row == REJECTED else 0)
    total, events, some = totals.sum(axis=0), failed.sum(axis=0), totals > 0
    known = some.sum(axis=0)
    told = told & (known >= 2) & (events >= 2) & (events <= total - 1)
    if not told.any():
        return
    rate = np.where(told, rate_of(events, total), 0.5)
    parts = pearson(failed, np.where(some, totals, 1), rate)
    new = np.stack((np.where(some, parts, 0.0).sum(axis=0), expected(known, np.where(told, total, 2))))
    apart[:] = np.where(told, MEMORY * apart + new, apart)


def effect_of(apart: Array) -> Array:
    """Return the design effects, at least 1, of such sums."""
    effects: Array = np.maximum(1.0, design_effect(apart[0], apart[1]))
    return effects


def rate_of(events: Array, total: Array) -> Array:
    """Return shares of 0 to 1; 0 where there were no requests."""
    shares: Array = events / np.maximum(total, 1)
    return shares
