"""Many rollouts, and what they have in common."""

import signal
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import add
from os import cpu_count
from typing import Final

import numpy as np

from .behavior import Candidate
from .play import Played, World, play
from .tables import Array
from .walk import Outcome

TOGETHER: Final = 500
"""Rollouts that are played at once."""

_WORTH_IT: Final = 4000
"""Rollouts for which it takes less time to start further processes than to play them in one."""


@dataclass(frozen=True)
class Range:
    """Where nine of ten rollouts lie: the 5th, 50th and 95th percentile."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Array) -> "Range | None":
        """Return that of some numbers; None if there are none."""
        if not len(values):
            return None
        found, last = np.sort(values), len(values) - 1
        return cls(*(float(found[round(share * last)]) for share in (0.05, 0.5, 0.95)))


@dataclass(frozen=True)
class Ending:
    """How often rollouts end like this, and after how long.

    Attributes:
        chance: 0 to 1.
        seconds: From the beginning of the rollout; None if none ended so.
    """

    chance: float
    seconds: Range | None


@dataclass(frozen=True)
class Forecast:
    """What becomes of one kind of candidate.

    Attributes:
        candidate: What it is.
        promoted: It takes over.
        turned_back: A guard rolls it back.
        expired: The deadline passes, or no traffic arrives.
        requests: Requests of users that it answers before the end.
        failed: Those of them that fail.
        extra: How many fail beyond those that would have failed with stable.
    """

    candidate: Candidate
    promoted: Ending
    turned_back: Ending
    expired: Ending
    requests: Range
    failed: Range
    extra: float


def forecast(world: World, candidates: Sequence[Candidate], rollouts: int, seed: int) -> list[Forecast]:
    """Play many rollouts of each candidate, on all processors.

    Args:
        world: What they meet.
        candidates: What the new version may be.
        rollouts: How many of each.
        seed: The same one gives the same figures, however many processors there are.
    """
    tasks = [(world, each, seed, part) for each in candidates for part in _parts(rollouts)]
    workers = min(cpu_count() or 1, len(tasks)) if rollouts * len(candidates) >= _WORTH_IT else 1
    if workers == 1:
        played = [_play(*task) for task in tasks]
    else:
        # Whoever presses Ctrl-C ends this process, which ends the others: without a traceback of each.
        with ProcessPoolExecutor(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
            try:
                played = list(pool.map(_play, *zip(*tasks, strict=True)))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    each = len(_parts(rollouts))
    return [
        _forecast(world, candidate, reduce(add, played[index * each : (index + 1) * each]))
        for index, candidate in enumerate(candidates)
    ]


def _parts(rollouts: int) -> list[range]:
    return [range(first, min(rollouts, first + TOGETHER)) for first in range(0, rollouts, TOGETHER)]


def chance(seed: int, candidate: Candidate, first: int) -> np.random.Generator:
    """Return the source of chance of some rollouts of a candidate, from a first one on."""
    return np.random.default_rng([abs(seed), zlib.crc32(candidate.name.encode()), first])


def _play(world: World, candidate: Candidate, seed: int, part: range) -> Played:
    return play(world, candidate.behavior, len(part), chance(seed, candidate, part.start))


def _forecast(world: World, candidate: Candidate, played: Played) -> Forecast:
    def ending(outcome: Outcome) -> Ending:
        ended = played.seconds[played.outcome == outcome]
        return Ending(len(ended) / len(played.outcome), Range.of(ended))

    requests, failed = Range.of(played.requests), Range.of(played.failed)
    if requests is None or failed is None:
        raise ValueError("a forecast takes at least one rollout")
    extra = float(np.mean(played.failed - world.stable.errors * played.requests))
    return Forecast(
        candidate,
        ending(Outcome.PROMOTED),
        ending(Outcome.TURNED_BACK),
        ending(Outcome.EXPIRED),
        requests,
        failed,
        max(0.0, extra),
    )
