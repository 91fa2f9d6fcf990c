"""Kubernetes Events: the rollout told in `kubectl describe`."""

import logging
from datetime import UTC, datetime
from uuid import uuid4

from viridian.api.names import API_VERSION, FIELD_MANAGER, KIND
from viridian.controller.cache.models import Model
from viridian.kube.client import KubeClient
from viridian.kube.errors import KubeError
from viridian.kube.resources import EVENT
from viridian.rollout.reporting.notices import Notice

LOG = logging.getLogger(__name__)


class Recorder:
    """Writes Events. One that cannot be written is logged and never holds up a rollout."""

    def __init__(self, client: KubeClient) -> None:
        """Write through `client`."""
        self._client = client

    async def warn(self, model: Model, reason: str, message: str) -> None:
        """Record something for people to look at."""
        await self.record(model, Notice(reason, message, warning=True))

    async def record(self, model: Model, notice: Notice) -> None:
        """Record one turn of a rollout."""
        owner, now = model.owner, datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        LOG.log(
            logging.WARNING if notice.warning else logging.INFO,
            "%s/%s: %s: %s",
            owner.namespace,
            owner.name,
            notice.reason,
            notice.message,
        )
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{owner.name}.{uuid4().hex[:16]}", "namespace": owner.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": owner.name,
                "namespace": owner.namespace,
                "uid": owner.uid,
            },
            "type": "Warning" if notice.warning else "Normal",
            "reason": notice.reason,
            "message": notice.message[:1000],
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._client.create(EVENT, event)
        except KubeError as error:
            LOG.warning("an Event for %s/%s was lost: %s", owner.namespace, owner.name, error)
