"""What was seen of a drill, as plain values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from viridian.api.status import HistoryEntry, Phase
from viridian_shared.drill import DrillKind


@dataclass(frozen=True)
class TwinView:
    """The twin, a separate ModelDeployment.

    Attributes:
        phase: Its phase, as of the spec that it has now; PENDING while that was not looked at yet.
        available: Whether its stable version answers.
        spoiled: How its spec makes it fail; None while it is stable's version.
        going: Whether it is being deleted.
        trouble: Why it does not get on, as a sentence.
        ended: The last rollout in its history.
        checked: When the check that turned it back began and ended, if one did.
    """

    phase: Phase
    available: bool = False
    spoiled: DrillKind | None = None
    going: bool = False
    trouble: str = ""
    ended: HistoryEntry | None = None
    checked: tuple[datetime, datetime] | None = None


class TrafficState(StrEnum):
    """How the Job stands that sends requests to the twin."""

    PENDING = "Pending"
    RUNNING = "Running"
    DONE = "Done"
    FAILED = "Failed"


@dataclass(frozen=True)
class TrafficReport:
    """What the requests met."""

    requests: int
    failed: int
    first_failure_at: datetime | None = None
    last_failure_at: datetime | None = None
    example: str = ""


@dataclass(frozen=True)
class TrafficView:
    """The Job that sends requests to the twin; `trouble` says why it cannot, `report` what it saw once it is done."""

    state: TrafficState
    trouble: str = ""
    report: TrafficReport | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Preflight:
    """What is looked at once before a drill begins; each is a sentence, and empty where nothing is in the way.

    Attributes:
        incident: What is wrong with the model by its objectives and alerts, or that this cannot be known.
        room: What the twin would not find, such as a quota that is used up.
        taken: Who else has the twin's name.
    """

    incident: str = ""
    room: str = ""
    taken: str = ""


@dataclass(frozen=True)
class DrillView:
    """All that was seen of a model's drills.

    Attributes:
        is_twin: Whether the model is itself the twin of a drill.
        twin: Its twin; None where there is none.
        traffic: What sends requests to that.
        preflight: Set where a drill wants to begin.
        left: Whether pods of a twin that is gone are still there.
        refused: Why the API server refuses the last write of the drill, as a sentence.
    """

    is_twin: bool = False
    twin: TwinView | None = None
    traffic: TrafficView | None = None
    preflight: Preflight | None = None
    left: bool = False
    refused: str = ""
