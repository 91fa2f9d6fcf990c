"""Whose counters count: only those of pods that the API server knows as a model's.

Series say themselves whose they are, and anybody who may write to Prometheus could speak for a model. The labels that a
scrape adds hold for what the chart configures; this holds for whatever else Prometheus has.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from viridian.api.model_key import ModelKey
from viridian.metrics.prometheus import SCRAPES, Samples
from viridian.rollout.observed import Pod


class OwnPods:
    """The pods of moving models, by UID: those that there are, and those whose last samples can still be read."""

    def __init__(self, interval: timedelta) -> None:
        """Know none yet; `interval` is the time between two scrapes."""
        # Twice what a query looks back over, and what a restart of the operator's own may take.
        self._kept = 2 * SCRAPES * interval + timedelta(minutes=1)
        self._seen: dict[ModelKey, dict[str, tuple[str, datetime]]] = {}

    def note(self, key: ModelKey, pods: Iterable[Pod], now: datetime) -> None:
        """Note which pods a model has now; those that it had are remembered for a while."""
        known = {uid: seen for uid, seen in self._seen.get(key, {}).items() if now - seen[1] < self._kept}
        self._seen[key] = {**known, **{pod.uid: (pod.revision, now) for pod in pods}}

    def knows(self, key: ModelKey) -> bool:
        """Whether anybody has looked yet which pods a model has."""
        return key in self._seen

    def of(self, key: ModelKey, samples: Samples) -> Samples:
        """Those of the samples that are of pods of the model, and of the revision that they run."""
        known: Mapping[str, tuple[str, datetime]] = self._seen.get(key, {})
        return {
            revision: own
            for revision, pods in samples.items()
            if (own := {uid: pod for uid, pod in pods.items() if uid in known and known[uid][0] == revision})
        }

    def runs(self, key: ModelKey, uid: str, revision: str) -> bool:
        """Whether a pod is one of the model's, and runs that revision."""
        known = self._seen.get(key, {}).get(uid)
        return known is not None and known[0] == revision

    def forget(self, key: ModelKey) -> None:
        """The model has settled or is gone."""
        self._seen.pop(key, None)
