"""The fence around a model: what an earlier leader has read and not yet written must not land.

Looking at the lease before a write is not enough, since a process can stop for a minute between the look and the write.
But every write holds only on what was read. So a new leader changes all that an earlier one may have read of a model,
before its own first write there.
"""

import logging

from viridian.api.names import LABEL_MODEL, Color, color_name
from viridian.controller.cache.live import read_live
from viridian.controller.cache.models import Model, Models
from viridian.controller.routing.router import Site
from viridian.controller.routing.routers import ROUTERS
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict
from viridian.kube.resources import AUTOSCALER, DEPLOYMENT, MODEL_DEPLOYMENT, Kind
from viridian.workloads.owner import stamp

LOG = logging.getLogger(__name__)

TRIES = 5
"""How often a write of the fence is made over a fresh look before the whole pass is."""


class Fence:
    """Fences models for one term of leadership."""

    def __init__(self, client: KubeClient, models: Models, epoch: str) -> None:
        """Write through `client`; `epoch` is the name of the term."""
        self._client, self._models, self.epoch = client, models, epoch

    def holds(self, model: Model) -> bool:
        """Whether a model is fenced. One that no leader has ever written anything about needs no fence."""
        status = model.manifest.get("status") or {}
        return not status or status.get("epoch") == self.epoch

    async def ensure(self, model: Model) -> Model:
        """Fence a model unless that is done; the status is last, since it says so.

        Returns:
            The model as it is then.

        Raises:
            Conflict: others write faster than we read.
            KubeError: the API refuses or does not answer.
        """
        if self.holds(model):
            return model
        for _ in range(TRIES - 1):
            try:
                return await self._pass(model)
            except Conflict as conflict:
                LOG.debug("%s/%s: %s; fencing it once more", *model.key, conflict)
        return await self._pass(model)

    async def _pass(self, model: Model) -> Model:
        namespace, name = model.key
        for router in ROUTERS:
            live = await self._client.get(router.kind, namespace, name)
            if live is not None and model.reference_in(live) is not None:
                await router.fence(Site(self._client, model, self.epoch), live)
        for color in Color:
            await self._mark(model, DEPLOYMENT, await self._client.get(DEPLOYMENT, namespace, color_name(name, color)))
        for scaler in await self._client.find(AUTOSCALER, namespace, {LABEL_MODEL: name}):
            await self._mark(model, AUTOSCALER, scaler)
        return await self._mark_status(model)

    async def _mark(self, model: Model, kind: Kind, live: Manifest | None) -> None:
        if live is not None and model.reference_in(live) is not None:
            await self._client.replace(kind, stamp(live, self.epoch))

    async def _mark_status(self, model: Model) -> Model:
        live = await read_live(self._client, model)
        manifest = {**live, "status": {**(live.get("status") or {}), "epoch": self.epoch}}
        return self._models.see(await self._client.replace_status(MODEL_DEPLOYMENT, manifest))
