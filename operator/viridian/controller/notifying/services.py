"""Notifications to Slack, Teams, e-mail and the like, through apprise.

It is imported with the first of them: with its plugins it takes some 20 MiB.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from viridian.api.notify import NotifyEvent

from .delivery import Delivery, Undeliverable, Undelivered
from .egress import SERVICES, check_host

THREADS = 4
"""Services at the same time; apprise waits for an answer, in a thread."""
TIMEOUT = 15.0
"""Seconds that one of them may take."""
_GOOD = frozenset({NotifyEvent.PROMOTED, NotifyEvent.RESTORED, NotifyEvent.TOOK_OVER})
_INFORMATION = frozenset({NotifyEvent.ROLLOUT_STARTED, NotifyEvent.REPLACED, NotifyEvent.REVERTED})


class Services:
    """Sends in its own threads, so that a service that hangs delays services alone."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """Prepare; `allowed` are the hosts to which models may send."""
        self._allowed = allowed
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="notifications")

    async def send(self, url: str, delivery: Delivery) -> None:
        """Send a notification.

        Raises:
            Undelivered: the service did not answer, or did not accept it.
            Undeliverable: the address is not one that apprise knows.
            Denied: a model may not send to that host.
        """
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, url, delivery)

    def _send(self, url: str, delivery: Delivery) -> None:
        import apprise

        logging.getLogger("apprise").setLevel(logging.WARNING)  # below, it writes addresses with their tokens
        asset = apprise.AppriseAsset(app_id="Viridian", app_desc="Viridian", http_redirects=False)
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise Undeliverable("apprise cannot read its address")
        if not delivery.address.trusted:
            # These win over what the address asks for.
            service.redirects, service.verify_certificate = False, True
            if url.partition("://")[0].lower() not in SERVICES:
                check_host(getattr(service, "smtp_host", "") or _host(service), self._allowed)
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        notification = delivery.notification
        title = f"{'/'.join(delivery.model)}: {notification.event}"
        reason = f"{notification.reason}: " if notification.reason != notification.event else ""
        body = f"{reason}{notification.text}"
        # As text: what a message quotes must not mention a channel, hide a link, or be read as HTML.
        if not sender.notify(
            body=body, title=title, notify_type=_kind(notification.event), body_format="text", timeout=TIMEOUT
        ):
            raise Undelivered("the service did not accept it")


def _host(service: object) -> str:
    port = getattr(service, "port", None)
    return f"{getattr(service, 'host', '')}{f':{port}' if port else ''}"


def _kind(event: NotifyEvent) -> str:
    if event in _GOOD:
        return "success"
    return "info" if event in _INFORMATION else "warning"
