"""What pods count of their answers: labels, numbers, agreement in shadow, feedback.

A separate query, so that nothing about it keeps the guards on requests from their counters: a label that appears late
makes a new series, and those guards wait for whole scrapes.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from viridian.api.model_key import ModelKey
from viridian.guards.answers import counters
from viridian.guards.answers.counters import AnswerSnapshot, Key, PodAnswers
from viridian_shared.counts import metric_names as names
from viridian_shared.counts.via import Via

from .batches import Batches
from .connection import Connection, MetricsError

SCRAPES = 3
"""Scrapes that the query looks back over: a pod that missed two is gone, or silent."""

_SERIES = (
    *(names.PREDICTIONS, f"{names.CONFIDENCE}_bucket", f"{names.VALUES}_bucket", names.NOT_FINITE),
    *(names.SHADOW, f"{names.SHADOW_DURATIONS}_bucket", names.COHORTS, names.STARTED),
)


class AnswerReader:
    """Reads them from a Prometheus server that scrapes the serving pods."""

    def __init__(self, connection: Connection, interval: timedelta) -> None:
        """Ask through `connection`; `interval` is the time between two scrapes."""
        self._window = math.ceil(SCRAPES * interval.total_seconds())
        self._connection = connection
        self._batches = Batches[ModelKey, AnswerSnapshot]()

    async def read(self, keys: Collection[ModelKey], now: float) -> dict[ModelKey, AnswerSnapshot | MetricsError]:
        """Read the newest counters of the given models.

        Args:
            keys: the models.
            now: seconds since the epoch.

        Raises:
            MetricsError: Prometheus does not answer at all.
        """

        async def ask(batch: Sequence[ModelKey]) -> dict[ModelKey, AnswerSnapshot | MetricsError]:
            query = build_query(batch, self._window)
            return await self._connection.ask(query, {}, partial(gather, keys=frozenset(batch), now=now))

        return await self._batches.read(sorted(set(keys)), ask)


def build_query(keys: Sequence[ModelKey], window: int) -> str:
    """The one query for a batch.

    Args:
        keys: the models.
        window: seconds to look back over.
    """
    series = "|".join(_SERIES)
    namespaces = "|".join(sorted({namespace for namespace, _ in keys}))
    models = "|".join(sorted({name for _, name in keys}))
    # Of what has a way, only requests that were assigned at random; the others have no such label.
    return f"{{__name__=~`{series}`,model_namespace=~`{namespaces}`,model=~`{models}`,via=~`|{Via.SPLIT}`}}[{window}s]"


def gather(
    series: Iterable[dict[str, Any]], keys: frozenset[ModelKey], now: float
) -> dict[ModelKey, AnswerSnapshot | MetricsError]:
    """Put the newest samples of an answer together, by model and pod.

    Raises:
        MetricsError: the answer holds something other than series of counters.
    """
    found: dict[ModelKey, dict[str, _Pod]] = {}
    try:
        for one in series:
            labels, (_, text) = one["metric"], one["values"][-1]
            key = (labels.get("model_namespace", ""), labels.get("model", ""))
            if key in keys:
                pod = found.setdefault(key, {}).setdefault(labels.get("pod_uid", ""), _Pod())
                pod.add(labels, float(text))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise MetricsError(f"Prometheus has counters of answers that cannot be read: {error!r}") from error
    return {
        key: AnswerSnapshot(now, {uid: pod.answers() for uid, pod in pods.items() if pod.revision})
        for key, pods in found.items()
    }


class _Pod:
    """One pod's series, while they are being gathered."""

    def __init__(self) -> None:
        self.revision = ""
        self._started: float | None = None
        self._counts: dict[Key, int] = {}

    def add(self, labels: Mapping[str, str], value: float) -> None:
        name = labels["__name__"]
        if name == names.STARTED:
            self.revision, self._started = labels.get("revision", ""), value
        elif math.isfinite(value) and value >= 0:
            self._counts[_key(name, labels)] = int(value)

    def answers(self) -> PodAnswers:
        return PodAnswers(self.revision, self._counts, self._started)


def _key(name: str, labels: Mapping[str, str]) -> Key:
    match name:
        case names.PREDICTIONS:
            return counters.CLASS, labels["class"]
        case names.NOT_FINITE:
            return (counters.NON_FINITE,)
        case names.SHADOW:
            return counters.SHADOW, labels["candidate"], labels["result"]
        case _ if name.startswith(names.SHADOW_DURATIONS):
            return counters.SHADOW_TIME, labels["candidate"], labels["role"], labels["le"]
        case names.COHORTS:
            return counters.COHORT, labels["revision"], labels["age"], labels["result"]
        case _:
            kind = counters.CONFIDENCE if name.startswith(names.CONFIDENCE) else counters.NUMBER
            return kind, labels["le"]
