"""The status of a ModelDeployment as a whole."""

from typing import Annotated

from pydantic import Field

from .ending import BlockedRevision, Ending, HistoryEntry
from .evidence import CheckStatus, GuardStatus, KeptStatus
from .fields import Condition, Name, Phase, Sentence, StatusModel, Time
from .progress import (
    Approved,
    ColorStatus,
    Condemned,
    Drain,
    Hold,
    Outage,
    Promotion,
    Return,
    Shortfall,
    StepStatus,
    WatchStatus,
)


class ModelDeploymentStatus(StatusModel):
    """Where the rollout stands, what the guards say, and how earlier rollouts ended."""

    observed_generation: Annotated[int, Field(description="Generation of the spec that this status speaks of.")] = 0
    epoch: Annotated[
        str, Field(max_length=64, description="The operator's term of leadership in which this status was written.")
    ] = ""
    phase: Phase = Phase.PENDING
    stable: Annotated[ColorStatus | None, Field(description="What serves users; roles swap once, after the bake.")] = (
        None
    )
    candidate: Annotated[ColorStatus | None, Field(description="What is being tried.")] = None
    step: StepStatus | None = None
    started_at: Annotated[
        Time | None, Field(description="When the current rollout began; the deadline runs from here.")
    ] = None
    waited: Annotated[
        str | None,
        Field(max_length=24, description="How long the deadline's clock has stood still for approval or pause."),
    ] = None
    floor: Annotated[
        int | None,
        Field(ge=0, description="The most pods that an autoscaler gave stable in this rollout, kept until its end."),
    ] = None
    approved: Approved | None = None
    promotion: Annotated[
        Promotion | None, Field(description="Set while the candidate skips its remaining holds by command.")
    ] = None
    paused: Annotated[Name, Field(description="The candidate that is paused by command, if any.")] = ""
    returning: Annotated[
        Return | None, Field(description="Set while the command rollback restores an earlier revision.")
    ] = None
    hold: Hold | None = None
    outage: Outage | None = None
    shortfall: Shortfall | None = None
    condemned: Condemned | None = None
    aborting: Annotated[
        Name, Field(description="The candidate that the command abort rolls back once stable has a ready pod.")
    ] = ""
    drain: Drain | None = None
    ending: Ending | None = None
    watch: WatchStatus | None = None
    checks: Annotated[
        list[CheckStatus], Field(max_length=16, description="The checks of the last candidate, in their order.")
    ] = Field(default_factory=list)
    guards: Annotated[list[GuardStatus], Field(max_length=16, description="The verdict of each guard.")] = Field(
        default_factory=list
    )
    guard_state: Annotated[
        str, Field(max_length=6144, description="The guards' counters, for the operator itself after a restart.")
    ] = ""
    verdict: Annotated[Sentence, Field(description="The last verdict, as text.")] = ""
    power: Annotated[
        Sentence, Field(description="How soon this traffic would show a clear regression, while a rollout runs.")
    ] = ""
    shadow: Annotated[
        Sentence | None,
        Field(description="How the last candidate's answers to mirrored requests compare with stable's."),
    ] = None
    failed: Annotated[
        list[BlockedRevision], Field(max_length=20, description="Revisions that were rolled back for their own faults.")
    ] = Field(default_factory=list)
    expired: Annotated[
        list[BlockedRevision],
        Field(max_length=20, description="Revisions that ran out of time; retry starts them again."),
    ] = Field(default_factory=list)
    history: Annotated[list[HistoryEntry], Field(max_length=20, description="Finished rollouts, newest first.")] = (
        Field(default_factory=list)
    )
    kept: Annotated[
        KeptStatus | None, Field(description="Whether what the command rollback would bring back can still be run.")
    ] = None
    last_revision: Annotated[int, Field(ge=0, description="Highest revision number given out; never used again.")] = 0
    last_command: Annotated[
        str, Field(max_length=512, description="The last command annotation that was obeyed or refused.")
    ] = ""
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            description="Conditions of the ModelDeployment.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = Field(default_factory=list)

    @property
    def control(self) -> ColorStatus | None:
        """The old version while the promoted one is watched."""
        return self.watch.control if self.watch is not None else None

    @property
    def roles(self) -> list[ColorStatus]:
        """What plays a role now: stable, the candidate, and the control of a watch."""
        return [role for role in (self.stable, self.candidate, self.control) if role is not None]
