"""What the chart says of notifications: receivers for all models, and where models may send theirs."""

from pydantic import Field

from viridian.api.base import ApiModel
from viridian.api.notify import NotifyEvent


class DefaultReceiver(ApiModel):
    """A receiver of what happens to all models: its address, or the variable of the environment that holds it."""

    url: str = ""
    variable: str = ""
    events: list[NotifyEvent] = Field(default_factory=list)


class NotificationSettings(ApiModel):
    """Chart values `notifications`."""

    receivers: list[DefaultReceiver] = Field(default_factory=list)
    allowed_hosts: list[str] = Field(default_factory=list)
    """Hosts (with a port where there is one; `*.` for all below) and services such as `slack://`."""
