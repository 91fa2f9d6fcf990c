"""What is true at the moment of a scrape, as plain values."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from viridian.api.model_key import ModelKey
from viridian.guards.judge import Judgement
from viridian.rollout.drills.figures import DrillFigures
from viridian.rollout.observed import FetchFailure, Pod

MOST_MODELS = 100
"""Models whose evidence, or whose failed fetches, are shown at a time."""

MOST_COLORS = 12_000
"""Colors whose cost is shown: a page of as many has 5 MB and takes 0.4 s, in which nothing else is done."""

Judged = tuple[ModelKey, str, tuple[Judgement, ...]]
"""What the guards say of a model, with the revision that they judge."""


class FailedFetches:
    """Pods whose models could not be fetched, by model; one that is at rest has none."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: dict[ModelKey, Counter[FetchFailure]] = {}

    def note(self, key: ModelKey, pods: Iterable[Pod]) -> None:
        """Note the pods of a model as they are now; none once it is at rest or gone."""
        failures = Counter(pod.fetch_failure for pod in pods if pod.fetch_failure is not None)
        if failures:
            self._found[key] = failures
        else:
            self._found.pop(key, None)

    def shown(self) -> dict[ModelKey, Counter[FetchFailure]]:
        """Return the models to show, the same at each scrape."""
        return {key: self._found[key] for key in nsmallest(MOST_MODELS, self._found)}


@dataclass(frozen=True)
class ColorCost:
    """What the pods of one color reserve, in cores, bytes and GPUs, and what they cost for an hour."""

    key: ModelKey
    revision: str
    version: str
    color: str
    cpu: float
    memory: float
    gpus: float
    per_hour: float


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
        failed_fetches: Pods whose model could not be fetched, by model and kind.
        drills: Models that have to do with drills.
        costs: Of each color that has pods; empty without prices.
        currency: Of their prices.
    """

    phases: Mapping[str, int]
    queue_depth: int
    queue_oldest: float
    tick_age: float
    judged: tuple[Judged, ...]
    notifications_waiting: int = 0
    failed_fetches: Mapping[ModelKey, Mapping[FetchFailure, int]] = field(default_factory=dict)
    drills: Sequence[tuple[ModelKey, DrillFigures]] = ()
    costs: tuple[ColorCost, ...] = ()
    currency: str = ""


def shown(judged: Iterable[Judged]) -> tuple[list[Judged], int]:
    """Return the models to show, the same at each scrape, and how many are left out."""
    found = [each for each in judged if each[2]]
    first = nsmallest(MOST_MODELS, found, key=lambda each: each[0])
    return first, len(found) - len(first)
