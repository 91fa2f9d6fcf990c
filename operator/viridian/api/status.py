"""What a user reads back: the status of a ModelDeployment. It is the operator's only memory."""

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer

from .base import ApiModel
from .names import Color
from .quantities import parse_percent
from .rollout import Approval


def _write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_time(value: Any) -> Any:  # noqa: ANN401 - pydantic validates what comes out
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Time = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(_write_time, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
]
_LONGEST: Final = 2048


def cut(text: str) -> str:
    """A sentence as long as a status may hold: some quote others at length, and must be written nevertheless."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _read_sentence(value: Any) -> Any:  # noqa: ANN401 - pydantic validates what comes out
    return cut(value) if isinstance(value, str) else value


Sentence = Annotated[str, BeforeValidator(_read_sentence), Field(max_length=_LONGEST)]
Name = Annotated[str, Field(max_length=253)]


class Phase(StrEnum):
    """Where a ModelDeployment stands."""

    PENDING = "Pending"
    STARTING = "Starting"
    PROGRESSING = "Progressing"
    BAKING = "Baking"
    FINISHING = "Finishing"
    WATCHING = "Watching"
    STABLE = "Stable"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    HELD = "Held"
    EXPIRED = "Expired"
    STALLED = "Stalled"


class StatusModel(ApiModel):
    """Base of what the operator itself wrote: fields of a newer operator are left alone, not refused."""

    model_config = ConfigDict(extra="ignore")


class ColorStatus(StatusModel):
    """One of the two roles and the color that plays it."""

    color: Annotated[Color, Field(description="The color that plays this role.")]
    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    version: Annotated[Name, Field(description="spec.model.version of that revision.")]
    weight: Annotated[int, Field(ge=0, le=100, description="Share of the traffic in the route, in percent.")] = 0
    replicas: Annotated[int, Field(ge=0, description="Pods wanted.")] = 0
    ready: Annotated[int, Field(ge=0, description="Pods ready to answer.")] = 0


class StepStatus(StatusModel):
    """The weight that the candidate is meant to have, and since when."""

    index: Annotated[int, Field(ge=1, description="Number of the step, from 1; one more than the last is the bake.")]
    count: Annotated[int, Field(ge=0, description="Number of steps in the spec; 0 for BlueGreen.")]
    progress: Annotated[str, Field(max_length=16, description="For people: 2/3 for the second of three, or bake.")] = ""
    weight: Annotated[int, Field(ge=0, le=100, description="The intended weight, in percent.")]
    shadow: Annotated[
        str | None,
        Field(max_length=8, description="The share of stable's requests that is mirrored to the candidate, if any."),
    ] = None
    intended_at: Annotated[Time, Field(description="When this weight was decided.")]
    verified_at: Annotated[
        Time | None, Field(description="When the requests were seen to be split like this; the hold runs from here.")
    ] = None
    lagging_since: Annotated[
        Time | None, Field(description="Since when the gateway was seen to split as before this step, if it was.")
    ] = None
    weight_before: Annotated[int, Field(ge=0, le=100, description="The candidate's weight before it, in percent.")] = 0
    requests_before: Annotated[
        int, Field(ge=0, description="Requests of the candidate that were counted before those that tell of this step.")
    ] = 0
    stable_requests_before: Annotated[int, Field(ge=0, description="The same of stable.")] = 0

    @property
    def load(self) -> int:
        """What reaches the candidate's pods, as a share of the traffic in whole percent, rounded up."""
        return math.ceil(100 * parse_percent(self.shadow)) if self.shadow else self.weight


class Hold(StatusModel):
    """Why the rollout waits."""

    reason: Annotated[str, Field(max_length=64, description="Why, in one word for programs.")]
    message: Annotated[Sentence, Field(description="Why, in a sentence for people.")]
    since: Annotated[Time, Field(description="When the hold began.")]


class Drain(StatusModel):
    """A color that lost its weight and still answers what arrives."""

    color: Annotated[Color, Field(description="The color that is drained.")]
    revision: Annotated[Name, Field(description="Name of its ControllerRevision.")]
    since: Annotated[Time, Field(description="When its weight became 0.")]


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


class WatchStatus(StatusModel):
    """The promoted version is watched: the old one keeps a small share as a control."""

    since: Annotated[Time, Field(description="When the new version was promoted.")]
    control: Annotated[ColorStatus, Field(description="The old version, to which all traffic goes back if need be.")]


class Approved(StatusModel):
    """The approval that was given."""

    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    gate: Annotated[Approval, Field(description="Which wait was ended, as in rollout.approval.")]
    by: Annotated[
        str,
        Field(
            max_length=256,
            description="Who gave the command, as its annotation command-by says; the chart's policies.commands has the"
            " API server hold that against who they are.",
        ),
    ] = ""


class Promotion(StatusModel):
    """The command promote, which takes the candidate to full traffic without waiting for holds."""

    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    by: Annotated[
        str, Field(max_length=256, description="Who gave the command, as its annotation command-by says.")
    ] = ""
    at: Annotated[Time, Field(description="When it was obeyed.")]


class Return(StatusModel):
    """An earlier revision that the command rollback restores, without steps and guards."""

    instead_of: Annotated[Name, Field(description="The revision that the command rolled back.")]
    generation: Annotated[int, Field(description="Generation of the spec at that time; a newer one is obeyed again.")]


class Outage(StatusModel):
    """Stable has no ready pod, so the candidate answers in its place."""

    since: Annotated[Time, Field(description="Since when stable has had no ready pod.")]
    failed_over_at: Annotated[
        Time | None, Field(description="When the candidate was given all traffic for it; unset within the grace.")
    ] = None
    ready_since: Annotated[Time | None, Field(description="Since when stable has been ready again.")] = None


class Shortfall(StatusModel):
    """The candidate has fewer ready pods than its weight needs."""

    weight: Annotated[int, Field(ge=0, le=100, description="The weight that its ready pods carry, in percent.")]
    ready_since: Annotated[Time | None, Field(description="Since when enough of its pods are ready again.")] = None


class Condemned(StatusModel):
    """Stable breaches a guard although nothing better has served: what replaces it gets all traffic once ready."""

    revision: Annotated[Name, Field(description="Name of stable's ControllerRevision.")]
    message: Annotated[Sentence, Field(description="What the guard found, in a sentence for people.")]


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


class CheckStatus(StatusModel):
    """One check of the candidate before traffic."""

    name: Annotated[str, Field(max_length=32, description="smoke, golden, load, or the name of a job.")]
    revision: Annotated[Name, Field(description="Name of the ControllerRevision that is checked.")]
    result: Annotated[
        CheckResult, Field(description="Failed takes the candidate back; CannotRun holds it, and blames nobody.")
    ]
    message: Annotated[Sentence, Field(description="What was found, in a sentence for people, with the figures.")] = ""
    started_at: Annotated[Time, Field(description="When it was started.")]
    ended_at: Annotated[Time | None, Field(description="When its result was known.")] = None


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


class Condition(StatusModel):
    """A condition in the form that kstatus, Flux and `kubectl wait` read."""

    type: Annotated[str, Field(max_length=64, description="Such as Ready, Reconciling, Stalled or Available.")]
    status: Annotated[str, Field(max_length=8, description="True, False or Unknown.")]
    reason: Annotated[str, Field(max_length=64, description="Why, in one word for programs.")]
    message: Annotated[Sentence, Field(description="Why, in a sentence for people.")]
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
    observed_generation: Annotated[int, Field(description="Generation of the spec that this speaks of.")] = 0


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
