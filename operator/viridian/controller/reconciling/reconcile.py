"""One pass over one model: observe, decide, apply."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from viridian.api.errors import ViridianError
from viridian.api.model_key import ModelKey
from viridian.api.status import ModelDeploymentStatus
from viridian.api.status.changes import evolve
from viridian.api.unknown import unknown_fields
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Model, Models
from viridian.controller.cache.rest import is_at_rest
from viridian.controller.children.drift import Drift
from viridian.controller.children.pods import find_pods
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.kube.client import KubeClient
from viridian.kube.errors import Conflict, KubeError, Refused
from viridian.kube.resources import MODEL_DEPLOYMENT
from viridian.rollout.conditions import with_problem
from viridian.rollout.decide import Decision, decide, is_worth_writing
from viridian.rollout.drills.schedule import wait_for_drill
from viridian.rollout.kept import wait_for_kept
from viridian.rollout.observed import ApplyFailure, Pod, Settings
from viridian.rollout.planning.actions import MoveWeights
from viridian.rollout.reporting.notices import notices
from viridian.workloads.pod import PodDefaults

from .applier import Applier
from .drills import Drills
from .events import Recorder
from .failures import FailureTracker
from .fence import Fence
from .observe import observe

LOG = logging.getLogger(__name__)

Turned = Callable[[Model, ModelDeploymentStatus, ModelDeploymentStatus], None]
"""Called when a status was written: with the model, and the status before and after. It must neither wait nor raise."""

Saw = Callable[[ModelKey, tuple[Pod, ...]], None]
"""Called with a model's pods as a pass saw them, and with none once it is at rest. It must neither wait nor raise."""

PAUSE = timedelta(milliseconds=200)
"""Before a model is looked at again after a conflict: somebody is busy with the same object."""
POLL_AFTER = timedelta(seconds=5)
"""Before a model is looked at again that waits for something which may come without an event."""


