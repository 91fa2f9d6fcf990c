"""`spec.drill`: exercises in which a known-bad version goes through a rollout that no user meets."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from viridian_shared.drill import DrillKind

from .base import ApiModel
from .names import API_VERSION, KIND, LABEL_DRILL_OF
from .quantities import Duration, between, cel, matches

WEEKLY: Final = "weekly"
MONTHLY: Final = "monthly"
DEFAULT_OBJECTIVE: Final = "60s"
DEFAULT_RATE: Final = 10
TWIN_SUFFIX: Final = "-drill"
"""How the name of a drill's twin ends."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_FIELD: Final = "[-0-9A-Za-z*/,#]+"
_CRON: Final = f"^(weekly|monthly|{_FIELD}( {_FIELD}){{4}})$"
_HOW_TO: Final = "write weekly, monthly, or five fields of cron in UTC, such as 0 10 * * 2"


def _schedule(text: str) -> str:
    if text not in (WEEKLY, MONTHLY):
        try:
            CronSim(text, _EPOCH)
        except CronSimError as error:
            raise ValueError(f"{text!r} is no schedule ({error}): {_HOW_TO}") from None
    return text


class Drill(ApiModel):
    """When a drill is due and what is expected of it. No guard reads this, and a change makes no new revision."""

    schedule: Annotated[
        str,
        AfterValidator(_schedule),
        Field(
            max_length=64,
            description="weekly (Monday after 10:00), monthly (the first after 10:00), or five fields of cron; in UTC.",
            json_schema_extra=cel(matches(_CRON), f"is no schedule: {_HOW_TO}"),
        ),
    ] = WEEKLY
    window: Annotated[
        Duration,
        Field(
            description="How long after its time a drill may still begin; then it is left out until the next time.",
            json_schema_extra=cel(between("1m", "24h"), "must be a duration from 1m to 24h, such as 4h"),
        ),
    ] = "4h"
    kinds: Annotated[
        list[DrillKind],
        Field(
            min_length=1,
            max_length=4,
            description="How the known-bad version fails, in turns: Failing answers 500; Slow answers late, and needs"
            " guards.latency with max; Wrong answers wrongly, and needs checks.golden; Crash ends its process.",
        ),
    ] = Field(default_factory=lambda: [DrillKind.FAILING])
    objective: Annotated[
        Duration,
        Field(
            description="Longest time from the first bad answer until all traffic is on stable.",
            json_schema_extra=cel(between("1s", "1h"), "must be a duration from 1s to 1h, such as 60s"),
        ),
    ] = DEFAULT_OBJECTIVE
    requests_per_second: Annotated[int, Field(ge=1, le=100, description="Requests that are sent to the twin.")] = (
        DEFAULT_RATE
    )


class Misbehavior(ApiModel):
    """How the twin of a drill fails. The operator sets this on a drill's twin; any other model with it is refused."""

    kind: Annotated[DrillKind, Field(description="How it fails.")]
    delay: Annotated[
        Duration | None,
        Field(
            description="How late a Slow one answers.",
            json_schema_extra=cel(between("1ms", "60s"), "must be a duration from 1ms to 60s, such as 500ms"),
        ),
    ] = None


def drilled_model(metadata: dict[str, Any]) -> str | None:
    """Return the name of the model whose twin an object is; None for what is no twin.

    Args:
        metadata: of a ModelDeployment. A twin has the label and is controlled by the model that the label names.
    """
    name = (metadata.get("labels") or {}).get(LABEL_DRILL_OF)
    owners = metadata.get("ownerReferences") or []
    owned = any(
        owner.get("apiVersion") == API_VERSION
        and owner.get("kind") == KIND
        and owner.get("name") == name
        and owner.get("controller")
        for owner in owners
    )
    return str(name) if name and owned else None
