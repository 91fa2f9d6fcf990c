"""A resync over an API server that a test fills."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

from tests.controller.fakes import NAMESPACE, FakeApi, model
from tests.waiting import DEADLINE

from viridian.api.model_key import ModelKey
from viridian.api.names import Color
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Models
from viridian.controller.children.drift import Drift
from viridian.controller.resync.expected import ExpectedChildren
from viridian.controller.resync.resync import Resync
from viridian.controller.runtime.queue import WorkQueue
from viridian.kube.client import Page
from viridian.kube.errors import KubeError
from viridian.kube.resources import (
    DEPLOYMENT,
    MODEL_DEPLOYMENT,
    Kind,
)

IRIS = ("default", "iris")
STATUS = {
    "observedGeneration": 1,
    "phase": "Stable",
    "stable": {"color": "blue", "revision": "iris-1", "version": "v1.0.0", "weight": 100, "replicas": 2, "ready": 2},
    "lastRevision": 1,
    "conditions": [
        {
            "type": "Stalled",
            "status": "False",
            "reason": "Stable",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}


class PagedApi(FakeApi):
    """Answers lists in pages of two; `fails` says which lists fail, by kind and namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[tuple[Kind, str], KubeError] = {}
        self.lists: list[tuple[Kind, str]] = []

    async def pages(
        self, kind: Kind, namespace: str, selector: str, *, metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        self.lists.append((kind, namespace))
        if (kind, namespace) in self.fails:
            raise self.fails[kind, namespace]
        found = [
            deepcopy(manifest)
            for (of, place, _), manifest in self.objects.items()
            if of == kind
            and namespace in {"", place}
            and (not selector or selector in manifest["metadata"].get("labels", {}))
        ]
        if metadata_only:
            found = [{"metadata": manifest["metadata"]} for manifest in found]
        for start in range(0, max(1, len(found)), 2):
            yield Page(found[start : start + 2], "1")


class Stage:
    """One model at rest, with all its children, and a resync."""

    def __init__(self) -> None:
        self.api, self.models, self.queue = PagedApi(), Models(), WorkQueue[ModelKey]()
        self.told: list[tuple[str | None, str]] = []
        self.deployments = Deployments(lambda key, written: None)
        self.drift = Drift(self.api)
        metadata = {"name": "iris", "namespace": NAMESPACE, "uid": "model-iris", "generation": 1}
        manifest = {**model().manifest, "metadata": metadata, "status": STATUS}
        self.api.put(MODEL_DEPLOYMENT, manifest)
        stored = self.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
        self.api.put_children("iris", model().owner, {Color.BLUE: 100, Color.GREEN: 0})
        self.models.see(stored)
        self.see_deployments()

    def see_deployments(self) -> None:
        for color in Color:
            live = self.api.objects[DEPLOYMENT, NAMESPACE, f"iris-{color}"]
            pods = live["spec"]["replicas"]
            self.deployments.on_upsert({**live, "status": {"replicas": pods, "readyReplicas": pods}})

    def on_model_event(self, kind: str | None, manifest: dict[str, Any]) -> None:
        self.told.append((kind, manifest["metadata"]["name"]))

    def edit(self, **spec: Any) -> None:
        """Let the model at rest have another spec, as one that was applied long ago."""
        manifest = self.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
        manifest["spec"] |= spec
        self.models.see(manifest)

    def make_resync(self, *namespaces: str) -> Resync:
        return Resync(
            self.api,
            self.models,
            self.deployments,
            self.drift,
            ExpectedChildren(self.models, self.deployments, self.queue),
            self.on_model_event,
            namespaces,
            timedelta(milliseconds=10),
        )

    async def resync(self, *namespaces: str) -> bool:
        """One round; whether the model is in doubt, and waits to be looked at."""
        await self.make_resync(*namespaces).go_round()
        doubted = self.models.is_dirty(IRIS)
        if doubted:
            assert await asyncio.wait_for(self.queue.take(), DEADLINE) == IRIS
        return doubted
