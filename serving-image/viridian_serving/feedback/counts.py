"""What turned out about predictions, counted by the revision that made them, in a bounded number of series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from viridian_serving.feedback.token import Given, Label
from viridian_shared.counts.metric_names import (
    COHORTS,
    FEEDBACK,
    FEEDBACK_ACCEPTED,
    FEEDBACK_AGE,
    FEEDBACK_CONFIDENCE,
    FEEDBACK_CONFIDENCE_CORRECT,
    FEEDBACK_ERROR,
    FEEDBACK_LAST,
    FEEDBACK_VALUE,
    FEEDBACK_VALUED,
    IDENTITY,
)
from viridian_shared.counts.via import USERLESS, Via

_MAX_REVISIONS: Final = 16
"""Revisions that are told apart, so that a page with a baseline's series too stays below the limit of a scrape."""
_OTHER: Final = "other"
"""Instead of the revision, when feedback has come for more of them than a page should show."""
_AGES: Final = ((600, "10m"), (3_600, "1h"), (21_600, "6h"), (86_400, "1d"), (259_200, "3d"), (604_800, "7d"))
"""Ages of predictions at the time of their feedback, at most so many seconds."""
_OLDEST: Final = "older"
_BINS: Final = 10
"""Equal parts of the confidences from 0 to 1, as is usual for the expected calibration error."""
_USERS: Final = tuple(via for via in Via if via not in USERLESS)


@dataclass(frozen=True, slots=True)
class Report:
    """What a client says of a prediction; None is what it does not say."""

    actual: Label | None = None
    accepted: bool | None = None
    value: float | None = None


@dataclass(slots=True)
class _Truth:
    """Predictions against the truth."""

    correct: int = 0
    incorrect: int = 0
    numbers: int = 0
    absolute_error: float = 0.0


@dataclass(slots=True)
class _Business:
    """What came of predictions. Gains and losses are apart: a counter must not fall."""

    accepted: int = 0
    declined: int = 0
    valued: int = 0
    gain: float = 0.0
    loss: float = 0.0


@dataclass(slots=True)
class _Confidence:
    """Labels whose confidence was in one bin."""

    labels: int = 0
    correct: int = 0
    total: float = 0.0


@dataclass(slots=True)
class _Counts:
    """All that is known about the predictions of one revision."""

    truth: dict[Via, _Truth] = field(default_factory=lambda: {via: _Truth() for via in Via})
    cohorts: dict[str, _Truth] = field(default_factory=lambda: {age: _Truth() for age in _all_ages()})
    """Labels of requests that were assigned at random, by their age."""
    business: dict[Via, _Business] = field(default_factory=lambda: {via: _Business() for via in _USERS})
    confidence: list[_Confidence] = field(default_factory=lambda: [_Confidence() for _ in range(_BINS)])
    """Of users' requests, by bin."""
    reports: int = 0
    ages: float = 0.0
    last: float = 0.0

    def count(self, given: Given, report: Report, now: float) -> None:
        age = max(0.0, now - given.issued)
        self.reports += 1
        self.ages += age
        self.last = max(self.last, now)
        if report.actual is not None:
            self._count_truth(given, report.actual, age)
        if given.via in self.business:
            self._count_business(self.business[given.via], report)

    def _count_truth(self, given: Given, actual: Label, age: float) -> None:
        truth = self.truth[given.via]
        if isinstance(given.prediction, float):
            truth.numbers += 1
            truth.absolute_error += abs(given.prediction - float(actual))
            return
        correct = given.prediction == actual
        for each in (truth, self.cohorts[_age(age)]) if given.via is Via.SPLIT else (truth,):
            each.correct += correct
            each.incorrect += not correct
        if given.confidence is not None and given.via not in USERLESS:
            found = self.confidence[min(int(given.confidence * _BINS), _BINS - 1)]
            found.labels += 1
            found.correct += correct
            found.total += given.confidence

    def _count_business(self, business: _Business, report: Report) -> None:
        if report.accepted is not None:
            business.accepted += report.accepted
            business.declined += not report.accepted
        if report.value is not None:
            business.valued += 1
            business.gain += max(report.value, 0.0)
            business.loss += max(-report.value, 0.0)


