"""Many rollouts, and what they have in common."""

import random
import signal
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Final

from viridian.api.status import Phase

from .behavior import Candidate
from .play import Played, World, play

_TASK: Final = 20
"""Rollouts that a process plays before it takes the next ones."""


@dataclass(frozen=True)
class Range:
    """Where nine of ten rollouts lie: the 5th, 50th and 95th percentile."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Range | None":
        """Return that of some numbers; None if there are none."""
        found = sorted(values)
        if not found:
            return None
        last = len(found) - 1
        return cls(found[round(0.05 * last)], found[round(0.5 * last)], found[round(0.95 * last)])


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
    workers = min(cpu_count() or 1, max(1, rollouts * len(candidates) // _TASK))
    if workers == 1:
        return [_forecast(world, each, _play(world, each, seed, range(rollouts))) for each in candidates]
    # Whoever presses Ctrl-C ends this process, which ends the others: without a traceback of each.
    with ProcessPoolExecutor(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        running = [_start(pool, world, each, rollouts, seed) for each in candidates]
        try:
            return [
                _forecast(world, each, [one for future in futures for one in future.result()])
                for each, futures in zip(candidates, running, strict=True)
            ]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(pool: Executor, world: World, candidate: Candidate, rollouts: int, seed: int) -> list[Future[list[Played]]]:
    parts = [range(first, min(rollouts, first + _TASK)) for first in range(0, rollouts, _TASK)]
    return [pool.submit(_play, world, candidate, seed, part) for part in parts]


def _play(world: World, candidate: Candidate, seed: int, numbers: range) -> list[Played]:
    return [play(world, candidate.behavior, random.Random(f"{seed} {candidate.name} {n}")) for n in numbers]  # noqa: S311


def _forecast(world: World, candidate: Candidate, played: Sequence[Played]) -> Forecast:
    def ending(phase: Phase) -> Ending:
        ended = [one.seconds for one in played if one.phase is phase]
        return Ending(len(ended) / len(played), Range.of(ended))

    requests, failed = Range.of(one.requests for one in played), Range.of(one.failed for one in played)
    if requests is None or failed is None:
        raise ValueError("a forecast takes at least one rollout")
    extra = sum(one.failed - world.stable.errors * one.requests for one in played) / len(played)
    return Forecast(
        candidate,
        ending(Phase.FINISHING),
        ending(Phase.ROLLED_BACK),
        ending(Phase.EXPIRED),
        requests,
        failed,
        max(0.0, extra),
    )
