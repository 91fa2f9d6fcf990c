"""Read what there is of a drill: the twin, the Job that sends it requests, and whether there is room for them."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from viridian.api.drill import drilled_model
from viridian.api.errors import InvalidSpec
from viridian.api.names import LABEL_DRILL_OF, LABEL_MODEL
from viridian.api.quantities import parse_percent
from viridian.api.revision import Revision
from viridian.api.status import CheckResult, DrillStage, Phase
from viridian.controller.cache.models import Model, Models
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import KubeError
from viridian.kube.resources import JOB, MODEL_DEPLOYMENT, POD, QUOTA
from viridian.metrics.incidents import Incidents
from viridian.rollout.drills.room import missing_room
from viridian.rollout.drills.schedule import wait_for_drill
from viridian.rollout.drills.seen import DrillView, Preflight, TrafficReport, TrafficState, TrafficView, TwinView
from viridian.workloads.drills import TRAFFIC_CONTAINER, twin_name
from viridian_shared.objectives import DEFAULT_AVAILABILITY

from .pods import read_pods

LOG = logging.getLogger(__name__)

_OLD_IMAGE: Final = "; a serving image that is older than drills has no command viridian-traffic"


@dataclass(frozen=True)
class SeenDrill:
    """What was seen, and the twin as it was read, over which it is written."""

    view: DrillView
    twin: Manifest | None = None


class DrillReader:
    """Reads drills. A model that has nothing to do with one costs a look into the cache."""

    def __init__(self, client: KubeClient, models: Models, incidents: Incidents | None) -> None:
        """Read through `client`; without `incidents`, none is known of."""
        self._client, self._models, self._incidents = client, models, incidents

    async def read(self, model: Model, revisions: Mapping[str, Revision], refused: str, now: datetime) -> SeenDrill:
        """Look at everything that a decision on a model's drills needs.

        Args:
            model: the model as it was last seen.
            revisions: its stored revisions.
            refused: why the API server refused the last write of the drill; empty where it did not.
            now: the time, with a zone.

        Raises:
            KubeError: the API does not answer.
        """
        if model.is_twin:
            return SeenDrill(DrillView(is_twin=True))
        namespace, name = model.key[0], twin_name(model.key[1])
        drill, cached = model.status.drill, self._models.get((namespace, name))
        wait = wait_for_drill(drill, now)
        idle = wait is None or wait.total_seconds() > 0
        if idle and (cached is None or not _is_twin_of(cached.manifest, model)):
            return SeenDrill(DrillView())
        live = await self._client.get(MODEL_DEPLOYMENT, namespace, name)
        twin = live if live is not None and _is_twin_of(live, model) else None
        run = drill.running if drill is not None else None
        view = DrillView(refused=refused, twin=_twin(twin) if twin is not None else None)
        if run is None:
            view = replace(
                view, preflight=None if idle else await self._preflight(model, revisions, _stranger(live, twin))
            )
        elif run.stage is DrillStage.CLEANING:
            view = replace(view, left=twin is None and await self._has_pods(namespace, name))
        elif twin is None:
            view = replace(view, refused=refused or _stranger(live, twin))
        else:
            view = replace(view, traffic=await self._traffic(namespace, name, now))
        return SeenDrill(view, twin)

    async def _has_pods(self, namespace: str, twin: str) -> bool:
        return bool(await self._client.find(POD, namespace, {LABEL_MODEL: twin}))

    async def _preflight(self, model: Model, revisions: Mapping[str, Revision], taken: str) -> Preflight:
        stable = model.status.stable
        revision = revisions.get(stable.revision) if stable is not None else None
        room = missing_room(await self._quotas(model.key[0]), revision.template) if revision is not None else ""
        objectives = model.spec.objectives
        kept = parse_percent(objectives.availability) if objectives is not None else DEFAULT_AVAILABILITY
        incident = await self._incidents.open_incident(model.key, 1 - kept) if self._incidents is not None else ""
        return Preflight(incident, room, taken)

    async def _quotas(self, namespace: str) -> list[Manifest]:
        """The quotas; where they cannot be read, the twin finds out."""
        try:
            return await self._client.find(QUOTA, namespace)
        except KubeError as error:
            if error.status != 403:
                raise
            LOG.warning(
                "the quotas of namespace %s cannot be read, so a drill does not ask for room: %s", namespace, error
            )
            return []

    async def _traffic(self, namespace: str, twin: str, now: datetime) -> TrafficView | None:
        labels = {LABEL_DRILL_OF: twin}
        if not await self._client.find(JOB, namespace, labels):
            return None
        pods = await self._client.find(POD, namespace, labels)
        if not pods:
            return TrafficView(TrafficState.PENDING)
        container = _container(pods[-1])
        state = container.get("state") or {}
        if (ended := state.get("terminated")) is not None:
            return _ended(ended)
        if (running := state.get("running")) is not None:
            return TrafficView(TrafficState.RUNNING, since=datetime.fromisoformat(running["startedAt"]))
        troubles = [pod.trouble for pod in await read_pods(self._client, pods, now) if pod.trouble]
        return TrafficView(TrafficState.PENDING, troubles[0] if troubles else "")


def _is_twin_of(manifest: Manifest, model: Model) -> bool:
    named = drilled_model(manifest["metadata"]) == model.key[1]
    return named and model.reference_in(manifest) is not None


def _stranger(live: Manifest | None, twin: Manifest | None) -> str:
    if live is None or twin is not None:
        return ""
    name = live["metadata"]["name"]
    return f"there is a ModelDeployment {name} which is not this model's twin: give it another name, or delete it"


def _twin(manifest: Manifest) -> TwinView:
    twin = Model(manifest)
    going = twin.is_going
    try:
        status, spoiled = twin.status, twin.spec.serving.drill
    except InvalidSpec as error:
        return TwinView(Phase.PENDING, going=going, trouble=str(error))
    said = {condition.type: condition for condition in status.conditions}
    available, stalled = said.get("Available"), said.get("Stalled")
    ended = status.history[0] if status.history else None
    failed = [
        (check.started_at, check.ended_at)
        for check in status.checks
        if ended is not None and check.revision == ended.revision and check.result is CheckResult.FAILED
    ]
    return TwinView(
        phase=status.phase if status.observed_generation == twin.generation else Phase.PENDING,
        available=available is not None and available.status == "True",
        spoiled=spoiled.kind if spoiled is not None else None,
        going=going,
        trouble=stalled.message if stalled is not None and stalled.status == "True" else "",
        ended=ended,
        checked=next(((begun, end) for begun, end in failed if end is not None), None),
    )


def _container(pod: Manifest) -> dict[str, Any]:
    found = (pod.get("status") or {}).get("containerStatuses") or []
    return next((each for each in found if each["name"] == TRAFFIC_CONTAINER), {})


def _ended(ended: Mapping[str, Any]) -> TrafficView:
    said = str(ended.get("message", "")).strip()
    if ended.get("exitCode", 0) != 0:
        why = said[-1024:] or f"its container ended with exit code {ended.get('exitCode')}"
        return TrafficView(TrafficState.FAILED, f"{why}{_OLD_IMAGE if ended.get('reason') == 'StartError' else ''}")
    try:
        return TrafficView(TrafficState.DONE, report=_report(json.loads(said)))
    except (ValueError, KeyError, TypeError) as error:
        return TrafficView(TrafficState.FAILED, f"its report cannot be read ({error}): {said[:200]}")


def _report(told: Mapping[str, Any]) -> TrafficReport:
    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(told[name]) if name in told else None

    return TrafficReport(
        requests=int(told["requests"]),
        failed=int(told["failed"]),
        first_failure_at=moment("firstFailureAt"),
        last_failure_at=moment("lastFailureAt"),
        example=str(told.get("example", "")),
    )
