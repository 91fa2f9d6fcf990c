"""Joins predictions with what became known of them, and compares the versions that made them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from viridian_import.faults import ImportFault
from viridian_import.outcomes.labels import Known, Labels
from viridian_import.outcomes.predictions import Key, Label, Prediction
from viridian_import.outcomes.statistics import (
    LEVEL,
    Bin,
    Difference,
    Estimate,
    calibration,
    mean,
    mean_difference,
    share,
    share_difference,
)
from viridian_shared.counts.via import Via

_CHANCE: Final = 1 - LEVEL
"""Probability of calling any version better by chance, in all comparisons together."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prediction of which something is known."""

    prediction: Prediction
    known: Known

    @property
    def correct(self) -> bool | None:
        """Whether the label was right; None of a number, and where the truth is not known."""
        if self.known.actual is None or isinstance(self.prediction.label, float):
            return None
        return self.prediction.label == self.known.actual

    @property
    def distance(self) -> float | None:
        """How far a number was from the truth."""
        if self.known.actual is None or not isinstance(self.prediction.label, float):
            return None
        return abs(self.prediction.label - float(self.known.actual))


@dataclass(frozen=True)
class Joined:
    """Predictions with what is known of them.

    Attributes:
        outcomes: In the order of the log.
        unmatched: Labels of no prediction.
        ambiguous: Predictions of requests that held several, where the labels do not say of which they are.
    """

    outcomes: tuple[Outcome, ...]
    unmatched: int
    ambiguous: int


