"""``POST /feedback``: what turned out to be true about predictions, counted by the revision that made them."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from prometheus_client.core import CounterMetricFamily, Metric, SummaryMetricFamily

from viridian_serving.codec.instances import Violations
from viridian_serving.codec.json_reading import parse
from viridian_serving.feedback.token import Given, Label, TokenError, TokenReader
from viridian_serving.http1.problems import Problem
from viridian_shared.counts.metric_names import COHORTS, IDENTITY
from viridian_shared.counts.via import Via

_MAX_REMEMBERED: Final = 65_536
"""Tokens that are known to have been counted; beyond them the oldest is forgotten."""
_MAX_REVISIONS: Final = 32
_OTHER: Final = "other"
"""Instead of the revision, when feedback has come for more of them than a page should show."""
_MAX_ITEM: Final = 2048
"""Bytes of an item: a token has at most 1,024, a label 256."""
_MEMBERS: Final = frozenset({"token", "actual"})
_NOT_THERE: Final = object()


@dataclass(slots=True)
class _Tally:
    """What is known about the predictions of one revision that came in one way."""

    correct: int = 0
    incorrect: int = 0
    numbers: int = 0
    absolute_error: float = 0.0


_AGES: Final = ((600, "10m"), (3_600, "1h"), (21_600, "6h"), (86_400, "1d"), (259_200, "3d"), (604_800, "7d"))
"""Ages of predictions at the time of their feedback, at most so many seconds."""
_OLDEST: Final = "older"


@dataclass(slots=True)
class FeedbackCounts:
    """Accuracy since the process started, by revision and by how the request came."""

    own: str
    """The revision of this pod, which is there from the start: a series that appears late hides its first event."""
    by_revision: dict[str, dict[Via, _Tally]] = field(init=False)
    cohorts: dict[str, dict[str, _Tally]] = field(init=False)
    """Labels of requests that were assigned at random, by revision and by their age."""

    def __post_init__(self) -> None:
        self.by_revision = {self.own: _tallies()}
        self.cohorts = {self.own: _cohorts()}

    def count(self, given: Given, actual: Label, now: float) -> None:
        """Count one prediction whose truth is known by `now`, in seconds since the epoch."""
        revision = given.revision
        if revision not in self.by_revision and len(self.by_revision) >= _MAX_REVISIONS:
            revision = _OTHER
        tally = self.by_revision.setdefault(revision, _tallies())[given.via]
        if isinstance(given.prediction, float):
            tally.numbers += 1
            tally.absolute_error += abs(given.prediction - float(actual))
            return
        tallies = [tally]
        if given.via is Via.SPLIT:
            tallies.append(self.cohorts.setdefault(revision, _cohorts())[_age(now - given.issued)])
        for each in tallies:
            each.correct += given.prediction == actual
            each.incorrect += given.prediction != actual

    def families(self, namespace: str, model: str, pod_uid: str) -> Iterator[Metric]:
        """Render them."""
        labels = (*IDENTITY, "via")
        results = CounterMetricFamily(
            "viridian_feedback", "Predicted labels whose truth was reported", labels=(*labels, "result")
        )
        errors = SummaryMetricFamily(
            "viridian_feedback_absolute_error",
            "Distance of predicted numbers from the truth that was reported",
            labels=labels,
        )
        for revision, tallies in self.by_revision.items():
            for via, tally in tallies.items():
                values = (namespace, model, revision, pod_uid, via.value)
                results.add_metric((*values, "correct"), tally.correct)
                results.add_metric((*values, "incorrect"), tally.incorrect)
                errors.add_metric(values, tally.numbers, tally.absolute_error)
        yield results
        yield errors
        cohorts = CounterMetricFamily(
            COHORTS.removesuffix("_total"),
            "Predicted labels of requests assigned at random whose truth was reported, by their age",
            labels=(*IDENTITY, "age", "result"),
        )
        for revision, ages in self.cohorts.items():
            for age, tally in ages.items():
                cohorts.add_metric((namespace, model, revision, pod_uid, age, "correct"), tally.correct)
                cohorts.add_metric((namespace, model, revision, pod_uid, age, "incorrect"), tally.incorrect)
        yield cohorts


def _tallies() -> dict[Via, _Tally]:
    return {via: _Tally() for via in Via}


def _cohorts() -> dict[str, _Tally]:
    return {age: _Tally() for age in (*(name for _, name in _AGES), _OLDEST)}


def _age(seconds: float) -> str:
    return next((name for most, name in _AGES if seconds <= most), _OLDEST)


class Feedback:
    """Takes feedback in."""

    def __init__(self, tokens: TokenReader, counts: FeedbackCounts, max_items: int, now: Callable[[], float]) -> None:
        """Prepare.

        Args:
            tokens: Checks them.
            counts: Where it is counted.
            max_items: Most items in one request.
            now: Gives seconds since the epoch.
        """
        self._tokens = tokens
        self._counts = counts
        self._max_items = max_items
        self._now = now
        self._counted: OrderedDict[bytes, None] = OrderedDict()

    def take(self, body: bytes) -> bytes:
        """Count a request's items, each once; all of them, or none when one is wrong.

        Args:
            body: JSON: an object with ``token`` and ``actual``, or a list of such objects.

        Returns:
            The answer's body: how many were counted, and how many had been counted before.

        Raises:
            Problem: Status 400 or 413; it names every offending field.
        """
        items, many = self._items(body)
        violations = Violations()
        now = self._now()
        read = [self._item(item, f"/{i}" if many else "", now, violations) for i, item in enumerate(items)]
        if violations.number:
            raise Problem(
                400,
                "invalid-feedback",
                f"{violations.number} value(s) of the body cannot be used, and nothing was counted;"
                " 'errors' names each.",
                violations.listed,
                violations.number - len(violations.listed),
            )
        counted = sum(self._count_once(*item, now) for item in read if item is not None)
        return msgspec.json.encode({"counted": counted, "repeated": len(items) - counted})

    def _items(self, body: bytes) -> tuple[list[Any], bool]:
        # Before it is decoded, for the predictions of all other clients wait meanwhile.
        if len(body) > (most := self._max_items * _MAX_ITEM):
            raise Problem(
                413,
                "too-many-items",
                f"The body has {len(body)} bytes, more than the limit of {most}; send it in parts.",
            )
        document = parse(body)
        items = document if isinstance(document, list) else [document]
        if len(items) > self._max_items:
            raise Problem(
                413,
                "too-many-items",
                f"The body holds {len(items)} items, more than the limit of {self._max_items}; send them in parts.",
            )
        if not items:
            raise Problem(400, "invalid-feedback", "The list is empty; send at least one object with token and actual.")
        return items, isinstance(document, list)

    def _item(self, item: object, pointer: str, now: float, violations: Violations) -> tuple[Given, Label] | None:
        if not isinstance(item, dict):
            violations.add(pointer, "must be an object with token and actual")
            return None
        unknown = [name for name in item if name not in _MEMBERS]
        violations.add_members(pointer, unknown, "is neither token nor actual; remove it")
        given = self._given(item.get("token", _NOT_THERE), f"{pointer}/token", now, violations)
        actual = item.get("actual", _NOT_THERE)
        if actual is _NOT_THERE:
            violations.add(f"{pointer}/actual", "is missing; it must be what turned out to be true")
        elif given is not None and (reason := _unlike(given.prediction, actual)) is not None:
            violations.add(f"{pointer}/actual", reason)
        elif given is not None:
            return given, actual
        return None

    def _given(self, token: object, pointer: str, now: float, violations: Violations) -> Given | None:
        if token is _NOT_THERE:
            violations.add(pointer, "is missing; it must be the feedback_token of an answer")
        elif not isinstance(token, str):
            violations.add(pointer, "must be a string: the feedback_token of an answer")
        else:
            try:
                return self._tokens.read(token, now)
            except TokenError as error:
                violations.add(pointer, str(error))
        return None

    def _count_once(self, given: Given, actual: Label, now: float) -> bool:
        if given.nonce in self._counted:
            return False
        self._counted[given.nonce] = None
        if len(self._counted) > _MAX_REMEMBERED:
            self._counted.popitem(last=False)
        self._counts.count(given, actual, now)
        return True


def _unlike(prediction: Label, actual: object) -> str | None:
    """Say why a truth cannot be compared with a prediction, if it cannot."""
    shown = msgspec.json.encode(prediction).decode()
    if isinstance(prediction, str):
        return None if isinstance(actual, str) else f"must be a string, as the prediction {shown} was"
    if isinstance(prediction, bool):
        return None if isinstance(actual, bool) else f"must be true or false, as the prediction {shown} was"
    if isinstance(actual, bool) or not isinstance(actual, (int, float)):
        return f"must be a number, as the prediction {shown} was"
    if not _is_finite(actual):
        return "is not finite, or too large to be a number that a model predicts"
    if isinstance(prediction, float):
        return None
    return None if actual == int(actual) else f"must be a whole number, as the prediction {shown} was"


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