class Reconciler:
    """Brings models one move nearer to what their users asked for."""

    def __init__(
        self,
        client: KubeClient,
        models: Models,
        deployments: Deployments,
        drift: Drift,
        monitor: GuardMonitor,
        pods: OwnPods,
        recorder: Recorder,
        defaults: PodDefaults,
        settings: Settings,
        fence: Fence,
        drills: Drills,
        turned: Turned = lambda _model, _before, _after: None,
        saw: Saw = lambda _key, _pods: None,
    ) -> None:
        """Join the parts that a pass needs."""
        self._turned, self._saw, self._drills = turned, saw, drills
        self._client, self._models, self._monitor, self._pods = client, models, monitor, pods
        self._deployments, self._drift = deployments, drift
        self._recorder, self._defaults, self._fence = recorder, defaults, fence
        self._settings = settings
        self._written: dict[ModelKey, datetime] = {}
        self._failures = FailureTracker()

    async def reconcile(self, key: ModelKey) -> timedelta | None:
        """Look at a model and make the next move.

        Returns:
            When to look again without an event; None when an event or the ticker will tell.

        Raises:
            KubeError: the API refuses or does not answer; the pass is to be tried again.
        """
        model = self._models.get(key)
        if model is None or model.is_going:
            self._forget(key)
            self._written.pop(key, None)
            return None
        try:
            if not self._models.is_dirty(key) and is_at_rest(model, self._deployments.of(key)):
                now = datetime.now(UTC)
                wait = _soonest(wait_for_kept(model.status.kept, now), wait_for_drill(model.status.drill, now))
                if wait is None or wait > timedelta(0):
                    self._forget(key)
                    return wait
            return await self._move(model)
        except Conflict as conflict:
            LOG.info("%s/%s: %s; looking again", *key, conflict)
            return await self._look_again(key)
        except (ViridianError, ValueError, Refused) as error:
            return await self._record_failure(self._models.get(key) or model, error)
        except KubeError as error:
            if error.status == 404 and await self._is_gone(model):
                return timedelta(0)
            self._failures.record_api_error(
                key, ApplyFailure(type(error).__name__, str(error)), model.generation, datetime.now(UTC)
            )
            raise

    def _forget(self, key: ModelKey) -> None:
        """The model is at rest or gone: nothing about its way there is needed any more."""
        self._monitor.forget(key)
        self._pods.forget(key)
        self._saw(key, ())
        self._failures.forget(key)
        self._drills.forget(key)

    async def _move(self, model: Model) -> timedelta | None:
        if model.is_moving:
            model = await self._fence.ensure(model)
        now = datetime.now(UTC)
        before = model.status
        if not self._pods.knows(model.key):
            # Guards wait for this, and must not for whatever else may be wrong with the children.
            self._pods.note(model.key, await find_pods(self._client, model.key, now), now)
        mark = self._models.mark_dirty(model.key)
        self._monitor.sync_session(model.key, before, now)
        evidence, taken = self._monitor.evidence(model.key), self._models.taken(model.key)
        failure = self._failures.of(model.key)
        children, observed = await observe(self._client, model, evidence, self._drift, taken, failure, now=now)
        drill = await self._drills.read(model, observed.revisions, now)
        observed = replace(observed, drill=drill.view)
        pods = tuple(pod for color in observed.colors.values() for pod in color.pods)
        self._pods.note(model.key, pods, now)
        self._saw(model.key, pods)
        decision = decide(model.owner.name, model.spec, before, observed, self._settings, now)
        writes = decision.actions or decision.drill
        if not self._fence.holds(model) and (writes or self._is_news(model, before, decision.status, now)):
            await self._fence.ensure(model)
            return timedelta(0)  # what was decided on was read before the fence
        applier = Applier(self._client, self._defaults, model, children, dict(observed.revisions), self._fence.epoch)
        for move in _weights(decision) if decision.route_first else ():
            await applier.apply(move)
        model = await self._write(model, before, decision.status, now)
        await self._warn(model, decision.warning, is_new=before.observed_generation != model.generation)
        if not decision.route_first and (pause := self._failures.pause(model.key, decision.actions, now)) is not None:
            return pause
        for action in decision.actions:
            if not (decision.route_first and isinstance(action, MoveWeights)):
                await applier.apply(action)
        cleared = self._failures.clear(model.key, model.owner.name, decision.actions)
        if decision.drill:
            done = await self._drills.apply(model, decision.drill, observed.revisions, drill.twin, self._fence.epoch)
            return timedelta(0) if done else POLL_AFTER
        if cleared or decision.actions or decision.status.phase != before.phase:
            return timedelta(0)
        self._models.mark_clean(model.key, mark)
        return self._next_look(model, now)

    def _next_look(self, model: Model, now: datetime) -> timedelta | None:
        """When to look again at a model for which nothing was to be done."""
        if not model.is_moving and not is_at_rest(model, self._deployments.of(model.key)):
            return POLL_AFTER
        kept = wait_for_kept(model.status.kept, now)
        return _soonest(POLL_AFTER if kept == timedelta(0) else kept, self._drills.wait(model, now))

    async def _warn(self, model: Model, refusal: str | None, *, is_new: bool) -> None:
        """Tell of a command that is not obeyed, and once for each spec of fields that the API server has dropped."""
        if refusal is not None:
            await self._recorder.warn(model, "CommandRefused", refusal)
        # kubectl refuses fields that do not exist; other clients do not.
        if is_new and (unknown := unknown_fields(model.annotations)):
            text = f"{', '.join(unknown)}: no such field, so it was ignored; see kubectl explain mdep.spec"
            await self._recorder.warn(model, "UnknownField", text)

    async def _write(
        self, model: Model, before: ModelDeploymentStatus, after: ModelDeploymentStatus, now: datetime
    ) -> Model:
        """Write the status if that says anything new; tell of turns by Events afterwards."""
        if not self._is_news(model, before, after, now):
            return model
        written = await self._put(model, after)
        self._written[model.key] = now
        self._turned(written, before, after)
        for notice in notices(before, after):
            await self._recorder.record(model, notice)
        return written

    def _is_news(
        self, model: Model, before: ModelDeploymentStatus, after: ModelDeploymentStatus, now: datetime
    ) -> bool:
        last = self._written.get(model.key, datetime.min.replace(tzinfo=UTC))
        return is_worth_writing(before, after, now - last)

    async def _put(self, model: Model, status: ModelDeploymentStatus) -> Model:
        """Write a status over the model as it was read, with the mark of our term, which says that it is fenced."""
        epoch = self._fence.epoch if self._fence.holds(model) else status.epoch
        marked = evolve(status, epoch=epoch)
        manifest = {**model.manifest, "status": marked.manifest()}
        return self._models.see(await self._client.replace_status(MODEL_DEPLOYMENT, manifest))

    async def _record_failure(self, model: Model, error: Exception) -> timedelta:
        """Say what keeps a model from being looked after, and when to try again."""
        LOG.warning("%s/%s: %s", *model.key, error)
        now, failure = datetime.now(UTC), ApplyFailure(type(error).__name__, str(error))
        if self._failures.is_news(model.key, failure, model.generation, now):
            await self._tell(model, failure, now)
        return self._failures.record(model.key, failure, model.generation, now)

    async def _tell(self, model: Model, failure: ApplyFailure, now: datetime) -> None:
        """Say it in the conditions; nothing else of the status changes."""
        before = _readable_status(model)
        after = with_problem(before, failure.reason, failure.message, model.generation, now)
        if after != before:
            status = {**(model.manifest.get("status") or {}), "conditions": after.manifest()["conditions"]}
            manifest = {**model.manifest, "status": status}
            written = self._models.see(await self._client.replace_status(MODEL_DEPLOYMENT, manifest))
            self._turned(written, before, after)
            await self._recorder.warn(model, failure.reason, failure.message)

    async def _look_again(self, key: ModelKey) -> timedelta:
        """After a conflict what we know of the model itself may be old."""
        model = self._models.get(key)
        if model is not None and not await self._is_gone(model):
            return PAUSE
        return timedelta(0)

    async def _is_gone(self, model: Model) -> bool:
        """Look at a model itself; one that was deleted without an event is forgotten."""
        live = await self._client.get(MODEL_DEPLOYMENT, *model.key)
        if live is None:
            self._models.forget(model.key, model.owner.uid)
            return True
        self._models.see(live)
        return False


def _weights(decision: Decision) -> list[MoveWeights]:
    return [action for action in decision.actions if isinstance(action, MoveWeights)]


def _readable_status(model: Model) -> ModelDeploymentStatus:
    """The status, or its conditions alone where the rest cannot be read: a newer operator may know what it means."""
    try:
        return model.status
    except ViridianError:
        told = (model.manifest.get("status") or {}).get("conditions", [])
    try:
        return ModelDeploymentStatus.model_validate({"conditions": told})
    except ValidationError:
        return ModelDeploymentStatus()


def _soonest(*waits: timedelta | None) -> timedelta | None:
    """The shortest of some waits, of which None is for ever."""
    return min((wait for wait in waits if wait is not None), default=None)