@dataclass(frozen=True)
class Version:
    """What came of one version's predictions; None is what nothing is known of."""

    version: str
    predictions: int
    reported: int
    value_sum: float | None
    measures: Mapping[str, Estimate]
    """Of `accuracy`, `distance`, `accepted` and `value`."""
    calibration_error: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Comparison:
    """One measure of a version against that of another."""

    measure: str
    version: str
    against: str
    counts: tuple[int, int]
    """Outcomes of the version, and of the other."""
    difference: Difference
    better: str | None
    """The version that is better by more than chance."""


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        versions: In the order of their first prediction.
        against: The version that the others are compared with.
        comparisons: Of each other version, by each measure that both have.
        random: Whether compared predictions were all assigned by the route, at the same time.
        limit: The probability below which a difference is more than chance.
    """

    versions: tuple[Version, ...]
    against: str
    comparisons: tuple[Comparison, ...]
    random: bool
    limit: float

    def data(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def join(predictions: Sequence[Prediction], labels: Labels) -> Joined:
    """Find what is known of each prediction.

    Raises:
        ImportFault: The truth cannot be compared with what was predicted.
    """
    positions: dict[str, set[int]] = {}
    for each in predictions:
        positions.setdefault(each.key[0], set()).add(each.key[1])
    many = {name for name, found in positions.items() if len(found) > 1} if not labels.by_instance else set()
    outcomes: list[Outcome] = []
    matched: set[Key] = set()
    ambiguous = 0
    for each in predictions:
        key = each.key if labels.by_instance else (each.key[0], 0)
        known = labels.known.get(key)
        if known is None:
            continue
        matched.add(key)
        if each.key[0] in many:
            ambiguous += 1
            continue
        if known.actual is not None and not _alike(each.label, known.actual):
            raise ImportFault(
                f"the truth {known.actual!r} of {each.key[0]!r} cannot be compared with the prediction {each.label!r}:"
                " give it in the type of the prediction"
            )
        outcomes.append(Outcome(each, known))
    return Joined(tuple(outcomes), len(labels.known.keys() - matched), ambiguous)


def report(predictions: Sequence[Prediction], outcomes: Sequence[Outcome], against: str | None = None) -> Report:
    """Say what came of each version, and which is better.

    Versions are compared on predictions that the route assigned at random, in the time in which both served; where a
    version has none of those, on all of them, which is said.

    Args:
        predictions: All of them.
        outcomes: Those of which something is known; at least one.
        against: The version that others are compared with; by default the one that predicted first.

    Raises:
        ImportFault: There is no such version.
    """
    begun: dict[str, float] = {}
    for each in predictions:
        begun[each.version] = min(begun.get(each.version, each.time), each.time)
    order = sorted(begun, key=lambda name: begun[name])
    first = against if against is not None else order[0]
    if first not in begun:
        raise ImportFault(f"--against {first!r} is no version of the log; its versions are {', '.join(order)}")
    made = Counter(each.version for each in predictions)
    of = {name: [each for each in outcomes if each.prediction.version == name] for name in order}
    pairs = [(name, *_comparable(predictions, of[name], of[first], name, first)) for name in order if name != first]
    found = [
        (measure, name, kind, kind.values(theirs), kind.values(ours))
        for name, theirs, ours, _ in pairs
        for measure, kind in MEASURES.items()
        if kind.values(theirs) and kind.values(ours)
    ]
    limit = _CHANCE / max(1, len(found))  # Bonferroni: whatever is compared, chance finds something in 5 % at most
    compared = [
        Comparison(
            measure, name, first, (len(theirs), len(ours)), difference, kind.better(difference, name, first, limit)
        )
        for measure, name, kind, theirs, ours in found
        if (difference := kind.difference(ours, theirs, 1 - limit)) is not None
    ]
    versions = tuple(_version(name, made[name], of[name]) for name in order)
    return Report(versions, first, tuple(compared), all(random for *_, random in pairs), limit)


@dataclass(frozen=True)
class Measure:
    """Something to measure versions by."""

    read: Callable[[Outcome], float | bool | None]
    is_share: bool
    more_is_better: bool

    def values(self, outcomes: Iterable[Outcome]) -> list[float]:
        """Return it of each outcome of which it is known; 1 and 0 for a share."""
        return [float(value) for each in outcomes if (value := self.read(each)) is not None]

    def estimate(self, values: Sequence[float]) -> Estimate:
        """Return it of a version."""
        return share(round(sum(values)), len(values)) if self.is_share else mean(values)

    def difference(self, first: Sequence[float], second: Sequence[float], level: float) -> Difference | None:
        """Return by how much it is larger in the second; None where there is too little to judge by."""
        if not self.is_share:
            return mean_difference(first, second, level)
        return share_difference((round(sum(first)), len(first)), (round(sum(second)), len(second)), level)

    def better(self, difference: Difference, version: str, against: str, limit: float) -> str | None:
        """Return which version is better by more than chance."""
        if difference.p >= limit or difference.value == 0:
            return None
        return version if (difference.value > 0) is self.more_is_better else against


MEASURES: Final = {
    "accuracy": Measure(lambda each: each.correct, is_share=True, more_is_better=True),
    "distance": Measure(lambda each: each.distance, is_share=False, more_is_better=False),
    "accepted": Measure(lambda each: each.known.accepted, is_share=True, more_is_better=True),
    "value": Measure(lambda each: each.known.value, is_share=False, more_is_better=True),
}


def _version(name: str, predictions: int, outcomes: Sequence[Outcome]) -> Version:
    measures = {
        measure: kind.estimate(values) for measure, kind in MEASURES.items() if (values := kind.values(outcomes))
    }
    sure = [
        (each.prediction.confidence, each.correct)
        for each in outcomes
        if each.correct is not None and each.prediction.confidence is not None
    ]
    error, bins = calibration(sure) if sure else (None, ())
    values = MEASURES["value"].values(outcomes)
    return Version(name, predictions, len(outcomes), sum(values) if values else None, measures, error, bins)


def _comparable(
    predictions: Sequence[Prediction], theirs: Sequence[Outcome], ours: Sequence[Outcome], name: str, first: str
) -> tuple[list[Outcome], list[Outcome], bool]:
    """Return the outcomes of two versions that may be compared, and whether chance alone assigned them."""
    times = {
        version: [each.time for each in predictions if each.version == version and each.via == Via.SPLIT]
        for version in (name, first)
    }
    if all(times.values()):
        begin, end = max(map(min, times.values())), min(map(max, times.values()))

        def fits(each: Outcome) -> bool:
            return each.prediction.via == Via.SPLIT and begin <= each.prediction.time <= end

        found = [each for each in theirs if fits(each)], [each for each in ours if fits(each)]
        if all(found):
            return *found, True
    return list(theirs), list(ours), False


def _alike(label: Label, actual: Label) -> bool:
    if isinstance(label, str) or isinstance(actual, str):
        return isinstance(label, str) and isinstance(actual, str)
    # 1 and true are the same to tables that have no booleans.
    return True
