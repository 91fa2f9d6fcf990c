"""Drawn numbers of requests. A seed gives the same ones wherever it is played."""

import math
import random
from typing import Final

_DIRECT: Final = 12.0
"""The mean above which counting arrivals one by one takes longer than dividing them."""


def poisson(rng: random.Random, mean: float) -> int:
    """Return a Poisson-distributed number.

    A large mean is divided at the time of the n-th arrival, which is gamma-distributed, until it is small (Ahrens and
    Dieter, 1974).

    Args:
        rng: The source of chance.
        mean: At least 0.
    """
    number = 0
    while mean > _DIRECT:
        middle = int(7 * mean / 8)
        at = rng.gammavariate(middle, 1.0)
        if at > mean:  # the n-th arrival is too late: each of those before it was in time with the same chance
            return number + _binomial(rng, middle - 1, mean / at)
        number, mean = number + middle, mean - at
    limit, product = math.exp(-mean), rng.random()
    while product > limit:
        product *= rng.random()
        number += 1
    return number


def _binomial(rng: random.Random, trials: int, chance: float) -> int:
    """A binomially distributed number, by dividing at the middle of the ordered trials (Relles, 1972)."""
    number = 0
    while trials > _DIRECT:
        middle = (trials + 1) // 2
        at = rng.betavariate(middle, trials + 1 - middle)
        if at <= chance:
            number, trials, chance = number + middle, trials - middle, (chance - at) / (1 - at)
        else:
            trials, chance = middle - 1, chance / at
    return number + sum(rng.random() < chance for _ in range(trials))
