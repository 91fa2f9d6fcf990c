"""Notifies receivers of what was written into statuses."""

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp

from viridian.api.errors import ViridianError
from viridian.api.status import ModelDeploymentStatus
from viridian.controller.cache.models import Model, Models
from viridian.controller.runtime.jobs import run_until_cancelled
from viridian.controller.runtime.notification_settings import NotificationSettings
from viridian.kube.client import KubeClient
from viridian.kube.errors import KubeError, Refused
from viridian.kube.resources import SECRET
from viridian.rollout.reporting.notifications import Notification, news, notifications

from . import cloud_events
from .cost import RolloutCosts
from .delivery import Address, Delivery, Denied, Undeliverable, Undelivered
from .egress import check_host, check_scheme, host_of
from .ledger import Ledger
from .outbox import USEFUL, Outbox
from .services import Services

LOG = logging.getLogger(__name__)

LABEL = "viridian.dev/notifications"
"""Set to `true` on Secrets with addresses: no other is read."""
RETRY = 5.0
"""Seconds before the ledger is read again when that failed."""
Warn = Callable[[Model, str, str], Awaitable[None]]


class Notifier:
    """Turns of models on their way to receivers, for one term of leadership."""

    def __init__(
        self,
        client: KubeClient,
        models: Models,
        settings: NotificationSettings,
        environment: Mapping[str, str],
        place: tuple[str, str],
        warn: Warn,
        count: Callable[[str], None],
        costs: RolloutCosts | None = None,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            client: reads Secrets, and keeps the ledger.
            models: all models.
            settings: the chart's.
            environment: holds the addresses that the settings name by variables.
            place: namespace and name of the ledger's ConfigMap.
            warn: writes an Event.
            count: called with what became of a notification.
            costs: says what rollouts cost; None where there are no prices.
        """
        self._client, self._models, self._warn, self._costs = client, models, warn, costs
        self._allowed = tuple(settings.allowed_hosts)
        self._defaults = [
            (
                Address(
                    f"receiver {number} of the chart", each.url or environment.get(each.variable, ""), trusted=True
                ),
                frozenset(each.events),
            )
            for number, each in enumerate(settings.receivers, 1)
        ]
        self._ledger, self._services = Ledger(client, *place), Services(self._allowed)
        self._outbox = Outbox(self._deliver, self._settle, count)
        self._session: aiohttp.ClientSession | None = None

    def __len__(self) -> int:
        """Notifications that wait."""
        return len(self._outbox)

    def turned(self, model: Model, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> None:
        """A status was written: notify of what is new in it. It neither waits nor raises."""
        try:
            self._put(model, news(model.owner.uid, before, after))
        except Exception:  # a bug here must not keep a rollout from going on
            LOG.exception("%s/%s: nobody is notified of its turn", *model.key)

    async def run(self, known: asyncio.Event) -> None:
        """Deliver until cancelled; once all models are known, first what an earlier leader left undelivered."""
        # Environment variables name no proxy: a receiver is reached as the other parts of the cluster are.
        async with aiohttp.ClientSession() as session:
            self._session = session
            try:
                await run_until_cancelled({"ledger": self._ledger.run(), "earlier": self._earlier(known)})
            finally:
                await self._outbox.close()

    async def _earlier(self, known: asyncio.Event) -> None:
        await known.wait()
        while True:
            try:
                await self._ledger.load()
                break
            except KubeError as error:
                LOG.warning("what was notified of already cannot be read: %s; next try in %.0f s", error, RETRY)
                await asyncio.sleep(RETRY)
        for key in self._models:
            model = self._models.get(key)
            if model is not None:
                self._catch_up(model, datetime.now(UTC))
            await asyncio.sleep(0)  # many models hold up nothing else
        await asyncio.Event().wait()

    def _catch_up(self, model: Model, now: datetime) -> None:
        """Put what happened lately and was not settled."""
        if not self._defaults and not (model.manifest.get("spec") or {}).get("notify"):
            return
        try:
            found = notifications(model.owner.uid, model.status)
            self._put(model, [each for each in found if now - each.at < USEFUL])
        except ViridianError as error:
            LOG.debug("%s/%s: nobody is notified: %s", *model.key, error)

    def _put(self, model: Model, found: list[Notification]) -> None:
        if not found:
            return
        for notification in found:
            for address in self._addresses(model, notification):
                delivery = Delivery(notification, model.key, address)
                if delivery.id not in self._ledger:
                    self._outbox.put(delivery)

    def _addresses(self, model: Model, notification: Notification) -> Iterator[Address]:
        for address, events in self._defaults:
            if not events or notification.event in events:
                yield address
        try:
            receivers = model.spec.notify
        except ViridianError:
            return  # the status says what is wrong with the spec; the chart's receivers are told of that
        for number, receiver in enumerate(receivers):
            if receiver.wants(notification.event):
                secret = receiver.secret_ref.name if receiver.secret_ref is not None else ""
                yield Address(f"spec.notify[{number}]", receiver.url or "", model.key[0], secret)

    async def _deliver(self, delivery: Delivery) -> None:
        address = delivery.address
        url = (await self._read(address)).strip() if address.secret else address.url
        if not url:
            raise Undeliverable("it has no address")
        scheme = url.partition("://")[0].lower() if address.trusted else check_scheme(url, self._allowed)
        if scheme not in {"http", "https"}:
            await self._services.send(url, await self._with_cost(delivery))
            return
        if not address.trusted:
            check_host(host_of(url), self._allowed)
        if self._session is None:
            raise Undelivered("the operator is not ready to send")
        await cloud_events.send(self._session, url, await self._with_cost(delivery))

    async def _with_cost(self, delivery: Delivery) -> Delivery:
        if self._costs is None:
            return delivery
        cost = await self._costs.of(delivery.model, delivery.notification)
        return replace(delivery, notification=replace(delivery.notification, cost=cost))

    async def _read(self, address: Address) -> str:
        """The address in a Secret.

        Raises:
            Undelivered: the Secret is not there, or cannot be read now.
            Undeliverable: it is not meant for this, or the operator has no right to read it.
        """
        try:
            secret = await self._client.get(SECRET, address.namespace, address.secret)
        except Refused as error:
            raise Undeliverable(f"{error}: set the chart's notifications.readSecrets") from error
        except KubeError as error:
            raise Undelivered(str(error)) from error
        if secret is None:
            raise Undelivered(f"there is no Secret {address.secret}")
        if (secret["metadata"].get("labels") or {}).get(LABEL) != "true":
            raise Denied(f"Secret {address.secret} does not have the label {LABEL}: 'true'")
        try:
            return base64.b64decode((secret.get("data") or {})["url"], validate=True).decode()
        except (KeyError, binascii.Error, UnicodeDecodeError) as error:
            raise Undeliverable(f"Secret {address.secret} has no readable key url") from error

    async def _settle(self, delivery: Delivery, error: Undelivered | None) -> None:
        self._ledger.add(delivery.id)
        if error is None:
            return
        text = f"{delivery.notification.event} was not delivered to {delivery.address.label}: {error}"
        LOG.warning("%s/%s: %s", *delivery.model, text)
        model = self._models.get(delivery.model)
        if model is not None and not delivery.address.trusted:
            await self._warn(model, "NotificationFailed", text)
