"""A ticker over models, counters and routes that a test sets."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.controller.counters import INTERVAL, Fleet
from tests.controller.fakes import NAMESPACE, FakeApi, model, status

from viridian.api.model_key import ModelKey
from viridian.api.names import Color
from viridian.controller.cache.models import Model, Models
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.controller.guarding.ticker import Ticker
from viridian.controller.runtime.queue import WorkQueue
from viridian.kube.client import Manifest
from viridian.kube.resources import HTTP_ROUTE
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import Samples
from viridian.traffic.route import read_route

IRIS, WINE = ("default", "iris"), ("default", "wine")
ALL_STABLE = {Color.BLUE: 100, Color.GREEN: 0}
HALF = {Color.BLUE: 50, Color.GREEN: 50}
EPOCH = "3-0123abcd"


class FakePrometheus:
    """Has what the fleets have counted; a model in `forgotten` cannot be read as of an earlier moment."""

    def __init__(self) -> None:
        self.fleets: dict[ModelKey, Fleet] = {}
        self.forgotten: set[ModelKey] = set()
        self.trouble: Exception | None = None
        self.asked = 0

    async def read(
        self, keys: Iterable[ModelKey], bounds: Sequence[float], at: float | None = None, back: float = 0.0
    ) -> dict[ModelKey, Samples]:
        self.asked += 1
        wanted = set(keys)
        if self.trouble is not None:
            raise self.trouble
        if at is not None and wanted & self.forgotten:
            raise MetricsError("Prometheus has the counters of pod p1 of default/wine twice")
        return {key: self.fleets[key].samples for key in wanted if key in self.fleets}


class Journal(WorkQueue[ModelKey]):
    """The work queue, which also tells what was woken, and after how many writes."""

    def __init__(self, api: FakeApi) -> None:
        super().__init__()
        self._api = api
        self.woken: list[tuple[ModelKey, int]] = []

    def add(self, key: ModelKey) -> None:
        self.woken.append((key, len(self._api.writes)))
        super().add(key)


class Stage:
    """A ticker with all that it needs, and models with fleets that answer users."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self.api, self.prometheus, self.models = FakeApi(), FakePrometheus(), Models()
        self.monitor, self.queue = GuardMonitor(interval), Journal(self.api)
        self.pods = OwnPods(timedelta(seconds=interval))
        parts = (self.api, self.prometheus, self.models, self.monitor, self.pods, self.queue)
        self.ticker = Ticker(*parts, timedelta(seconds=interval), EPOCH)

    def roll(self, name: str = "iris", **parts: Any) -> Fleet:
        """A model in the middle of a rollout, half of its traffic on the candidate."""
        seen: Model = model(name, **{"status": status(name), **parts})
        self.models.see(seen.manifest)
        self.api.put_children(name, seen.owner, HALF)
        fleet = self.prometheus.fleets[seen.key] = Fleet(name, stamp=time.time())
        self.pods.note(seen.key, fleet.pods, datetime.now(UTC))
        return fleet

    async def tick(self) -> None:
        self.queue.woken.clear()
        await self.ticker.tick()

    async def turn_bad(self, *fleets: Fleet, ticks: int = 1) -> None:
        """A first look, and then ticks in which candidates fail all of their requests."""
        await self.tick()
        for _ in range(ticks):
            for fleet in fleets:
                fleet.serve(errors=100)
            await self.tick()

    def route(self, name: str = "iris") -> Manifest:
        return self.api.objects[HTTP_ROUTE, NAMESPACE, name]

    def gives(self, name: str = "iris") -> dict[Color, int]:
        (weights,) = read_route(name, self.route(name)).weights
        return dict(weights)
