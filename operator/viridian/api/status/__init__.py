"""What a user reads back: the status of a ModelDeployment. It is the operator's only memory."""

from .ending import BlockedRevision, Ending, HistoryEntry, Reaction
from .evidence import CheckResult, CheckStatus, Counted, GuardStatus, KeptStatus
from .fields import Condition, Name, Phase, Sentence, StatusModel, Time, cut
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
from .status import ModelDeploymentStatus

__all__ = [
    "Approved",
    "BlockedRevision",
    "CheckResult",
    "CheckStatus",
    "ColorStatus",
    "Condemned",
    "Condition",
    "Counted",
    "Drain",
    "Ending",
    "GuardStatus",
    "HistoryEntry",
    "Hold",
    "KeptStatus",
    "ModelDeploymentStatus",
    "Name",
    "Outage",
    "Phase",
    "Promotion",
    "Reaction",
    "Return",
    "Sentence",
    "Shortfall",
    "StatusModel",
    "StepStatus",
    "Time",
    "WatchStatus",
    "cut",
]
