"""What pods count of their answers, and what happened between two readings.

These counters are not frozen by the pods as those of requests are, so two pods' numbers may lie up to a scrape interval
apart. Blocks of them are therefore longer than an interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from viridian.guards.counts import Counts

CLASS: Final = "class"
CONFIDENCE: Final = "confidence"
NUMBER: Final = "number"
NON_FINITE: Final = "nonFinite"
SHADOW: Final = "shadow"
SHADOW_TIME: Final = "shadowTime"
COHORT: Final = "cohort"

Key = tuple[str, ...]
"""What is counted: one of the names above and its labels. `(CLASS, label)`, `(CONFIDENCE, le)`, `(NUMBER, le)`,
`(NON_FINITE,)`, `(SHADOW, candidate, result)`, `(SHADOW_TIME, candidate, role, le)`,
`(COHORT, revision that predicted, age, result)`."""


@dataclass(frozen=True)
class PodAnswers:
    """The counters of one pod.

    Attributes:
        revision: The one that the pod runs.
        counts: Cumulative numbers since the process began.
        started: When that was, in seconds since the epoch, if it is known.
    """

    revision: str
    counts: Mapping[Key, int] = field(default_factory=dict)
    started: float | None = None

    def since(self, before: PodAnswers | None) -> Counter[Key]:
        """What was counted since an earlier reading, or since the beginning; a counter that fell began anew."""
        known = {} if before is None else before.counts
        if any(self.counts.get(key, 0) < number for key, number in known.items()):
            known = {}
        return Counter({key: number - known.get(key, 0) for key, number in self.counts.items()})


@dataclass(frozen=True)
class AnswerSnapshot:
    """One reading.

    Attributes:
        stamp: When, in seconds since the epoch.
        pods: By UID. Pods that have gone stay with their last counts.
    """

    stamp: float
    pods: Mapping[str, PodAnswers] = field(default_factory=dict)

    @property
    def total(self) -> Answers:
        """What all pods have counted since they began."""
        counts: Counter[Key] = Counter()
        for pod in self.pods.values():
            counts.update(pod.counts)  # not +, which drops the empty buckets of histograms
        return Answers(counts)

    def after(self, earlier: AnswerSnapshot) -> AnswerSnapshot:
        """This reading, with pods that have vanished since an earlier one kept at their last counts."""
        return AnswerSnapshot(self.stamp, {**earlier.pods, **self.pods})


@dataclass(frozen=True)
class Answers:
    """What one revision, or all, answered in some time."""

    counts: Mapping[Key, int] = field(default_factory=dict)

    def __add__(self, other: Answers) -> Answers:
        return Answers(Counter(self.counts) + Counter(other.counts))

    @cached_property
    def classes(self) -> dict[str, int]:
        """Predicted labels that occurred, by label."""
        return {key[1]: number for key, number in self.counts.items() if key[0] == CLASS and number}

    @cached_property
    def labels(self) -> int:
        """How many labels were predicted."""
        return sum(self.classes.values())

    def of_class(self, label: str) -> Counts:
        """Predicted labels, and those of them that were this one."""
        return Counts(self.labels, self.classes.get(label, 0))

    def of_classes(self, labels: frozenset[str]) -> Counts:
        """Predicted labels, and those of them that were one of these."""
        return Counts(self.labels, sum(number for label, number in self.classes.items() if label in labels))

    def at_most(self, name: str) -> dict[float, Counts]:
        """Of a histogram: for each bound all numbers, and those that were not above it."""
        found = {float(key[1]): number for key, number in self.counts.items() if key[0] == name}
        total = max(found.values(), default=0)
        return {bound: Counts(total, number) for bound, number in sorted(found.items())}

    @property
    def predictions(self) -> int:
        """Labels, or else numbers, that were predicted."""
        return self.labels or max((counts.total for counts in self.at_most(NUMBER).values()), default=0)

    @property
    def not_finite(self) -> Counts:
        """Answers, and those that held a number that is none: NaN or infinite."""
        events = self.counts.get((NON_FINITE,), 0)
        return Counts(self.predictions + events, events)

    def compared(self, candidate: str) -> dict[str, int]:
        """Requests that stable's pods sent to a candidate as well, by result."""
        return {key[2]: number for key, number in self.counts.items() if key[:2] == (SHADOW, candidate)}

    def shadow_times(self, candidate: str, role: str) -> dict[float, float]:
        """How long those requests took, on the candidate or on stable: for each bound, how many at most so long."""
        wanted = (SHADOW_TIME, candidate, role)
        return {float(key[3]): number for key, number in self.counts.items() if key[:3] == wanted}

    def cohorts(self, revision: str) -> dict[str, Counts]:
        """Predictions of a revision whose truth was reported, and the wrong ones, by their age at that time."""
        found: dict[str, Counts] = {}
        for key, number in self.counts.items():
            if key[:2] == (COHORT, revision):
                wrong = number if key[3] == "incorrect" else 0
                found[key[2]] = found.get(key[2], Counts()) + Counts(number, wrong)
        return found


def deltas(before: AnswerSnapshot, after: AnswerSnapshot) -> Mapping[str, Answers]:
    """Return what each revision's pods counted between two readings.

    A pod that is new starts from zero. One that is old but was not in the earlier reading adds nothing yet: what it
    counted long ago did not happen now.
    """
    found: dict[str, Counter[Key]] = {}
    for revision, change in _changes(before, after):
        found.setdefault(revision, Counter()).update(change)
    return {revision: Answers(counts) for revision, counts in found.items()}


def _changes(before: AnswerSnapshot, after: AnswerSnapshot) -> Iterator[tuple[str, Counter[Key]]]:
    for uid, pod in after.pods.items():
        known = before.pods.get(uid)
        if known is None and (pod.started is None or pod.started <= before.stamp):
            continue
        yield pod.revision, pod.since(known)
