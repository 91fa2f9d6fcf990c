"""What pods say beside their counters: whether stable can answer for them, and what requests failed with.

No guard reads it, so nothing about it keeps a guard from its counters: what cannot be used is left out.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from viridian_shared.counts.metric_names import FAILURES, FALLBACK

from .connection import excerpt

SAID = frozenset({FALLBACK, FAILURES})
"""Series whose labels change with what a pod has to say."""
LONGEST = 200
"""Most characters kept of a pod's text; a pod of another image may send more."""


@dataclass(frozen=True)
class Fallback:
    """What stable can answer in a pod's stead: the pod's own word for how much, and why not all."""

    covers: str
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """How many requests of a pod failed alike: the problem's type, the status, and a sentence where there is one."""

    type: str
    status: str
    detail: str
    number: int


@dataclass
class Said:
    """What an answer holds of it for one pod, while it is being gathered."""

    _series: list[tuple[Mapping[str, str], float, float]] = field(default_factory=list)

    def add(self, labels: Mapping[str, str], values: Sequence[tuple[float, str]]) -> None:
        """Add one series; its newest sample is what counts."""
        try:
            time, value = float(values[-1][0]), float(values[-1][1])
        except (IndexError, TypeError, ValueError):
            return
        if math.isfinite(value) and value >= 0:
            self._series.append((labels, time, value))

    def fallback(self) -> Fallback | None:
        """What it said last, or None where it says nothing, as pods of earlier images do."""
        known = [(time, labels) for labels, time, _ in self._series if labels["__name__"] == FALLBACK]
        if not known:
            return None
        _, labels = max(known, key=lambda each: each[0])
        return Fallback(_text(labels, "covers"), _text(labels, "reason"))

    def failures(self, since: float) -> tuple[Failure, ...]:
        """Failures as they stood in scrapes from that time on: earlier ones are of a container that is gone."""
        return tuple(
            Failure(_text(labels, "type"), _text(labels, "status"), _text(labels, "detail"), int(value))
            for labels, time, value in self._series
            if labels["__name__"] == FAILURES and time >= since
        )


def _text(labels: Mapping[str, str], name: str) -> str:
    return excerpt(str(labels.get(name, "")), LONGEST)


def most_frequent(failures: Iterable[Failure]) -> str:
    """What most requests failed with, as a sentence; empty where none did, or nobody says with what.

    Args:
        failures: of all pods of a revision.
    """
    details: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for failure in failures:
        details[failure.status, failure.type][failure.detail] += failure.number
    numbers = {kind: counts.total() for kind, counts in details.items()}
    total = sum(numbers.values())
    if not total:
        return ""
    kind = max(numbers, key=lambda each: (numbers[each], each))
    sentences = {text: number for text, number in details[kind].items() if text}
    detail = max(sentences, key=lambda each: (sentences[each], each), default="")
    often = "Mostly" if 2 * numbers[kind] > total else "Most often"
    what = " ".join(part for part in kind if part)
    return f'{often} {what}: "{detail}".' if detail else f"{often} {what}."
