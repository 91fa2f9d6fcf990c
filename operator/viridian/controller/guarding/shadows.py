"""Reads what stable's pods say of a candidate in its shadow steps, apart from the ticker: a report delays no guard."""

import logging
from datetime import timedelta

from viridian.api.errors import InvalidSpec
from viridian.controller.cache.models import Model, Models
from viridian.metrics.prometheus import Prometheus

from .monitor import GuardMonitor
from .polling import poll

LOG = logging.getLogger(__name__)

PERIOD = timedelta(seconds=2)
"""Between two looks."""


class ShadowPoller:
    """Keeps the reports of all models in a shadow step up to date."""

    def __init__(self, prometheus: Prometheus, models: Models, monitor: GuardMonitor) -> None:
        """Join the parts."""
        self._prometheus, self._models, self._monitor = prometheus, models, monitor

    async def run(self) -> None:
        """Look until cancelled."""
        await poll(self.look, PERIOD, "the reports of shadow steps")

    async def look(self) -> None:
        """Read the reports once.

        Raises:
            MetricsError: Prometheus does not answer, or not with counts.
        """
        candidates = {model.key: found for model in self._models.moving() if (found := _shadowed(model))}
        if not candidates:
            return
        for (key, candidate), report in (await self._prometheus.read_shadows(set(candidates))).items():
            if candidates[key] == candidate:
                self._monitor.note_shadow(key, candidate, report)


def _shadowed(model: Model) -> str:
    """The candidate's revision in a shadow step; empty outside of one."""
    try:
        step, candidate = model.status.step, model.status.candidate
    except InvalidSpec as error:  # its worker tells the user
        LOG.debug("%s/%s has no shadow step: %s", *model.key, error)
        return ""
    return candidate.revision if candidate is not None and step is not None and step.shadow else ""
