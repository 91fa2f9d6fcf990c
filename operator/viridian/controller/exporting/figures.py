"""What is true at the moment of a scrape, as plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from viridian.api.model_key import ModelKey
from viridian.guards.judge import Judgement

MOST_MODELS = 100
"""Models whose evidence is shown at a time."""

Judged = tuple[ModelKey, str, tuple[Judgement, ...]]
"""What the guards say of a model, with the revision that they judge."""


@dataclass(frozen=True)
class LeaderFigures:
    """What a leader knows.

    Attributes:
        phases: Models by phase.
        queue_depth: Models that wait for a pass.
        queue_oldest: Seconds that the oldest of them has waited.
        tick_age: Seconds since a tick last ended.
        judged: Models in a rollout.
        notifications_waiting: Notifications that are not delivered yet.
    """

    phases: Mapping[str, int]
    queue_depth: int
    queue_oldest: float
    tick_age: float
    judged: tuple[Judged, ...]
    notifications_waiting: int = 0


def shown(judged: Iterable[Judged]) -> tuple[list[Judged], int]:
    """Return the models to show, the same at each scrape, and how many are left out."""
    found = [each for each in judged if each[2]]
    first = nsmallest(MOST_MODELS, found, key=lambda each: each[0])
    return first, len(found) - len(first)
