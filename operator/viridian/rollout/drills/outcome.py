"""How a drill went, in figures and in a sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from viridian.api.status import DrillResult, HistoryEntry
from viridian_shared.durations import format_duration
from viridian_shared.words import count

from .seen import TrafficReport


@dataclass(frozen=True)
class Verdict:
    """What is known once a drill is over.

    Attributes:
        time_to_safe: From the first bad answer until all traffic was on stable.
        time_to_verdict: From the first bad answer, or the start of the check, until the evidence was complete.
    """

    result: DrillResult
    message: str
    report: TrafficReport | None = None
    evidence_at: datetime | None = None
    safe_at: datetime | None = None
    time_to_safe: timedelta | None = None
    time_to_verdict: timedelta | None = None


def turned_back(
    ended: HistoryEntry,
    checked: tuple[datetime, datetime] | None,
    report: TrafficReport | None,
    objective: timedelta,
) -> Verdict:
    """Judge a drill whose bad version was turned back.

    Args:
        ended: Its rollout in the twin's history.
        checked: When the check began and ended that turned it back; None for guards and crashes.
        report: What requests met; None where that is not known.
        objective: Longest time to safe that passes.
    """
    safe_at = ended.reverted_at or ended.ended_at
    why = f"{ended.message}"
    if checked is not None:
        took = checked[1] - checked[0]
        text = f"no request met it: a check turned it back {format_duration(took)} after it began; {why}"
        zero = timedelta(0)
        return Verdict(DrillResult.PASSED, text, report, checked[1], safe_at, zero, took)
    if report is None:
        text = f"it was turned back, but nothing is known of the requests, so the time is not known; {why}"
        return Verdict(DrillResult.COULD_NOT_RUN, text, safe_at=safe_at, evidence_at=ended.evidence_at)
    first = report.first_failure_at
    seconds = _since(first, safe_at) or timedelta(0)
    passed = seconds <= objective
    failed = f"{report.failed} of {count(report.requests, 'request')} failed"
    text = (
        f"all traffic was on stable {format_duration(seconds)} after the first bad answer"
        f" ({'within' if passed else 'not within'} the objective of {format_duration(objective)}); {failed}; {why}"
    )
    return Verdict(
        DrillResult.PASSED if passed else DrillResult.TOO_SLOW,
        text,
        report,
        ended.evidence_at,
        safe_at,
        seconds,
        _since(first, ended.evidence_at),
    )


def _since(first: datetime | None, moment: datetime | None) -> timedelta | None:
    """The time between the two; the clocks of two machines may disagree, and nothing takes less than none."""
    return None if first is None or moment is None else max(timedelta(0), moment - first)
