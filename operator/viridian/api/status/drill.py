"""How the drills of a model went, which one runs, and when the next is due."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from viridian_shared.drill import DrillKind

from .fields import Name, Sentence, StatusModel, Time

EARLIER = 9
"""Drills that are kept beside the last one."""


class DrillStage(StrEnum):
    """How far a drill has got."""

    STARTING = "Starting"
    """The twin is made and brought up with stable's revision."""
    SENDING = "Sending"
    """Requests are sent to it, and answered well."""
    FAILING = "Failing"
    """The known-bad version is rolled out to it."""
    CLEANING = "Cleaning"
    """The result is known, and everything that was made is deleted."""


class DrillResult(StrEnum):
    """How a drill ended."""

    PASSED = "Passed"
    TOO_SLOW = "TooSlow"
    NOT_TURNED_BACK = "NotTurnedBack"
    COULD_NOT_RUN = "CouldNotRun"
    CANCELLED = "Cancelled"

    @property
    def is_bad(self) -> bool:
        """Whether it shows that a bad version would harm users for longer than is accepted."""
        return self in {DrillResult.TOO_SLOW, DrillResult.NOT_TURNED_BACK}


class DrillOrder(StatusModel):
    """A drill that the command drill asks for, before it begins."""

    kind: Annotated[DrillKind, Field(description="How the version is to fail.")]
    at: Annotated[Time, Field(description="When the command was obeyed.")]
    by: Annotated[
        str, Field(max_length=256, description="Who gave the command, as its annotation command-by says.")
    ] = ""


class DrillRun(StatusModel):
    """The drill that runs."""

    kind: Annotated[DrillKind, Field(description="How the version fails.")]
    stage: Annotated[DrillStage, Field(description="How far it has got.")]
    since: Annotated[Time, Field(description="When it got there.")]
    started_at: Annotated[Time, Field(description="When it began.")]
    revision: Annotated[Name, Field(description="Stable's revision, which the twin runs.")]
    version: Annotated[Name, Field(description="spec.model.version of that revision.")]
    by: Annotated[str, Field(max_length=256, description="Who asked for it; empty for the schedule.")] = ""


class DrillRecord(StatusModel):
    """A drill that is over."""

    kind: Annotated[DrillKind, Field(description="How the version failed.")]
    result: Annotated[
        DrillResult,
        Field(
            description="Passed; TooSlow, slower than the objective; NotTurnedBack; CouldNotRun, by no fault of the"
            " rollback; Cancelled, as something else was more important."
        ),
    ]
    message: Annotated[Sentence, Field(description="The same in a sentence, with the reason.")]
    version: Annotated[Name, Field(description="spec.model.version of stable's revision.")] = ""
    by: Annotated[str, Field(max_length=256, description="Who asked for it; empty for the schedule.")] = ""
    started_at: Annotated[Time, Field(description="When it began.")]
    ended_at: Annotated[Time, Field(description="When its result was known.")]
    first_failure_at: Annotated[Time | None, Field(description="The first bad answer to a request.")] = None
    evidence_at: Annotated[Time | None, Field(description="When the evidence against the version was complete.")] = None
    safe_at: Annotated[Time | None, Field(description="When all traffic was on stable again.")] = None
    time_to_safe: Annotated[
        str | None, Field(max_length=24, description="From the first bad answer until all traffic was on stable.")
    ] = None
    time_to_verdict: Annotated[
        str | None, Field(max_length=24, description="From the first bad answer until the evidence was complete.")
    ] = None
    requests: Annotated[int | None, Field(ge=0, description="Requests that were sent.")] = None
    failed: Annotated[int | None, Field(ge=0, description="Those of them that failed.")] = None


class DrillStatus(StatusModel):
    """The drills of a model."""

    requested: DrillOrder | None = None
    running: DrillRun | None = None
    last: DrillRecord | None = None
    earlier: Annotated[
        list[DrillRecord], Field(max_length=EARLIER, description="Drills before the last one, newest first.")
    ] = Field(default_factory=list)
    passed_at: Annotated[Time | None, Field(description="When a drill last passed.")] = None
    schedule: Annotated[str, Field(max_length=64, description="The schedule that `next` follows.")] = ""
    since: Annotated[Time | None, Field(description="Since when drills are scheduled.")] = None
    next: Annotated[Time | None, Field(description="When the next drill is due.")] = None
    waits: Annotated[Sentence, Field(description="Why a drill that is due does not begin.")] = ""
