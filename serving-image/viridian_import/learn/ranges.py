"""From the numbers of a sample to bounds that let a little more in than it has seen."""

import math
from collections.abc import Sequence


def bounds_of(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the lowest and highest number that is let in.

    The range of the sample is widened by itself to both sides, and rounded outwards; what was never below 0 stays so.

    Args:
        values: Finite numbers of the sample.

    Returns:
        The bounds; None where the sample has too little to say.
    """
    if not values or not (span := max(values) - min(values)) or not math.isfinite(span):
        return None
    low, high = min(values), max(values)
    step = 10.0 ** math.floor(math.log10(span))
    widened = math.floor((low - span) / step) * step
    # A step of 0.1 leaves 0.30000000000000004 behind.
    digits = max(0, -math.floor(math.log10(step)))
    return (
        0.0 if low >= 0 > widened else round(widened, digits),
        round(math.ceil((high + span) / step) * step, digits),
    )
