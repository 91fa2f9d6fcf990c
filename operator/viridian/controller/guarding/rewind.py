"""After a restart: the counters as they stood when the guards' evidence was saved.

Models that were rolling wrote their status at about the same time, so their stamps lie close together, and one query
over a slightly longer window reads many of them. Stragglers wait a tick or two: the number of queries per tick stays
constant.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from viridian.api.model_key import ModelKey
from viridian.guards.series import Snapshot, align
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import Prometheus, trusted
from viridian.rollout.decide import LEISURE

from .own_pods import OwnPods

GROUPS = 3
"""Groups of stamps that are read per tick."""
TRIES = 3
"""So often is a past asked for that cannot be used; it will not change any more."""

Past = Snapshot | MetricsError | None
"""Counters as they were, why they cannot be read now, or that they never will be."""


class Rewind:
    """Reads earlier counters, a few groups of models at a time."""

    def __init__(self, prometheus: Prometheus, pods: OwnPods, interval: float) -> None:
        """Read the counters of `pods` from `prometheus`, which scrapes every `interval` seconds."""
        self._prometheus, self._pods, self._interval = prometheus, pods, interval
        self._span = max(LEISURE.total_seconds(), 2 * interval)
        self._tries: Counter[ModelKey] = Counter()

    async def read(self, stamps: Mapping[ModelKey, float], bounds: Sequence[float]) -> dict[ModelKey, Past]:
        """The counters of models at their stamps, or why they cannot be had yet; None where they never can.

        Args:
            stamps: for each model that goes on after a restart, the moment its evidence speaks of.
            bounds: latency bounds that some guard needs, in seconds.

        Returns:
            What was found; models that are not in it have to wait for a later tick.
        """
        found: dict[ModelKey, Past] = {}
        # Those that were tried least come first: a model whose counters cannot be read holds up no other.
        groups = sorted(
            group_stamps(stamps, self._span), key=lambda group: (min(self._tries[key] for key in group), -len(group))
        )
        for group in groups[:GROUPS]:
            self._tries.update(group)
            found.update(await self._read_group({key: stamps[key] for key in group}, bounds))
        self._tries = Counter({key: tries for key, tries in self._tries.items() if key in stamps})
        return found

    async def _read_group(self, stamps: Mapping[ModelKey, float], bounds: Sequence[float]) -> dict[ModelKey, Past]:
        last = max(stamps.values())
        back = last - min(stamps.values())
        try:
            then = await self._prometheus.read(stamps, bounds, at=last + 2 * self._interval, back=back)
        except MetricsError as error:
            return dict.fromkeys(stamps, error)
        found: dict[ModelKey, Past] = {}
        for key, stamp in stamps.items():
            try:
                samples = self._pods.of(key, trusted(then.get(key, {})))
            except MetricsError as error:
                found[key] = error if self._tries[key] < TRIES else None
                continue
            series = {revision: {uid: pod.counters for uid, pod in pods.items()} for revision, pods in samples.items()}
            found[key] = align(series, self._interval, at=stamp)
        return found


def group_stamps(stamps: Mapping[ModelKey, float], span: float) -> list[list[ModelKey]]:
    """Put models together whose stamps lie within `span` seconds."""
    groups: list[list[ModelKey]] = []
    for key in sorted(stamps, key=lambda key: (stamps[key], key)):
        if groups and stamps[key] - stamps[groups[-1][0]] <= span:
            groups[-1].append(key)
        else:
            groups.append([key])
    return groups
