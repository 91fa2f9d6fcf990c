"""Reads what moving models answer, apart from the ticker: a slow answer delays no guard and no rollback."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from viridian.api.errors import InvalidSpec
from viridian.controller.cache.models import Models
from viridian.guards.answers.counters import AnswerSnapshot
from viridian.metrics.answers import AnswerReader
from viridian.metrics.connection import MetricsError

from .monitor import GuardMonitor
from .own_pods import OwnPods

LOG = logging.getLogger(__name__)

SHORTEST = timedelta(seconds=5)
"""Between two readings: answers are judged in blocks of half a minute and more."""


class AnswerPoller:
    """Keeps the guards on answers going."""

    def __init__(
        self, reader: AnswerReader, models: Models, monitor: GuardMonitor, pods: OwnPods, interval: timedelta
    ) -> None:
        """Join the parts; `interval` is the time between two scrapes."""
        self._reader, self._models, self._monitor, self._pods = reader, models, monitor, pods
        self._period = max(SHORTEST, interval).total_seconds()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except MetricsError as error:  # the ticker tells users of a Prometheus that does not answer
                LOG.debug("answers cannot be read: %s", error)
            except Exception:  # one bad look must not end all
                LOG.exception("reading answers failed; next try in %.0f s", self._period)
            await asyncio.sleep(self._period)

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
