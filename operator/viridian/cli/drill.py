"""Drills in words: how far the one that runs has got, and how the last one went."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from .model import Json

CLEANING: Final = "Cleaning"
"""The stage in which a drill is over, and its twin is deleted."""
_STAGES: Final = {
    "Starting": "the twin is brought up with {version}",
    "Sending": "requests are sent to it",
    "Failing": "a version that is {kind} on purpose is rolled out to it",
    CLEANING: "the result is known; the twin is deleted",
}
_RESULTS: Final = {
    "Passed": "passed",
    "TooSlow": "was too slow",
    "NotTurnedBack": "was not turned back",
    "CouldNotRun": "could not run",
    "Cancelled": "was cancelled",
}


def stage_line(status: Json) -> str:
    """Return how far the drill that runs has got, with the time; empty where none runs.

    Args:
        status: of the model's drills.
    """
    run = status.get("running")
    if not run:
        return ""
    text = _STAGES[run["stage"]].format(version=run["version"], kind=str(run["kind"]).lower())
    return f"{_clock(run['since'])}  {text}"


def final_lines(record: Json) -> Iterator[str]:
    """Yield how a drill went: its timeline, and a sentence.

    Args:
        record: of a drill that is over.
    """
    moments = (
        ("firstFailureAt", "the first bad answer"),
        ("evidenceAt", "the evidence against it is complete"),
        ("safeAt", "all traffic is on stable"),
    )
    first = record.get("firstFailureAt")
    for field, text in moments:
        if moment := record.get(field):
            later = (
                f", {_seconds(first, moment)} after the first bad answer" if first and field != "firstFailureAt" else ""
            )
            yield f"{_clock(moment)}  {text}{later}"
    yield summary(record)


def summary(record: Json) -> str:
    """Return how a drill went in one sentence."""
    return f"The drill of kind {record['kind']} {_RESULTS[record['result']]}: {record['message']}"


def _clock(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%H:%M:%S")


def _seconds(first: str, moment: str) -> str:
    seconds = (datetime.fromisoformat(moment) - datetime.fromisoformat(first)).total_seconds()
    return f"{max(0.0, seconds):.1f} s"
