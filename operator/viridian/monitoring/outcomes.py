"""Outcomes: what came of predictions, by `POST /feedback`, over a day and a week.

A revision about which nobody reports anything has no series. Reports of all users count: to compare two revisions, read
the pods' counters with `via="split"`, or use `viridian outcomes`.
"""

from datetime import timedelta
from typing import Final

from viridian_shared.counts.metric_names import (
    ANSWERED,
    FEEDBACK,
    FEEDBACK_ACCEPTED,
    FEEDBACK_AGE,
    FEEDBACK_CONFIDENCE,
    FEEDBACK_CONFIDENCE_CORRECT,
    FEEDBACK_ERROR,
    FEEDBACK_VALUE,
    FEEDBACK_VALUED,
    REVISION_INFO,
)

from .recording import ANSWERED_5M, REVISION
from .rule import Group, Recording

_INTERVAL: Final = timedelta(minutes=5)
_WINDOWS: Final = ("1d", "7d")
_REPORTED: Final = 'via!~"check|mirror"'
_LEVEL: Final = "revision:viridian_feedback"


def group() -> Group:
    """Return the group that counts reports, and says what they say of each revision."""
    return Group(
        "viridian.outcomes",
        _INTERVAL,
        (
            Recording("revision:viridian_revision:info", f"max by ({REVISION}, version, color) ({REVISION_INFO})"),
            *_counted(),
            *(rule for window in _WINDOWS for rule in _said(window)),
        ),
    )


def _counted() -> tuple[Recording, ...]:
    """Return what came within five minutes. What is zero is left out: most revisions get no reports of most kinds."""
    increases = {
        ANSWERED_5M: (ANSWERED, "", ""),
        f"{_LEVEL}_labels:increase5m": (FEEDBACK, "result", _REPORTED),
        f"{_LEVEL}_numbers:increase5m": (f"{FEEDBACK_ERROR}_count", "", _REPORTED),
        f"{_LEVEL}_distance:increase5m": (f"{FEEDBACK_ERROR}_sum", "", _REPORTED),
        f"{_LEVEL}_accepted:increase5m": (FEEDBACK_ACCEPTED, "accepted", ""),
        f"{_LEVEL}_valued:increase5m": (FEEDBACK_VALUED, "", ""),
        f"{_LEVEL}_value:increase5m": (FEEDBACK_VALUE, "sign", ""),
        f"{_LEVEL}_confident:increase5m": (f"{FEEDBACK_CONFIDENCE}_count", "bin", ""),
        f"{_LEVEL}_confidence:increase5m": (f"{FEEDBACK_CONFIDENCE}_sum", "bin", ""),
        f"{_LEVEL}_confident_correct:increase5m": (FEEDBACK_CONFIDENCE_CORRECT, "bin", ""),
        f"{_LEVEL}_reports:increase5m": (f"{FEEDBACK_AGE}_count", "", ""),
        f"{_LEVEL}_ages:increase5m": (f"{FEEDBACK_AGE}_sum", "", ""),
    }
    return tuple(
        Recording(
            name, f"sum by ({', '.join(filter(None, (REVISION, label)))}) (increase({metric}{{{matcher}}}[5m])) > 0"
        )
        for name, (metric, label, matcher) in increases.items()
    )


def _said(window: str) -> tuple[Recording, ...]:
    labels, numbers = _sum("labels", window), _sum("numbers", window)
    accepted, valued, value = _sum("accepted", window), _sum("valued", window), _sum("value", window, 'sign="gain"')
    bins = _sum("confident", window, by="bin")
    confidence, correct = (_or_none(_sum(f"confiden{end}", window, by="bin"), bins) for end in ("ce", "t_correct"))
    return (
        Recording(f"{_LEVEL}_labels:sum{window}", f"{labels}\n or {numbers}"),
        Recording(
            f"{_LEVEL}_coverage:ratio{window}",
            # The truth of what was answered before the window counts in it: never more than all.
            f"""
            clamp_max({_LEVEL}_labels:sum{window}
              / sum by ({REVISION}) (sum_over_time({ANSWERED_5M}[{window}:5m])), 1)
            """,
        ),
        Recording(
            f"revision:viridian_accuracy:ratio{window}",
            f"{_or_none(_sum('labels', window, _CORRECT), labels)}\n / {labels}",
        ),
        Recording(
            f"revision:viridian_absolute_error:avg{window}",
            f"{_or_none(_sum('distance', window), numbers)}\n / {numbers}",
        ),
        Recording(
            f"revision:viridian_accepted:ratio{window}",
            f"{_or_none(_sum('accepted', window, _ACCEPTED), accepted)}\n / {accepted}",
        ),
        Recording(
            f"revision:viridian_value:sum{window}",
            f"{_or_none(value, valued)}\n - {_or_none(_sum('value', window, _LOSS), valued)}",
        ),
        Recording(f"revision:viridian_value:avg{window}", f"revision:viridian_value:sum{window} / {valued}"),
        # Expected calibration error: the mean over labels of |accuracy - confidence| of their bins. Naeini, Cooper and
        # Hauskrecht (2015), "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
        Recording(
            f"revision:viridian_calibration_error:ratio{window}",
            f"sum by ({REVISION}) (abs({correct}\n - {confidence}))\n / {_sum('confident', window)}",
        ),
        Recording(f"{_LEVEL}_age:avg{window}", f"{_sum('ages', window)} / {_sum('reports', window)}"),
    )


_CORRECT: Final = 'result="correct"'
_ACCEPTED: Final = 'accepted="true"'
_LOSS: Final = 'sign="loss"'


def _sum(what: str, window: str, matcher: str = "", by: str = "") -> str:
    """Return the sum over a window: of five minutes each, however often they were recorded."""
    labels = f"{REVISION}, {by}" if by else REVISION
    return f"sum by ({labels}) (sum_over_time({_LEVEL}_{what}:increase5m{{{matcher}}}[{window}:5m]))"


def _or_none(part: str, whole: str) -> str:
    """Return a part of a whole: zero where the whole is known and the part never was above zero."""
    return f"({part} or {whole} * 0)"