@dataclass(slots=True)
class FeedbackCounts:
    """Feedback since the process started, by revision and by how the request came."""

    own: str
    """The revision of this pod, which is there from the start: a series that appears late hides its first event."""
    by_revision: dict[str, _Counts] = field(init=False)

    def __post_init__(self) -> None:
        self.by_revision = {self.own: _Counts()}

    def count(self, given: Given, report: Report, now: float) -> None:
        """Count what is known of one prediction by `now`, in seconds since the epoch."""
        revision = given.revision
        if revision not in self.by_revision and len(self.by_revision) >= _MAX_REVISIONS:
            revision = _OTHER
        self.by_revision.setdefault(revision, _Counts()).count(given, report, now)

    def families(self, namespace: str, model: str, pod_uid: str) -> Iterator[Metric]:
        """Render them."""
        found = [((namespace, model, revision, pod_uid), counts) for revision, counts in self.by_revision.items()]
        yield from _truth(found)
        yield from _business(found)
        yield from _confidence(found)
        yield from _ages(found)


_Found = Sequence[tuple[tuple[str, ...], _Counts]]
"""Counts, each with the values of the labels that every series has."""


def _truth(found: _Found) -> Iterator[Metric]:
    results = _counter(FEEDBACK, "Predicted labels whose truth was reported", "via", "result")
    errors = _summary(FEEDBACK_ERROR, "Distance of predicted numbers from the truth that was reported", "via")
    cohorts = _counter(
        COHORTS,
        "Predicted labels of requests assigned at random whose truth was reported, by their age",
        "age",
        "result",
    )
    for identity, counts in found:
        for via, truth in counts.truth.items():
            results.add_metric((*identity, via.value, "correct"), truth.correct)
            results.add_metric((*identity, via.value, "incorrect"), truth.incorrect)
            errors.add_metric((*identity, via.value), truth.numbers, truth.absolute_error)
        for age, truth in counts.cohorts.items():
            cohorts.add_metric((*identity, age, "correct"), truth.correct)
            cohorts.add_metric((*identity, age, "incorrect"), truth.incorrect)
    yield from (results, errors, cohorts)


def _business(found: _Found) -> Iterator[Metric]:
    accepted = _counter(FEEDBACK_ACCEPTED, "Predictions that were reported as accepted or not", "via", "accepted")
    valued = _counter(FEEDBACK_VALUED, "Predictions whose value was reported", "via")
    value = _counter(FEEDBACK_VALUE, "Reported value of predictions", "via", "sign")
    for identity, counts in found:
        for via, business in counts.business.items():
            accepted.add_metric((*identity, via.value, "true"), business.accepted)
            accepted.add_metric((*identity, via.value, "false"), business.declined)
            valued.add_metric((*identity, via.value), business.valued)
            value.add_metric((*identity, via.value, "gain"), business.gain)
            value.add_metric((*identity, via.value, "loss"), business.loss)
    yield from (accepted, valued, value)


def _confidence(found: _Found) -> Iterator[Metric]:
    confidence = _summary(FEEDBACK_CONFIDENCE, "Confidence of predicted labels whose truth was reported", "bin")
    correct = _counter(FEEDBACK_CONFIDENCE_CORRECT, "Those of them that were correct", "bin")
    for identity, counts in found:
        for number, each in enumerate(counts.confidence):
            values = (*identity, f"{number / _BINS:.1f}")
            confidence.add_metric(values, each.labels, each.total)
            correct.add_metric(values, each.correct)
    yield from (confidence, correct)


def _ages(found: _Found) -> Iterator[Metric]:
    ages = _summary(FEEDBACK_AGE, "Age of predictions when something was reported about them")
    last = GaugeMetricFamily(FEEDBACK_LAST, "When something was last reported, since the epoch", labels=IDENTITY)
    for identity, counts in found:
        ages.add_metric(identity, counts.reports, counts.ages)
        if counts.reports:
            last.add_metric(identity, counts.last)
    yield from (ages, last)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name.removesuffix("_total"), text, labels=(*IDENTITY, *labels))


def _summary(name: str, text: str, *labels: str) -> SummaryMetricFamily:
    return SummaryMetricFamily(name, text, labels=(*IDENTITY, *labels))


def _all_ages() -> tuple[str, ...]:
    return (*(name for _, name in _AGES), _OLDEST)


def _age(seconds: float) -> str:
    return next((name for most, name in _AGES if seconds <= most), _OLDEST)
