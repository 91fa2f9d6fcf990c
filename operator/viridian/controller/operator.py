"""The running operator: the parts joined, the workers, start and stop."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from viridian.api.names import FIELD_MANAGER, LABEL_MODEL
from viridian.kube.client import KubeClient
from viridian.kube.errors import KubeError
from viridian.kube.reflector import Reflector
from viridian.kube.resources import DEPLOYMENT
from viridian.metrics.prometheus import ModelKey, Prometheus
from viridian.metrics.user_queries import UserQueries
from viridian.workloads.pod import PodDefaults

from .configuration import Configuration
from .deployments import Deployments
from .drift import Drift
from .events import Recorder
from .evidence import EvidenceBook
from .inquirer import Inquirer
from .models import Models
from .queue import WorkQueue
from .reconcile import Reconciler
from .sweep import Sweep
from .ticker import Ticker

_log = logging.getLogger(__name__)

WORKERS = 8
STUCK = timedelta(seconds=60)
"""A ticker that has not finished a tick for so long is broken, and the kubelet should restart us."""


class Operator:
    """Everything that runs between `start` and `stop`."""

    def __init__(self, configuration: Configuration) -> None:
        """Prepare; nothing runs yet."""
        self.configuration = configuration
        self.models = Models(self._disturbed)
        self.deployments = Deployments(self._saw_deployment)
        self.queue: WorkQueue[ModelKey] = WorkQueue()
        self._client = KubeClient(FIELD_MANAGER)
        self._tasks: list[asyncio.Task[None]] = []
        self._ticker: Ticker | None = None

    async def start(self) -> None:
        """Connect and set workers and ticker going."""
        configuration = self.configuration
        interval = configuration.scrape_interval
        await self._client.__aenter__()
        book = EvidenceBook(interval.total_seconds())
        defaults = PodDefaults(configuration.serving_image, interval)
        drift = Drift(self._client)
        recorder = Recorder(self._client)
        reconciler = Reconciler(self._client, self.models, self.deployments, drift, book, recorder, defaults)
        prometheus = Prometheus(configuration.prometheus_url, interval)
        self._ticker = Ticker(self._client, prometheus, self.models, book, self.queue, interval)
        sweep = Sweep(
            self._client,
            self.models,
            self.deployments,
            drift,
            self.queue,
            self.saw,
            configuration.namespaces,
            configuration.sweep_period,
        )
        watches = [
            Reflector(self._client, DEPLOYMENT, namespace, LABEL_MODEL, self.deployments)
            for namespace in configuration.namespaces or ("",)
        ]
        known = [sweep.known, *(watch.synced for watch in watches)]
        self._tasks = [asyncio.create_task(self._work(reconciler, known), name=f"worker-{n}") for n in range(WORKERS)]
        self._tasks += [asyncio.create_task(watch.run(), name="deployments") for watch in watches]
        self._tasks.append(asyncio.create_task(sweep.run([watch.synced for watch in watches]), name="sweep"))
        self._tasks.append(asyncio.create_task(self._ticker.run(), name="ticker"))
        url = self.configuration.user_query_url
        inquirer = Inquirer(UserQueries(url) if url else None, self.models, book)
        self._tasks.append(asyncio.create_task(inquirer.run(), name="inquirer"))

    async def stop(self) -> None:
        """End workers and ticker; whatever they were at is taken up from the status by the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.__aexit__(None, None, None)

    def saw(self, kind: str | None, manifest: dict[str, Any]) -> None:
        """The watch saw a ModelDeployment; `kind` is DELETED when it went away."""
        metadata = manifest["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if kind == "DELETED":
            self.models.forget(key, metadata["uid"])
            self.queue.forget(key)
        else:
            self.models.see(manifest)
        self.queue.add(key)

    def _disturbed(self, key: ModelKey) -> None:
        """Another model came into its way, or left it."""
        self.models.doubt(key)
        self.queue.add(key)

    def _saw_deployment(self, key: ModelKey, written: bool) -> None:
        """A Deployment changed; `written` says that its specification did, and not only its pods."""
        if written:
            self.models.doubt(key)
        self.queue.add(key)

    def health(self) -> float:
        """Seconds since the last tick.

        Raises:
            RuntimeError: the ticker does not tick.
        """
        if self._ticker is None or self._ticker.age > STUCK.total_seconds():
            raise RuntimeError("the ticker does not tick")
        return self._ticker.age

    async def _work(self, reconciler: Reconciler, known: Sequence[asyncio.Event]) -> None:
        for event in known:
            await event.wait()
        while True:
            key = await self.queue.take()
            try:
                again = await reconciler.reconcile(key)
            except KubeError as error:
                delay = self.queue.failed(key)
                _log.warning("%s/%s: %s; trying again in %.1f s", *key, error, delay)
            except Exception:  # noqa: BLE001 - one broken model must not stop the others
                delay = self.queue.failed(key)
                _log.exception("%s/%s: unexpected error; trying again in %.1f s", *key, delay)
            else:
                self.queue.done(key)
                if again is not None:
                    self.queue.add_after(key, again.total_seconds())
