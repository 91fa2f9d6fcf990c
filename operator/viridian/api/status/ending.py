"""How rollouts ended, and which revisions do not start again because of it."""

from typing import Annotated

from pydantic import Field

from .evidence import GuardStatus
from .fields import Name, Phase, Sentence, StatusModel, Time
from .progress import Approved, Promotion


class Reaction(StatusModel):
    """How fast a bad candidate was rolled back."""

    evidence_at: Annotated[
        Time | None, Field(description="The scrape that completed the evidence against it, if a guard rolled it back.")
    ] = None
    reverted_at: Annotated[
        Time | None, Field(description="When the gateway's route was acknowledged with all traffic on stable.")
    ] = None


class Ending(Reaction):
    """How a candidate is being rolled back, kept until its pods are gone."""

    phase: Annotated[Phase, Field(description="The phase that follows when the color is empty.")]
    reason: Annotated[str, Field(max_length=64, description="Why, in one word for programs.")]
    message: Annotated[Sentence, Field(description="Why, in a sentence for people.")]
    warms_since: Annotated[
        Time | None,
        Field(
            description="Set where a promoted version is taken back: since when the pods of the old one, which were"
            " few, are brought up; traffic goes back as far as those that are ready carry it."
        ),
    ] = None


class BlockedRevision(StatusModel):
    """A revision that does not start again automatically."""

    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    version: Annotated[Name, Field(description="spec.model.version of that revision.")]
    reason: Annotated[str, Field(max_length=64, description="Why it ended, as one word for programs.")]
    message: Annotated[Sentence, Field(description="Why it ended, in a sentence for people.")]
    at: Annotated[Time, Field(description="When it ended.")]
    until_generation: Annotated[
        int | None,
        Field(description="Set by the command rollback: holds until the spec's generation is above this."),
    ] = None


class HistoryEntry(Reaction):
    """One finished rollout."""

    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    version: Annotated[Name, Field(description="spec.model.version of that revision.")]
    result: Annotated[
        str,
        Field(
            max_length=32,
            description="Promoted, Restored, TookOver, GuardBreached, RolledBack, Expired, Replaced, Reverted or"
            " RevisionLost.",
        ),
    ]
    message: Annotated[Sentence, Field(description="How it ended, in a sentence for people.")]
    changes: Annotated[str, Field(max_length=1024, description="spec.model.changes of that revision.")] = ""
    checks: Annotated[str, Field(max_length=1024, description="Which checks it passed or failed, and when.")] = ""
    guards: Annotated[
        list[GuardStatus],
        Field(max_length=16, description="What each guard had counted at the end, without its sentence."),
    ] = Field(default_factory=list)
    approved: Annotated[Approved | None, Field(description="The approval that it had, if any.")] = None
    promotion: Annotated[Promotion | None, Field(description="The command promote that it was given, if any.")] = None
    started_at: Annotated[Time, Field(description="When the rollout began.")]
    ended_at: Annotated[Time, Field(description="When it was over.")]
