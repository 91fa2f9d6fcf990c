"""Mathematics on numbers and, element by element, on arrays: each formula of the guards is written once for both.

The operator judges one rollout at a time, and has no numpy. A forecast judges thousands at once, as arrays with one
element for each. numpy is imported when the first array arrives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Number = TypeVar("Number", float, Array)


def log(x: Number) -> Number:
    """Return the natural logarithm of x, more than 0."""
    if isinstance(x, (int, float)):
        return math.log(x)
    import numpy as np

    return np.log(x)


def log1p(x: Number) -> Number:
    """Return log(1 + x) of x more than -1, exactly also where x is small."""
    if isinstance(x, (int, float)):
        return math.log1p(x)
    import numpy as np

    return np.log1p(x)


def log_add_exp(a: Number, b: Number) -> Number:
    """Return log(exp(a) + exp(b)) without overflow."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return max(a, b) + math.log1p(math.exp(-abs(a - b)))
    import numpy as np

    return np.logaddexp(a, b)


def log_sum_exp(logs: Iterable[Number]) -> Number:
    """Return log(exp(a) + exp(b) + ...) without overflow."""
    return reduce(log_add_exp, logs)


def log_factorial(n: Number) -> Number:
    """Return log n! of whole numbers of at least 0; of arrays, from a table as long as the largest of them."""
    if isinstance(n, (int, float)):
        return math.lgamma(n + 1)
    import numpy as np

    return _factorials(int(n.max(initial=0)))[n.astype(np.int64)]


def root(x: Number) -> Number:
    """Return the square root of x, at least 0."""
    if isinstance(x, (int, float)):
        return math.sqrt(x)
    import numpy as np

    return np.sqrt(x)


def floor(x: Number) -> Number:
    """Return the largest whole number that is not above x."""
    if isinstance(x, (int, float)):
        return math.floor(x)
    import numpy as np

    return np.floor(x)


def clip(x: Number, low: Number, high: Number) -> Number:
    """Return x, or the bound that it lies beyond."""
    if isinstance(x, (int, float)) and isinstance(low, (int, float)) and isinstance(high, (int, float)):
        return min(max(x, low), high)
    import numpy as np

    return np.clip(x, low, high)


def where(condition: Any, one: Number, other: Number) -> Number:  # noqa: ANN401 - a bool, or an array of them
    """Return one where the condition holds, and the other elsewhere."""
    if isinstance(condition, bool):
        return one if condition else other
    import numpy as np

    chosen: Any = np.where(condition, one, other)
    return cast("Number", chosen)


def largest(x: Number) -> float:
    """Return the largest element; of a number, itself."""
    return x if isinstance(x, (int, float)) else float(x.max(initial=0.0))


_table: list[Array] = []


def _factorials(last: int) -> Array:
    """Logarithms of 0!, 1!, ... up to at least the last; kept, and doubled when it is too short."""
    import numpy as np

    if not _table or len(_table[0]) <= last:
        whole = np.arange(1, 2 * max(last, 5000) + 1, dtype=np.float64)
        _table[:] = [np.concatenate(([0.0], np.cumsum(np.log(whole))))]
    return _table[0]
