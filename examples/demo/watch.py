"""Watches the model and its route, notes what changes and when, and lets others await it."""

import asyncio
import time
from collections.abc import Callable

from .cluster import Cluster, http_routes, model_deployments
from .errors import DemoError
from .timeline import Status, Timeline, read_weights


class NotInTimeError(DemoError):
    """What was awaited did not happen before the deadline."""


class Watcher:
    """Keeps the timeline of one ModelDeployment."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.timeline = Timeline()
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._changed = asyncio.Condition()

    async def watch_model(self) -> None:
        """Note every change of the status; runs until cancelled."""
        async for deployment in self._cluster.follow(model_deployments(self._namespace), self._name):
            # The moment of arrival: the object's own timestamps are whole seconds.
            now = time.time()
            if deployment is not None:
                self.timeline.saw_status(now, Status.read(deployment))
                await self._tell()

    async def watch_route(self) -> None:
        """Note every change of the weights; runs until cancelled."""
        async for route in self._cluster.follow(http_routes(self._namespace), self._name):
            now = time.time()
            if route is not None:
                self.timeline.saw_weights(now, read_weights(route, self._name))
                await self._tell()

    async def until(self, happened: Callable[[Timeline], bool], seconds: float, what: str) -> None:
        """Await something in the timeline.

        Raises:
            NotInTimeError: it has not happened within this many seconds.
        """
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: happened(self.timeline))
        except TimeoutError as error:
            raise NotInTimeError(f"{what} has not happened within {seconds:.0f} s.") from error

    async def change(self, seconds: float) -> None:
        """Await the next change, but no longer than this."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()
        except TimeoutError:
            # Nothing changed; who asked wanted to know in time.
            return

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
