"""What guards and checks found out about a candidate."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .fields import Name, Sentence, StatusModel, Time


class Counted(StatusModel):
    """Requests of one version, as a guard counted them."""

    requests: Annotated[int, Field(ge=0, description="Completed requests.")]
    events: Annotated[int, Field(ge=0, description="Those of them that count against it: failed, or slow.")]


class GuardStatus(StatusModel):
    """What one guard says."""

    name: Annotated[str, Field(max_length=64, description="Such as errorRate or latency-p95.")]
    kind: Annotated[str, Field(max_length=16, description="absolute, relative to stable, or query.")]
    verdict: Annotated[str, Field(max_length=32, description="What the guard concludes from the evidence so far.")]
    evidence: Annotated[
        str,
        Field(
            max_length=24,
            description="The e-value: how many times likelier worse than not. Of a query: numbers in a row above its"
            " maximum.",
        ),
    ]
    threshold: Annotated[str, Field(max_length=24, description="The evidence at which the candidate is rolled back.")]
    limit: Annotated[
        str,
        Field(
            max_length=24,
            description="What it allows: of absolute ones the largest share of events, of relative ones the largest"
            " odds ratio, of a query the largest number.",
        ),
    ] = ""
    candidate: Annotated[Counted | None, Field(description="The candidate's requests behind it.")] = None
    stable: Annotated[Counted | None, Field(description="Stable's in the same time.")] = None
    failing: Annotated[bool, Field(description="Whether it saw any request of the candidate fail or be slow.")] = False
    message: Annotated[Sentence, Field(description="The same in a sentence for people, with the counts.")]


class CheckResult(StrEnum):
    """How a check of the candidate stands."""

    RUNNING = "Running"
    PASSED = "Passed"
    FAILED = "Failed"
    CANNOT_RUN = "CannotRun"

    @property
    def is_final(self) -> bool:
        """Whether it stays, whatever becomes of the check's Job."""
        return self in {CheckResult.PASSED, CheckResult.FAILED}


class KeptStatus(StatusModel):
    """Whether the revision that the command rollback would bring back can still be run."""

    revision: Annotated[Name, Field(description="Name of its ControllerRevision.")]
    result: Annotated[
        CheckResult,
        Field(description="What the last look found; Failed: it cannot be run; CannotRun: nobody could look."),
    ]
    message: Annotated[Sentence, Field(description="The same in a sentence for people.")] = ""
    verified_at: Annotated[Time | None, Field(description="When that was; absent before the first result.")] = None
    started_at: Annotated[Time | None, Field(description="When the present look began, while one runs.")] = None
    next: Annotated[Time | None, Field(description="When the next look is due.")] = None


class CheckStatus(StatusModel):
    """One check of the candidate before traffic."""

    name: Annotated[str, Field(max_length=32, description="smoke, golden, load, or the name of a job.")]
    revision: Annotated[Name, Field(description="Name of the ControllerRevision that is checked.")]
    result: Annotated[
        CheckResult,
        Field(
            description="Failed takes the candidate back; CannotRun holds it if spec.checks asks for the check, and"
            " blames nobody."
        ),
    ]
    message: Annotated[Sentence, Field(description="What was found, in a sentence for people, with the figures.")] = ""
    started_at: Annotated[Time, Field(description="When it was started.")]
    ended_at: Annotated[Time | None, Field(description="When its result was known.")] = None
