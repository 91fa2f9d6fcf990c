"""``POST /feedback``: what became known of predictions: the truth, whether they were accepted, what they were worth."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec

from viridian_serving.codec.instances import Violations
from viridian_serving.codec.json_reading import parse
from viridian_serving.feedback.counts import FeedbackCounts, Report
from viridian_serving.feedback.token import Given, Label, TokenError, TokenReader
from viridian_serving.http1.problems import Problem

_MAX_REMEMBERED: Final = 65_536
"""Tokens that are known to have been counted; beyond them the oldest is forgotten."""
_MAX_ITEM: Final = 2048
"""Bytes of an item: a token has at most 1,024, a label 256."""
_SAID: Final = ("actual", "accepted", "value")
"""Members that say something of a prediction; each counts once."""
_MAX_VALUE: Final = 1e9
"""Largest value, either way: a typing error must not drown all others for weeks."""
_NOT_THERE: Final = object()


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
        self._counted: OrderedDict[bytes, int] = OrderedDict()
        """Nonces of predictions, with the bits of the members that were counted of each."""

    def take(self, body: bytes) -> bytes:
        """Count a request's items, each member once; all of them, or none when one is wrong.

        Args:
            body: JSON: an object with ``token`` and one or more of ``actual``, ``accepted`` and ``value``, or a list of
                such objects.

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
            raise Problem(
                400,
                "invalid-feedback",
                "The list is empty; send at least one object with token and actual, accepted or value.",
            )
        return items, isinstance(document, list)

    def _item(self, item: object, pointer: str, now: float, violations: Violations) -> tuple[Given, Report] | None:
        if not isinstance(item, dict):
            violations.add(pointer, "must be an object with token and actual, accepted or value")
            return None
        unknown = [name for name in item if name != "token" and name not in _SAID]
        violations.add_members(pointer, unknown, f"is none of token, {', '.join(_SAID)}; remove it")
        given = self._given(item.get("token", _NOT_THERE), f"{pointer}/token", now, violations)
        said = {name: item[name] for name in _SAID if name in item}
        if not said:
            violations.add(pointer, "says nothing of the prediction; add actual (the truth), accepted or value")
        reasons = {name: reason for name, value in said.items() if (reason := _fault(name, value, given)) is not None}
        for name, reason in reasons.items():
            violations.add(f"{pointer}/{name}", reason)
        return (given, Report(**said)) if given is not None and said and not reasons else None

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

    def _count_once(self, given: Given, report: Report, now: float) -> bool:
        """Count what has not been counted of that prediction; whether there was anything."""
        known = self._counted.get(given.nonce, 0)
        repeated = {name: None for bit, name in enumerate(_SAID) if known >> bit & 1}
        fresh = replace(report, **repeated)
        if fresh == Report():
            return False
        said = sum(1 << bit for bit, name in enumerate(_SAID) if getattr(fresh, name) is not None)
        self._counted[given.nonce] = known | said
        if len(self._counted) > _MAX_REMEMBERED:
            self._counted.popitem(last=False)
        self._counts.count(given, fresh, now)
        return True


def _fault(name: str, value: object, given: Given | None) -> str | None:
    """Say why a member cannot be used, if it cannot."""
    if name == "accepted":
        return None if isinstance(value, bool) else "must be true or false"
    if name == "value":
        usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _MAX_VALUE
        return None if usable else f"must be a number, such as 12.5, of at most {_MAX_VALUE:,.0f} either way"
    return _unlike(given.prediction, value) if given is not None else None


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
