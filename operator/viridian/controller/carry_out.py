"""Carry out the actions of a decision, one write each."""

from viridian.api.names import Color
from viridian.api.revision import Revision, RevisionInput
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import CONTROLLER_REVISION, DEPLOYMENT, SERVICE, Kind
from viridian.rollout.actions import (
    Action,
    ApplyColor,
    ApplyColorService,
    FollowTraffic,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RestoreRevision,
    StoreRevision,
)
from viridian.workloads.deployments import build_deployment
from viridian.workloads.pod import PodDefaults, build_pod_template
from viridian.workloads.revisions import build_controller_revision
from viridian.workloads.services import build_color_service, build_stable_service

from . import router
from .models import Model
from .observe import Children


class Hands:
    """Writes for one model, over the children that were just observed."""

    def __init__(
        self,
        client: KubeClient,
        defaults: PodDefaults,
        model: Model,
        children: Children,
        revisions: dict[str, Revision],
    ) -> None:
        """Remember what the writes are made over, so that each lands only on what was read."""
        self._client, self._defaults, self._model, self._children = client, defaults, model, children
        self._revisions = revisions

    async def carry_out(self, action: Action) -> None:
        """Make the one write of an action.

        Raises:
            Conflict: the object changed since it was read.
            KubeError: the API refuses or does not answer.
        """
        match action:
            case StoreRevision(name, number):
                await self._store(name, number)
            case RestoreRevision(name):
                manifest = build_controller_revision(self._model.owner, self._revisions[name])
                await self._client.create(CONTROLLER_REVISION, manifest)
            case ApplyColor(color, revision, replicas):
                await self._apply_color(color, revision, replicas)
            case ApplyColorService(color):
                await self._write(
                    SERVICE, build_color_service(self._model.owner, color), self._children.services.get(color)
                )
            case PointStableService(color):
                await self._write(
                    SERVICE, build_stable_service(self._model.owner, color), self._children.services.get(None)
                )
            case MoveWeights(weights, aborted):
                await self._move(dict(weights), aborted)
            case FollowTraffic():
                if self._children.route is not None:
                    await router.follow(self._client, self._model, self._children.route)
            case PruneRevision(name):
                uid = self._children.revisions[name]["metadata"]["uid"]
                await self._client.delete(CONTROLLER_REVISION, self._model.owner.namespace, name, uid)

    async def _store(self, name: str, number: int) -> None:
        model = self._model
        wanted = RevisionInput.of(model.spec)
        template = build_pod_template(model.owner.name, name, wanted, self._defaults)
        revision = Revision(name, number, wanted, template)
        await self._client.create(CONTROLLER_REVISION, build_controller_revision(model.owner, revision))
        self._revisions[name] = revision

    async def _apply_color(self, color: Color, name: str, replicas: int) -> None:
        manifest = build_deployment(self._model.owner, color, self._revisions[name], replicas)
        await self._write(DEPLOYMENT, manifest, self._children.deployments.get(color))

    async def _move(self, weights: dict[Color, int], aborted: str | None) -> None:
        route = self._children.route
        if route is None:
            await router.create(self._client, self._model, weights)
        else:
            await router.move(self._client, self._model, route, weights, aborted)

    async def _write(self, kind: Kind, manifest: Manifest, live: Manifest | None) -> None:
        """Apply over what was read; where there was nothing, without force, so as to take over no stranger's object."""
        if live is not None:
            manifest["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        await self._client.apply(kind, manifest, force=live is not None)
