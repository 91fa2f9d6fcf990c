"""The drills of all models: reads and writes what there is of them, apart from what serves users.

A write that the API server refuses is no failure of the model: it ends the drill, which says so.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from viridian.api.drill import Misbehavior
from viridian.api.model_key import ModelKey
from viridian.api.revision import Revision
from viridian.controller.cache.models import Model, Models
from viridian.controller.children.drill import DrillReader, SeenDrill
from viridian.controller.children.writes import delete, write
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict, Refused
from viridian.kube.resources import JOB, MODEL_DEPLOYMENT
from viridian.metrics.incidents import Incidents
from viridian.rollout.drills import limits
from viridian.rollout.drills.actions import DrillAction, MakeTwin, RemoveTwin, SendTraffic, SpoilTwin
from viridian.rollout.drills.schedule import RETRY, wait_for_drill
from viridian.workloads.drills import build_traffic_job, build_twin
from viridian.workloads.owner import Owner
from viridian_shared.drill import DrillKind
from viridian_shared.durations import format_duration

LOG = logging.getLogger(__name__)

POLL: Final = timedelta(seconds=1)
"""Between two looks at a drill that runs."""


class Drills:
    """Carries out drills, one step a pass."""

    def __init__(self, client: KubeClient, models: Models, incidents: Incidents | None = None) -> None:
        """Read and write through `client`; `incidents` tells whether one is open."""
        self._client = client
        self._reader = DrillReader(client, models, incidents)
        self._refused: dict[ModelKey, str] = {}

    async def read(self, model: Model, revisions: Mapping[str, Revision], now: datetime) -> SeenDrill:
        """Look at what there is of a model's drills; see `DrillReader.read`."""
        return await self._reader.read(model, revisions, self._refused.pop(model.key, ""), now)

    async def apply(
        self,
        model: Model,
        actions: Iterable[DrillAction],
        revisions: Mapping[str, Revision],
        twin: Manifest | None,
        epoch: str,
    ) -> bool:
        """Carry out the writes of a drill; whether the API server accepted them.

        Args:
            model: whose drill it is.
            actions: what to write.
            revisions: the model's stored revisions.
            twin: as it was read.
            epoch: our term, with which writes are marked.

        Raises:
            Conflict: somebody was faster.
            KubeError: the API does not answer.
        """
        for action in actions:
            try:
                await self._apply(model, action, revisions, twin, epoch)
            except Conflict:
                raise
            except Refused as error:
                LOG.warning("%s/%s: a write of the drill was refused: %s", *model.key, error)
                hint = "; the chart value drills.enabled gives the operator the rights" if error.status == 403 else ""
                self._refused[model.key] = f"the API server refuses a write of the drill: {error}{hint}"
        return model.key not in self._refused

    def wait(self, model: Model, now: datetime) -> timedelta | None:
        """Return when to look at a model's drills again; None where no time is set."""
        drill = model.status.drill
        if drill is not None and (drill.running is not None or drill.requested is not None):
            return POLL
        wait = wait_for_drill(drill, now)
        return None if wait is None else max(wait, RETRY)

    def forget(self, key: ModelKey) -> None:
        """The model is at rest or gone."""
        self._refused.pop(key, None)

    async def _apply(
        self,
        model: Model,
        action: DrillAction,
        revisions: Mapping[str, Revision],
        twin: Manifest | None,
        epoch: str,
    ) -> None:
        match action:
            case MakeTwin(revision):
                wanted = build_twin(model.owner, revisions[revision], model.spec, None)
                await write(self._client, MODEL_DEPLOYMENT, wanted, None, epoch)
            case SpoilTwin(revision, kind) if twin is not None:
                wanted = build_twin(model.owner, revisions[revision], model.spec, _misbehavior(model, kind))
                await write(self._client, MODEL_DEPLOYMENT, wanted, twin, epoch)
            case SendTraffic(revision, kind) if twin is not None:
                metadata = twin["metadata"]
                owner = Owner(metadata["name"], metadata["namespace"], metadata["uid"])
                quiet, longest = limits.quiet(kind).total_seconds(), limits.longest(model.spec).total_seconds()
                job = build_traffic_job(owner, revisions[revision], model.spec, quiet=quiet, longest=longest)
                await write(self._client, JOB, job, None, epoch)
            case RemoveTwin() if twin is not None:
                await delete(self._client, MODEL_DEPLOYMENT, twin, epoch)


def _misbehavior(model: Model, kind: DrillKind) -> Misbehavior:
    late = kind is DrillKind.SLOW
    return Misbehavior(kind=kind, delay=format_duration(limits.delay(model.spec)) if late else None)
