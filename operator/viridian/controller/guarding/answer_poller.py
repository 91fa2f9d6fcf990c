"""Reads what moving models answer, apart from the ticker: a slow answer delays no guard and no rollback."""

import logging
from datetime import UTC, datetime, timedelta

from viridian.api.errors import InvalidSpec
from viridian.controller.cache.models import Models
from viridian.guards.answers.counters import AnswerSnapshot
from viridian.metrics.answers import AnswerReader
from viridian.metrics.connection import MetricsError

from .monitor import GuardMonitor
from .own_pods import OwnPods
from .polling import poll

LOG = logging.getLogger(__name__)

SHORTEST = timedelta(seconds=2)
"""Between two readings: answers are judged in blocks of half a minute and more, and shadow steps are reported."""


class AnswerPoller:
    """Keeps the guards on answers going, and the reports of shadow steps up to date."""

    def __init__(
        self, reader: AnswerReader, models: Models, monitor: GuardMonitor, pods: OwnPods, interval: timedelta
    ) -> None:
        """Join the parts; `interval` is the time between two scrapes."""
        self._reader, self._models, self._monitor, self._pods = reader, models, monitor, pods
        self._period = max(SHORTEST, interval)

    async def run(self) -> None:
        """Read until cancelled."""
        await poll(lambda: self.look(datetime.now(UTC)), self._period, "what models answer")

    async def look(self, now: datetime) -> None:
        """Read once, and judge every moving model by it."""
        moving = {model.key: model for model in self._models.moving() if self._pods.knows(model.key)}
        if not moving:
            return
        found = await self._reader.read(list(moving), now.timestamp())
        for key, snapshot in found.items():
            if isinstance(snapshot, MetricsError):
                LOG.info("%s/%s: its answers cannot be judged: %s", *key, snapshot)
                continue
            own = {uid: pod for uid, pod in snapshot.pods.items() if self._pods.runs(key, uid, pod.revision)}
            try:
                self._monitor.ingest_answers(key, moving[key].spec, AnswerSnapshot(snapshot.stamp, own), now)
            except (InvalidSpec, ValueError) as error:
                LOG.info("%s/%s: its answers cannot be judged: %s", *key, error)
