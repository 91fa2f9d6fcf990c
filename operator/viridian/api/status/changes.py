"""Changes of a status: a field that does not exist fails the type check, and a value that cannot be written is refused.

`model_copy(update=…)` would take both, and the status is the operator's only memory. The dictionaries name the fields
of their models once more, since types cannot be derived from them; a test compares the two.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, TypeVar, Unpack, overload

from ..base import ApiModel
from ..names import Color
from .ending import BlockedRevision, Ending, HistoryEntry
from .evidence import CheckResult, CheckStatus, GuardStatus, KeptStatus
from .fields import Condition, Phase
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

M = TypeVar("M", bound=ApiModel)


class StatusChanges(TypedDict, total=False):
    """Fields of `ModelDeploymentStatus`."""

    observed_generation: int
    epoch: str
    phase: Phase
    stable: ColorStatus | None
    candidate: ColorStatus | None
    step: StepStatus | None
    started_at: datetime | None
    waited: str | None
    floor: int | None
    approved: Approved | None
    promotion: Promotion | None
    paused: str
    returning: Return | None
    hold: Hold | None
    outage: Outage | None
    shortfall: Shortfall | None
    condemned: Condemned | None
    aborting: str
    drain: Drain | None
    ending: Ending | None
    watch: WatchStatus | None
    checks: list[CheckStatus]
    guards: list[GuardStatus]
    guard_state: str
    verdict: str
    power: str
    shadow: str | None
    failed: list[BlockedRevision]
    expired: list[BlockedRevision]
    history: list[HistoryEntry]
    kept: KeptStatus | None
    last_revision: int
    last_command: str
    conditions: list[Condition]


class ColorChanges(TypedDict, total=False):
    """Fields of `ColorStatus`."""

    color: Color
    revision: str
    version: str
    weight: int
    replicas: int
    ready: int


class StepChanges(TypedDict, total=False):
    """Fields of `StepStatus`."""

    index: int
    count: int
    progress: str
    weight: int
    shadow: str | None
    intended_at: datetime
    verified_at: datetime | None
    lagging_since: datetime | None
    weight_before: int
    requests_before: int
    stable_requests_before: int


class EndingChanges(TypedDict, total=False):
    """Fields of `Ending`."""

    evidence_at: datetime | None
    reverted_at: datetime | None
    phase: Phase
    reason: str
    message: str
    warms_since: datetime | None


class WatchChanges(TypedDict, total=False):
    """Fields of `WatchStatus`."""

    since: datetime
    control: ColorStatus


class OutageChanges(TypedDict, total=False):
    """Fields of `Outage`."""

    since: datetime
    failed_over_at: datetime | None
    ready_since: datetime | None


class ShortfallChanges(TypedDict, total=False):
    """Fields of `Shortfall`."""

    weight: int
    ready_since: datetime | None


class CheckChanges(TypedDict, total=False):
    """Fields of `CheckStatus`."""

    name: str
    revision: str
    result: CheckResult
    message: str
    started_at: datetime
    ended_at: datetime | None


class KeptChanges(TypedDict, total=False):
    """Fields of `KeptStatus`."""

    revision: str
    result: CheckResult
    message: str
    verified_at: datetime | None
    started_at: datetime | None
    next: datetime | None


@overload
def evolve(
    model: ModelDeploymentStatus, changes: StatusChanges = ..., /, **more: Unpack[StatusChanges]
) -> ModelDeploymentStatus: ...
@overload
def evolve(model: ColorStatus, changes: ColorChanges = ..., /, **more: Unpack[ColorChanges]) -> ColorStatus: ...
@overload
def evolve(model: StepStatus, changes: StepChanges = ..., /, **more: Unpack[StepChanges]) -> StepStatus: ...
@overload
def evolve(model: Ending, changes: EndingChanges = ..., /, **more: Unpack[EndingChanges]) -> Ending: ...
@overload
def evolve(model: WatchStatus, changes: WatchChanges = ..., /, **more: Unpack[WatchChanges]) -> WatchStatus: ...
@overload
def evolve(model: Outage, changes: OutageChanges = ..., /, **more: Unpack[OutageChanges]) -> Outage: ...
@overload
def evolve(model: Shortfall, changes: ShortfallChanges = ..., /, **more: Unpack[ShortfallChanges]) -> Shortfall: ...
@overload
def evolve(model: CheckStatus, changes: CheckChanges = ..., /, **more: Unpack[CheckChanges]) -> CheckStatus: ...
@overload
def evolve(model: KeptStatus, changes: KeptChanges = ..., /, **more: Unpack[KeptChanges]) -> KeptStatus: ...
def evolve(model: M, changes: Mapping[str, Any] | None = None, /, **more: object) -> M:
    """The same model with other values in some of its fields.

    Args:
        model: what is changed; it stays as it is.
        changes: values by the names of their fields.
        more: the same; these win.

    Raises:
        TypeError: the model has no such field.
        ValidationError: a value cannot be written.
    """
    values = {**(changes or {}), **more}
    if unknown := values.keys() - type(model).model_fields.keys():
        raise TypeError(f"{type(model).__name__} has no field {', '.join(sorted(unknown))}")
    return type(model).model_validate({**dict(model), **values})
