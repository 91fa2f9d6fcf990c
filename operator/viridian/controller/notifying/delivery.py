"""One notification on its way to one receiver."""

import hashlib
from dataclasses import dataclass

from viridian.api.model_key import ModelKey
from viridian.rollout.reporting.notifications import Notification


class Undelivered(Exception):
    """A receiver was not reached, or did not accept; it is tried again. The message never holds its address."""


class Undeliverable(Undelivered):
    """Trying again would not help."""


class Denied(Undeliverable):
    """The address is not one that models may send to."""


@dataclass(frozen=True)
class Address:
    """Where to send: an address, or the Secret that holds it; `trusted` ones come from the chart.

    `label` is what people are shown, since an address may be a secret.
    """

    label: str
    url: str = ""
    namespace: str = ""
    secret: str = ""
    trusted: bool = False


@dataclass(frozen=True)
class Delivery:
    """What is sent, about whom, and where to."""

    notification: Notification
    model: ModelKey
    address: Address

    @property
    def id(self) -> str:
        """A short name for the pair of notification and receiver, the same after a restart."""
        address = self.address
        parts = (self.notification.id, address.url, address.namespace, address.secret, address.label)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
