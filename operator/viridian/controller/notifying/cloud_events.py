"""Notifications as CloudEvents 1.0: JSON in structured mode, over HTTP."""

from typing import Any

import aiohttp

from viridian.api.names import API_VERSION, PLURAL

from .delivery import Delivery, Undeliverable, Undelivered

TYPE = "dev.viridian.modeldeployment"
TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=5.0)
_AGAIN = frozenset({408, 425, 429})
"""Client errors that may pass."""


async def send(session: aiohttp.ClientSession, url: str, delivery: Delivery) -> None:
    """POST a notification; redirects are not followed, as they may lead anywhere.

    Raises:
        Undelivered: no answer, or one that may be better next time.
        Undeliverable: the receiver refuses it for good.
    """
    headers, body = encode(delivery)
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False, timeout=TIMEOUT) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise Undelivered(f"no answer ({type(error).__name__})") from error
    if status < 300:
        return
    if 300 <= status < 500 and status not in _AGAIN:
        raise Undeliverable(f"it answered with status {status}")
    raise Undelivered(f"it answered with status {status}")


def encode(delivery: Delivery) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request."""
    from cloudevents.core.bindings.http import to_structured
    from cloudevents.core.formats.json import JSONFormat
    from cloudevents.core.v1.event import CloudEvent

    notification, (namespace, name) = delivery.notification, delivery.model
    attributes = {
        "specversion": "1.0",
        "id": notification.id,
        "source": f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}/{name}",
        "type": f"{TYPE}.{notification.event}",
        "subject": notification.revision or name,
        "time": notification.at,
        "datacontenttype": "application/json",
    }
    message = to_structured(CloudEvent(attributes, data(delivery)), JSONFormat())
    return message.headers, message.body


def data(delivery: Delivery) -> dict[str, Any]:
    """Return what the event says, as JSON; times and a cost that are not known are left out."""
    notification, (namespace, name) = delivery.notification, delivery.model
    cost = notification.cost
    times = {
        "startedAt": notification.started_at,
        "evidenceAt": notification.evidence_at,
        "revertedAt": notification.reverted_at,
    }
    return {
        "namespace": namespace,
        "model": name,
        "event": str(notification.event),
        "reason": str(notification.reason),
        "message": notification.text,
        "revision": notification.revision,
        "version": notification.version,
        **{key: moment.isoformat(timespec="milliseconds") for key, moment in times.items() if moment is not None},
        **({"cost": {"amount": cost.value, "currency": cost.currency}} if cost is not None else {}),
    }
