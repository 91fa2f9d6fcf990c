"""A rollout by the controller's own code: reconciler, ticker, guards and router, over scripted counters and a clock.

The API server is the one in memory. What a cluster does of itself, making pods, publishing endpoints, accepting the
route, following its weights and scraping, is done here once for each scrape interval.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest
from tests.controller.fakes import DEFAULTS, NAMESPACE, FakeApi, model
from tests.traffic.routes import acceptance

from viridian.api.model_key import ModelKey
from viridian.api.names import LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.cli.forecast.behavior import Behavior
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Models
from viridian.controller.children.drift import Drift
from viridian.controller.guarding import ticker
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.controller.reconciling import events, reconcile
from viridian.controller.reconciling.drills import Drills
from viridian.controller.reconciling.fence import Fence
from viridian.controller.runtime.queue import WorkQueue
from viridian.guards.config import bounds
from viridian.guards.series import PodCounters, RequestCounts
from viridian.guards.spec import guard_config
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GATEWAY,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    POD,
    Kind,
)
from viridian.metrics.prometheus import PodSamples, Samples
from viridian.rollout.observed import Settings
from viridian.traffic.route import read_route

IRIS: ModelKey = (NAMESPACE, "iris")
CANDIDATE = "iris-2"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MOST_PASSES = 30
KEPT = 4
"""Samples of a pod that Prometheus is asked for."""


class Applying(FakeApi):
    """The API server in memory, with server-side apply as far as it makes objects."""

    async def apply(self, kind: Kind, manifest: Manifest, *, manager: str) -> Manifest:
        return await self.create(kind, manifest)


@dataclass
class Pod:
    """What one pod has counted, and its samples by scrape."""

    behavior: Behavior
    bounds: tuple[float, ...]
    counts: RequestCounts
    samples: list[PodCounters] = field(default_factory=list)

    def answer(self, rng: np.random.Generator, mean: float) -> None:
        errors = int(rng.poisson(mean * self.behavior.errors))
        parts = [int(rng.poisson(mean * share)) for share in self.behavior.shares(self.bounds)]
        within = dict(zip(self.bounds, np.cumsum(parts).tolist(), strict=False))
        requests = errors + sum(parts)
        self.counts += RequestCounts(requests, errors, {**within, math.inf: requests})


class Cluster:
    """One model, whose first revision serves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, interval: float, rpm: float, seed: int) -> None:
        self.now, self.interval, self.rpm = BEGIN, interval, rpm
        self.rng, self.behaviors, self.pods = np.random.default_rng(seed), dict[str, Behavior](), dict[str, Pod]()
        self._tell_time(monkeypatch)
        self.api, self.models = Applying(), Models()
        self.api.put(GATEWAY, {"kind": "Gateway", "metadata": {"name": "public"}})
        client, step = cast("KubeClient", self.api), timedelta(seconds=interval)
        monitor, own = GuardMonitor(interval), OwnPods(step)
        self.queue: WorkQueue[ModelKey] = WorkQueue()
        self.ticker = ticker.Ticker(client, cast("Any", self), self.models, monitor, own, self.queue, step, "1-x")
        self.reconciler = reconcile.Reconciler(
            client,
            self.models,
            Deployments(lambda *_: None),
            Drift(client),
            monitor,
            own,
            events.Recorder(client),
            DEFAULTS,
            Settings(DEFAULTS.scrape_interval),
            Fence(client, self.models, "1-x"),
            Drills(client, self.models),
        )

    def _tell_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cluster = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return cluster.now

        for module in (ticker, reconcile, events):
            monkeypatch.setattr(module, "datetime", Clock)

    def apply(self, spec: ModelDeploymentSpec, generation: int) -> None:
        """The user applies a spec."""
        self.spec = spec
        live = self.api.objects.get((MODEL_DEPLOYMENT, *IRIS)) or model().manifest
        metadata = {**live["metadata"], "generation": generation, "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.api.put(MODEL_DEPLOYMENT, {**live, "metadata": metadata, "spec": spec.manifest()})
        self.models.see(self.api.objects[MODEL_DEPLOYMENT, *IRIS])

    @property
    def status(self) -> Any:
        found = self.models.get(IRIS)
        assert found is not None
        return found.status

    async def live(self) -> None:
        """One scrape interval passes."""
        self.now += timedelta(seconds=self.interval)
        self._start_pods()
        self._serve()
        await self.ticker.tick()
        for _ in range(MOST_PASSES):
            self._accept()
            if await self.reconciler.reconcile(IRIS) != timedelta(0):
                return
        raise AssertionError("the reconciler never comes to rest")

    async def read(
        self, keys: Iterable[ModelKey], bounds: Sequence[float], at: float | None = None, back: float = 0.0
    ) -> dict[ModelKey, Samples]:
        """What Prometheus has scraped: counters of a moment are there when all pods were scraped, an interval later."""
        samples: dict[str, dict[str, PodSamples]] = {}
        for uid, pod in self.pods.items():
            if not (known := pod.samples[:-1]):
                continue
            answered = PodSamples(tuple(known), known[-1].comparable.requests, self.now.timestamp())
            samples.setdefault(uid.rsplit("_", 1)[0], {})[uid] = answered
        return dict.fromkeys(keys, samples)

    def _deployments(self) -> dict[Color, Manifest]:
        found = [each for (kind, *_), each in self.api.objects.items() if kind is DEPLOYMENT]
        return {Color(each["metadata"]["labels"][LABEL_COLOR]): each for each in found}

    def _start_pods(self) -> None:
        """Pods as Deployments ask for them, each ready after an interval, and their endpoints."""
        for key in [key for key in self.api.objects if key[0] in {POD, ENDPOINT_SLICE}]:
            del self.api.objects[key]
        wanted: dict[str, str] = {}
        for color, deployment in self._deployments().items():
            template = deployment["spec"]["template"]["metadata"]["labels"]
            uids = [f"{template[LABEL_REVISION]}_{number}" for number in range(deployment["spec"]["replicas"])]
            wanted |= dict.fromkeys(uids, template[LABEL_REVISION])
            labels = {LABEL_MODEL: "iris", LABEL_COLOR: str(color)}
            ready = {"conditions": [{"type": "Ready", "status": "True"}]}
            own = {"labels": {**labels, LABEL_REVISION: template[LABEL_REVISION]}}
            self.api.put(POD, *({"metadata": {"name": uid, "uid": uid, **own}, "status": ready} for uid in uids))
            endpoints = [{"targetRef": {"kind": "Pod", "uid": uid}, "conditions": {"ready": True}} for uid in uids]
            self.api.put(
                ENDPOINT_SLICE, {"metadata": {"name": f"iris-{color}-x", "labels": labels}, "endpoints": endpoints}
            )
        grid = bounds([guard_config(self.spec)])
        nothing = RequestCounts(buckets=dict.fromkeys((*grid, math.inf), 0))
        for uid, revision in wanted.items():
            self.pods.setdefault(uid, Pod(self.behaviors[revision], grid, nothing))
        self.pods = {uid: pod for uid, pod in self.pods.items() if uid in wanted}

    def _accept(self) -> None:
        for (kind, *_), route in self.api.objects.items():
            if kind is HTTP_ROUTE:
                route["status"] = acceptance(route)

    def _serve(self) -> None:
        """Users' requests by the weights of the route, spread over each color's pods; then all pods are scraped."""
        route = self.api.objects.get((HTTP_ROUTE, *IRIS))
        for color, deployment in self._deployments().items():
            revision = deployment["spec"]["template"]["metadata"]["labels"][LABEL_REVISION]
            own = [pod for uid, pod in self.pods.items() if uid.startswith(f"{revision}_")]
            share = 0 if route is None else read_route("iris", route).weights[0].get(color, 0) / 100
            for pod in own:
                pod.answer(self.rng, self.rpm / 60 * self.interval * share / len(own))
        for pod in self.pods.values():
            pod.samples = [*pod.samples[1 - KEPT :], PodCounters(self.now.timestamp(), pod.counts)]
