"""The running operator: the parts joined, the workers, start and stop."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Iterator, Mapping
from datetime import timedelta
from typing import Any

from viridian.api.drill import drilled_model
from viridian.api.model_key import ModelKey
from viridian.api.names import FIELD_MANAGER, LABEL_MODEL
from viridian.api.status import ModelDeploymentStatus
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Model, Models
from viridian.controller.children.drift import Drift
from viridian.controller.exporting.figures import ColorCost, FailedFetches, LeaderFigures
from viridian.controller.exporting.metrics import OperatorMetrics
from viridian.controller.guarding.answer_poller import AnswerPoller
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.controller.guarding.ticker import Ticker
from viridian.controller.guarding.user_queries import UserQueryPoller
from viridian.controller.notifying.cost import RolloutCosts
from viridian.controller.notifying.notifier import Notifier
from viridian.controller.reconciling.drills import Drills
from viridian.controller.reconciling.events import Recorder
from viridian.controller.reconciling.fence import Fence
from viridian.controller.reconciling.reconcile import Reconciler
from viridian.controller.resync.expected import ChildEventHandler, ExpectedChildren
from viridian.controller.resync.resync import Resync
from viridian.controller.routing.routers import ROUTERS
from viridian.controller.runtime.configuration import Configuration
from viridian.controller.runtime.jobs import run_until_cancelled
from viridian.controller.runtime.leadership import Term
from viridian.controller.runtime.queue import WorkQueue
from viridian.kube.client import KubeClient
from viridian.kube.errors import KubeError
from viridian.kube.reflector import Follower, Reflector
from viridian.kube.resources import DEPLOYMENT, SERVICE, Kind
from viridian.metrics.answers import AnswerReader
from viridian.metrics.connection import TIMEOUT, Connection
from viridian.metrics.incidents import Incidents
from viridian.metrics.prometheus import Prometheus
from viridian.metrics.user_queries import UserQueries
from viridian.rollout.observed import Settings
from viridian.workloads.demand import CostSettings
from viridian.workloads.pod import PodDefaults

LOG = logging.getLogger(__name__)

WORKERS = 8
SOON = 0.5
"""Seconds before a model is looked at again whose namespace is not known yet."""
_COST_TIMEOUT = timedelta(seconds=3)
"""How long a notification waits for what a rollout has cost."""
STUCK = timedelta(seconds=60)
"""A ticker that has not finished a tick for so long is broken, and the kubelet should restart us."""


class Operator:
    """What is known of all models, and, while it leads, everything that looks after them."""

    def __init__(self, configuration: Configuration) -> None:
        """Prepare; nothing runs yet."""
        self.configuration = configuration
        self.models = Models(self._disturbed)
        self.deployments = Deployments(self._on_deployment)
        self.queue = _queue()
        self.metrics = OperatorMetrics(self._figures)
        self._leads = False
        self._term: Term | None = None
        self._monitor: GuardMonitor | None = None
        self._ticker: Ticker | None = None
        self._notifier: Notifier | None = None
        self._failed_fetches = FailedFetches()

    async def lead(self, term: Term) -> None:
        """Look after the models until cancelled.

        Nothing of an earlier term is used but the objects as they were seen. Whatever is being done at the end is
        taken up from the status by the next leader.
        """
        self.queue, self._leads, self._term = _queue(), True, term
        try:
            async with KubeClient(FIELD_MANAGER, may_write=term.holds, wrote=self.metrics.wrote) as client:
                fence = Fence(client, self.models, term.epoch)
                await asyncio.gather(*(_ensure_fence(fence, model) for model in self.models.moving()))
                for key in self.models:
                    self.queue.add(key)
                await run_until_cancelled(self._jobs(client, fence))
        finally:
            self._ticker, self._monitor, self._notifier = None, None, None
            self._term, self._leads = None, False

    def _jobs(self, client: KubeClient, fence: Fence) -> dict[str, Coroutine[None, None, None]]:
        """All that a leader does at the same time."""
        configuration = self.configuration
        interval = configuration.scrape_interval
        monitor, pods = GuardMonitor(interval.total_seconds()), OwnPods(interval)
        defaults = PodDefaults(
            configuration.serving_image,
            interval,
            configuration.default_resources,
            configuration.allow_model_code,
            configuration.model_cache,
        )
        drift, self._failed_fetches = Drift(client), FailedFetches()
        recorder = Recorder(client)
        drills = Drills(client, self.models, Incidents(self._prometheus("drills")))
        reconciler = Reconciler(
            client,
            self.models,
            self.deployments,
            drift,
            monitor,
            pods,
            recorder,
            defaults,
            Settings(interval, configuration.smoke),
            fence,
            drills,
            self._turned,
            self._failed_fetches.note,
        )
        prometheus = Prometheus(self._prometheus("guards"), interval)
        lease_namespace, lease = configuration.lease
        self._notifier = Notifier(
            client,
            self.models,
            configuration.notifications,
            os.environ,
            (lease_namespace, f"{lease}-notifications"),
            recorder.warn,
            self.metrics.notified,
            RolloutCosts(self._prometheus("cost", _COST_TIMEOUT)) if configuration.cost.is_set else None,
        )
        self._monitor = monitor
        self._ticker = Ticker(
            client, prometheus, self.models, monitor, pods, self.queue, interval, fence.epoch, self.metrics.ticked
        )
        expected = ExpectedChildren(self.models, self.deployments, self.queue)
        resync = Resync(
            client,
            self.models,
            self.deployments,
            drift,
            expected,
            self.on_model_event,
            configuration.namespaces,
            configuration.sweep_period,
        )
        kinds = dict.fromkeys((SERVICE, *(router.kind for router in ROUTERS)))
        handlers = {kind: ChildEventHandler(kind, expected) for kind in kinds}
        followers: dict[Kind, Follower] = {DEPLOYMENT: self.deployments, **handlers}
        watches = {
            (kind, namespace): Reflector(client, kind, namespace, LABEL_MODEL, follower, self.metrics.restarted)
            for kind, follower in followers.items()
            for namespace in configuration.namespaces or ("",)
        }
        synced = {namespace: watch.synced for (kind, namespace), watch in watches.items() if kind is DEPLOYMENT}
        poller = UserQueryPoller(self._user_queries(), self.models, monitor)
        answers = AnswerReader(self._prometheus("answers"), interval)
        return {
            **{f"worker-{number}": self._work(reconciler, resync.known, synced) for number in range(WORKERS)},
            **{f"{kind.plural} {namespace}": watch.run() for (kind, namespace), watch in watches.items()},
            "resync": resync.run(list(synced.values())),
            "ticker": self._ticker.run(),
            "user queries": poller.run(),
            "notifications": self._notifier.run(resync.known),
            "answers": AnswerPoller(answers, self.models, monitor, pods, interval).run(),
        }

    def _prometheus(self, purpose: str, timeout: timedelta = TIMEOUT) -> Connection:
        """Return a separate connection for a purpose, so that its queries wait for no others."""
        return Connection(self.configuration.prometheus_url, timeout=timeout, asked=self.metrics.asked(purpose))

    def _user_queries(self) -> UserQueries | None:
        url = self.configuration.user_query_url
        asked = self.metrics.asked("custom")
        return UserQueries(Connection(url, "prometheus.userQueries.url", threads=4, asked=asked)) if url else None

    def on_model_event(self, kind: str | None, manifest: dict[str, Any]) -> None:
        """The watch saw a ModelDeployment; `kind` is DELETED when it went away."""
        metadata = manifest["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if kind == "DELETED":
            self.models.forget(key, metadata["uid"])
            self.queue.forget(key)
        else:
            self.models.see(manifest)
        self._ask(key)
        if (drilled := drilled_model(metadata)) is not None:
            self._disturbed((metadata["namespace"], drilled))

    def _disturbed(self, key: ModelKey) -> None:
        """Another model came into its way, or left it."""
        self.models.mark_dirty(key)
        self._ask(key)

    def _on_deployment(self, key: ModelKey, written: bool) -> None:
        """A Deployment changed; `written` says that its specification did, and not only its pods."""
        if written:
            self.models.mark_dirty(key)
        self._ask(key)

    def _ask(self, key: ModelKey) -> None:
        """Let a worker look at a model; without workers nothing may pile up, and each term begins with all models."""
        if self._leads:
            self.queue.add(key)

    def _turned(self, model: Model, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> None:
        """A worker has written a status."""
        self.metrics.turned(before, after)
        if self._notifier is not None:
            self._notifier.turned(model, before, after)

    def _figures(self) -> LeaderFigures | None:
        """What Prometheus is shown at a scrape; None while another operator leads, or may by now."""
        if self._ticker is None or self._monitor is None or self._term is None or not self._term.holds():
            return None
        return LeaderFigures(
            phases=self.models.phases(),
            queue_depth=len(self.queue),
            queue_oldest=self.queue.oldest,
            tick_age=self._ticker.age,
            judged=tuple(self._monitor.judged()),
            notifications_waiting=len(self._notifier) if self._notifier is not None else 0,
            failed_fetches=self._failed_fetches.shown(),
            drills=self.models.drills(),
            costs=tuple(_costs(self.deployments, self.configuration.cost)),
            currency=self.configuration.cost.currency,
        )

    def health(self) -> float:
        """Seconds since the last tick; 0 while another operator leads, since nothing ticks then.

        Raises:
            RuntimeError: the ticker has stalled.
        """
        if self._ticker is None:
            return 0.0
        if self._ticker.age > STUCK.total_seconds():
            raise RuntimeError("the ticker has stalled")
        return self._ticker.age

    async def _work(self, reconciler: Reconciler, known: asyncio.Event, synced: Mapping[str, asyncio.Event]) -> None:
        """Work off the queue, once all models are known; what is in a namespace also waits for its Deployments."""
        await known.wait()
        while True:
            key = await self.queue.take()
            deployments = synced.get(key[0], synced.get(""))
            if deployments is not None and not deployments.is_set():
                self.queue.done(key)
                self.queue.add_after(key, SOON)
                continue
            begun, result = time.monotonic(), "ok"
            try:
                again = await reconciler.reconcile(key)
            except KubeError as error:
                result = "api-error"
                delay = self.queue.failed(key)
                LOG.warning("%s/%s: %s; trying again in %.1f s", *key, error, delay)
            except Exception:  # one broken model must not stop the others
                result = "error"
                delay = self.queue.failed(key)
                LOG.exception("%s/%s: unexpected error; trying again in %.1f s", *key, delay)
            else:
                self.queue.done(key)
                if again is not None:
                    self.queue.add_after(key, again.total_seconds())
            self.metrics.reconciled(time.monotonic() - begun, result)


def _queue() -> WorkQueue[ModelKey]:
    """A queue in which no namespace holds up another."""
    return WorkQueue(lambda key: key[0])


def _costs(deployments: Deployments, prices: CostSettings) -> Iterator[ColorCost]:
    """What each color that has pods reserves and costs; nothing without prices."""
    if not prices.is_set:
        return
    for key, color, slim in deployments.running():
        demand, pods = slim.demand, slim.pods
        reserved = (pods * demand.cpu, pods * demand.memory, pods * demand.gpus)
        yield ColorCost(key, slim.revision, slim.version, color, *reserved, pods * prices.per_hour(demand))


async def _ensure_fence(fence: Fence, model: Model) -> None:
    """Fence a moving model first of all; where that fails, the worker does it before its first write."""
    try:
        await fence.ensure(model)
    except KubeError as error:
        LOG.warning("%s/%s is not fenced yet: %s", *model.key, error)
