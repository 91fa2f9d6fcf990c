"""Counters of a stable and of a candidate pod, grown by hand."""

from dataclasses import dataclass, field

from viridian.guards.series import PodCounters, RequestCounts, Snapshot
from viridian.metrics.prometheus import PodSamples, Samples
from viridian.rollout.observed import Pod

INTERVAL = 2.0
START = 1_700_000_000.0


@dataclass
class Fleet:
    """One pod of each revision; requests since the beginning, and those that failed; what the UIDs begin with."""

    name: str = "iris"
    stamp: float = START
    requests: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    pod: str = "pod"

    def __post_init__(self) -> None:
        self.requests = self.requests or {f"{self.name}-1": 1000, f"{self.name}-2": 0}

    def serve(self, *, stable: int = 100, candidate: int = 100, errors: int = 0) -> Samples:
        """One interval passes; the candidate fails so many of its requests."""
        self.stamp += INTERVAL
        for revision, count in ((f"{self.name}-1", stable), (f"{self.name}-2", candidate)):
            self.requests[revision] = self.requests.get(revision, 0) + count
        candidate_name = f"{self.name}-2"
        self.errors[candidate_name] = self.errors.get(candidate_name, 0) + errors
        return self.samples

    @property
    def samples(self) -> Samples:
        """What Prometheus has of the newest scrape, half a second after its stamp."""
        return {
            revision: {
                f"{self.pod}-of-{revision}": PodSamples(
                    (PodCounters(self.stamp, RequestCounts(count, self.errors.get(revision, 0))),),
                    count,
                    self.stamp + 0.5,
                )
            }
            for revision, count in self.requests.items()
        }

    @property
    def pods(self) -> list[Pod]:
        """The same pods as the API server has them."""
        return [
            Pod(uid, revision, ready=True, deleting=False)
            for revision in self.samples
            for uid in self.samples[revision]
        ]

    @property
    def snapshot(self) -> Snapshot:
        """The same, as it is read again after a restart."""
        return Snapshot(
            self.stamp,
            {revision: {uid: pod.counters[-1] for uid, pod in pods.items()} for revision, pods in self.samples.items()},
        )
