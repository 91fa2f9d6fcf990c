"""Rules for drift, on many windows at once; ours is `viridian_shared.drift`, and a test holds both together."""

import numpy as np
from numpy.typing import NDArray

from viridian_shared.drift import FLOOR, PRACTICAL, critical_g

Counts = NDArray[np.float64]


def psi(served: Counts, baseline: Counts) -> Counts:
    """PSI of each row of served values by bin."""
    with np.errstate(invalid="ignore", divide="ignore"):
        a = np.maximum(served / served.sum(axis=1, keepdims=True), FLOOR)
    e = np.maximum(baseline / baseline.sum(), FLOOR)
    found: Counts = ((a - e) * np.log(a / e)).sum(axis=1)
    return np.nan_to_num(found)


def g_statistic(served: Counts, baseline: Counts) -> Counts:
    """G of each row, from the table of both samples."""
    n, m = served.sum(axis=1), baseline.sum()
    cells = _times_log(served).sum(axis=1) + _times_log(baseline).sum() - _times_log(served + baseline).sum(axis=1)
    found: Counts = 2 * (cells - _times_log(n) - _times_log(np.asarray(m)) + _times_log(n + m))
    return found


def ours(served: Counts, baseline: Counts) -> NDArray[np.bool_]:
    """Whether each row is drift."""
    return (psi(served, baseline) >= PRACTICAL) & (g_statistic(served, baseline) > critical_g(len(baseline)))


def fixed(served: Counts, baseline: Counts) -> NDArray[np.bool_]:
    """The same by a threshold alone."""
    return psi(served, baseline) > 0.2


def _times_log(numbers: Counts) -> Counts:
    found: Counts = numbers * np.log(np.maximum(numbers, 1e-9))
    return found
