"""`spec.objectives`: what the model's users may expect, which alerts watch."""

from typing import Annotated

from pydantic import Field

from .base import ApiModel
from .quantities import DECIMAL, Decimal, Duration, Percent, between, cel, matches

_IN_GRID = cel(
    between("1ms", "60s"), "must be a duration from 1ms to 60s, such as 500ms: slower answers are not told apart"
)


class LatencyObjectives(ApiModel):
    """Bounds on percentiles of the latency, rounded up to the histogram's next bound."""

    p50: Annotated[
        Duration | None,
        Field(description="Half of the requests are answered within this.", json_schema_extra=_IN_GRID),
    ] = None
    p95: Annotated[
        Duration, Field(description="95 % of the requests are answered within this.", json_schema_extra=_IN_GRID)
    ] = "500ms"
    p99: Annotated[
        Duration | None,
        Field(description="99 % of the requests are answered within this.", json_schema_extra=_IN_GRID),
    ] = None


class Objectives(ApiModel):
    """Service level objectives over 30 days, for alerts. No guard reads them, and a change makes no new revision."""

    availability: Annotated[
        Percent, Field(description="Share of users' requests that are answered; 4xx responses do not count.")
    ] = "99%"
    latency: Annotated[LatencyObjectives, Field(description="How fast.")] = LatencyObjectives()
    cost_per_1000: Annotated[
        Decimal | None,
        Field(
            description="What 1,000 predictions may cost, in the currency of the installation's prices (chart value"
            " `cost`). Absent: anything.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) > 0.0",
                "must be a decimal number above 0 in quotes, such as '0.50'",
            ),
        ),
    ] = None
