"""Who is notified of the turns of a rollout."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from .base import ApiModel
from .objects import SecretRef
from .quantities import cel, matches

URL = r"^https?://[^\s/@?#]+([/?][^\s]*)?$"


class NotifyEvent(StrEnum):
    """What is notified of, by the names of `status.history` and of the phases."""

    ROLLOUT_STARTED = "RolloutStarted"
    AWAITING_APPROVAL = "AwaitingApproval"
    HELD = "Held"
    STALLED = "Stalled"
    PROMOTED = "Promoted"
    RESTORED = "Restored"
    TOOK_OVER = "TookOver"
    GUARD_BREACHED = "GuardBreached"
    ROLLED_BACK = "RolledBack"
    EXPIRED = "Expired"
    REPLACED = "Replaced"
    REVERTED = "Reverted"
    REVISION_LOST = "RevisionLost"
    DRILL_ENDED = "DrillEnded"


class Receiver(ApiModel):
    """One receiver, and what it is notified of."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.url) != has(self.secretRef)",
                    "message": "name a receiver by url or by secretRef, one of the two",
                }
            ]
        }
    )

    url: Annotated[
        str | None,
        Field(
            max_length=1024,
            description="Endpoint for CloudEvents. The address is no secret: one with a token belongs in a Secret.",
            json_schema_extra=cel(matches(URL), "must be an http or https URL without user and password"),
        ),
    ] = None
    secret_ref: Annotated[
        SecretRef | None,
        Field(description="Secret with the label viridian.dev/notifications: 'true', whose key url is the address."),
    ] = None
    events: Annotated[list[NotifyEvent], Field(max_length=16, description="What to notify of; empty: all.")] = Field(
        default_factory=list
    )

    @model_validator(mode="after")
    def _has_one_address(self) -> "Receiver":
        if (self.url is None) == (self.secret_ref is None):
            raise ValueError("name a receiver by url or by secretRef, one of the two")
        return self

    def wants(self, event: NotifyEvent) -> bool:
        """Whether it is notified of such an event."""
        return not self.events or event in self.events
