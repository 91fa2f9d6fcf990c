"""Carry out the actions of a decision, one write each."""

from viridian.api.names import Color
from viridian.api.revision import Revision, RevisionInput
from viridian.controller.cache.models import Model
from viridian.controller.children.adoption import claim
from viridian.controller.children.writes import delete, write
from viridian.controller.routing.router import Site, Split
from viridian.controller.routing.routers import ROUTERS, router_of
from viridian.controller.routing.timeouts import route_timeout
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict
from viridian.kube.resources import (
    AUTOSCALER,
    BUDGET,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    JOB,
    SERVICE,
    Kind,
)
from viridian.rollout.observed import Autoscaler
from viridian.rollout.planning.actions import (
    Action,
    ApplyAutoscaler,
    ApplyBudget,
    ApplyColor,
    ApplyColorService,
    ApplyLiveSettings,
    EndCheck,
    FollowTraffic,
    LookAtKept,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RemoveAutoscaler,
    RemoveRoute,
    RestoreRevision,
    RunCheck,
    StoreRevision,
)
from viridian.workloads.checks import build_check_job
from viridian.workloads.deployments import build_deployment
from viridian.workloads.kept import build_kept_job
from viridian.workloads.live_settings import build_live_settings
from viridian.workloads.pod import PodDefaults, build_pod_template
from viridian.workloads.revisions import build_controller_revision
from viridian.workloads.scaling import build_autoscaler, build_budget
from viridian.workloads.services import build_color_service, build_stable_service

from .children import Children


class Applier:
    """Writes for one model, over the children that were just observed."""

    def __init__(
        self,
        client: KubeClient,
        defaults: PodDefaults,
        model: Model,
        children: Children,
        revisions: dict[str, Revision],
        epoch: str,
    ) -> None:
        """Remember what the writes are made over, so that each lands only on what was read; `epoch` is our term."""
        self._client, self._defaults, self._model, self._children = client, defaults, model, children
        self._revisions, self._epoch = revisions, epoch
        self._site = Site(client, model, epoch)

    async def apply(self, action: Action) -> None:
        """Make the one write of an action.

        Raises:
            Conflict: the object changed since it was read.
            ForeignChild: the name of a revision is taken.
            KubeError: the API refuses or does not answer.
        """
        match action:
            case StoreRevision(name, number):
                await self._store(name, number)
            case RestoreRevision(name):
                await self._keep(self._revisions[name])
            case ApplyColor(color, revision, replicas):
                await self._apply_color(color, revision, replicas)
            case ApplyColorService() | PointStableService() | ApplyLiveSettings():
                await self._tell(action)
            case MoveWeights(weights, pins, aborted, shadow):
                await self._move(Split(dict(weights), dict(pins), self._timeout, aborted, shadow))
            case ApplyBudget() | ApplyAutoscaler() | RemoveAutoscaler():
                await self._scale(action)
            case FollowTraffic() | RemoveRoute():
                await self._follow(action)
            case RunCheck() | EndCheck() | LookAtKept():
                await self._check(action)
            case PruneRevision(name):
                await delete(self._client, CONTROLLER_REVISION, self._children.revisions[name], self._epoch)

    async def _store(self, name: str, number: int) -> None:
        model = self._model
        wanted = RevisionInput.of(model.spec)
        template = build_pod_template(model.owner.name, name, wanted, self._defaults)
        revision = Revision(name, number, wanted, template)
        await self._keep(revision)
        self._revisions[name] = revision

    async def _keep(self, revision: Revision) -> None:
        manifest = build_controller_revision(self._model.owner, revision)
        try:
            await self._client.create(CONTROLLER_REVISION, manifest, frozen=True)
        except Conflict:
            # Revisions are found by their labels, so a stranger's of that name has not been seen before.
            there = await self._client.get(CONTROLLER_REVISION, self._model.owner.namespace, revision.name)
            if there is not None:
                await claim(self._client, CONTROLLER_REVISION, there, self._model)
            raise

    async def _apply_color(self, color: Color, name: str, replicas: int) -> None:
        manifest = build_deployment(self._model.owner, color, self._revisions[name], replicas)
        await self._write(DEPLOYMENT, manifest, self._children.deployments.get(color))

    async def _tell(self, action: ApplyColorService | PointStableService | ApplyLiveSettings) -> None:
        owner, children = self._model.owner, self._children
        match action:
            case ApplyColorService(color):
                await self._write(SERVICE, build_color_service(owner, color), children.services.get(color))
            case PointStableService(color):
                await self._write(SERVICE, build_stable_service(owner, color), children.carriers.get(SERVICE))
            case ApplyLiveSettings():
                wanted = build_live_settings(owner, self._model.spec)
                await self._write(CONFIG_MAP, wanted, children.live_settings)

    async def _check(self, action: RunCheck | EndCheck | LookAtKept) -> None:
        model = self._model
        if isinstance(action, LookAtKept):
            wanted = build_kept_job(model.owner, self._revisions[action.revision], action.look)
            await self._write(JOB, wanted, None)
            return
        if isinstance(action, EndCheck):
            await delete(self._client, JOB, self._children.checks[action.name], self._epoch)
            return
        revision, has_stable = self._revisions[action.revision], model.status.stable is not None
        wanted = build_check_job(model.owner, action.color, revision, action.name, model.spec, has_stable=has_stable)
        await self._write(JOB, wanted, None)

    async def _scale(self, action: ApplyBudget | ApplyAutoscaler | RemoveAutoscaler) -> None:
        owner, live = self._model.owner, self._children.autoscalers.get(action.color)
        match action:
            case ApplyBudget(color):
                await self._write(BUDGET, build_budget(owner, color), self._children.budgets.get(color))
            case ApplyAutoscaler(color, Autoscaler(fewest, most, cpu)):
                wanted = build_autoscaler(owner, color, fewest=fewest, most=most, cpu_percent=cpu)
                await self._write(AUTOSCALER, wanted, live)
            case RemoveAutoscaler():
                if live is not None:
                    await delete(self._client, AUTOSCALER, live, self._epoch)

    @property
    def _timeout(self) -> str:
        return route_timeout(self._model, self._revisions)

    async def _move(self, split: Split) -> None:
        router = router_of(self._model.spec)
        await router.move(self._site, self._children.carriers.get(router.kind), split)

    async def _follow(self, action: FollowTraffic | RemoveRoute) -> None:
        if isinstance(action, RemoveRoute):
            await self._remove_strays()
            return
        router = router_of(self._model.spec)
        live = self._children.carriers.get(router.kind)
        if live is not None:
            await router.follow(self._site, live, dict(action.pins), self._timeout)

    async def _remove_strays(self) -> None:
        """Delete what carried the traffic before the spec named something else."""
        ours = router_of(self._model.spec)
        for router in ROUTERS:
            live = self._children.carriers.get(router.kind)
            if router is not ours and router.is_dedicated and live is not None:
                await delete(self._client, router.kind, live, self._epoch)

    async def _write(self, kind: Kind, manifest: Manifest, live: Manifest | None) -> None:
        await write(self._client, kind, manifest, live, self._epoch)
