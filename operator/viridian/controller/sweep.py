"""What the watches miss: a slow round over everything that models own, by paged lists.

It writes nothing itself. What is out of line puts its model in doubt, so that the next look at it is at everything.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from viridian.api.errors import ViridianError
from viridian.api.names import LABEL_MODEL, color_name
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict, KubeError
from viridian.kube.resources import CONTROLLER_REVISION, DEPLOYMENT, MODEL_DEPLOYMENT, Kind
from viridian.workloads.deployments import build_deployment
from viridian.workloads.revisions import read_controller_revision

from .deployments import Deployments
from .drift import Drift
from .models import Model, Models
from .resting import EXPECTED, Resting

_log = logging.getLogger(__name__)

Saw = Callable[[str | None, dict[str, Any]], None]
RETRY = timedelta(seconds=5)
"""Before a round that the API broke off is begun again."""


class Sweep:
    """Goes round all models again and again, slowly."""

    def __init__(
        self,
        client: KubeClient,
        models: Models,
        deployments: Deployments,
        drift: Drift,
        resting: Resting,
        saw: Saw,
        namespaces: Sequence[str],
        period: timedelta,
    ) -> None:
        """Join the parts that a round needs.

        Args:
            client: reads.
            models: all of them.
            deployments: what is known of all Deployments.
            drift: remembers which Deployments were found in line.
            resting: is told of what is out of line.
            saw: is told of models that the watch missed.
            namespaces: those to look at; none means all.
            period: time between two rounds; a round itself is spread over half of it, the first one excepted.
        """
        self._client, self._models, self._deployments, self._drift = client, models, deployments, drift
        self._resting, self._saw = resting, saw
        self._namespaces = tuple(namespaces) or ("",)
        self._period = period.total_seconds()
        self._rounds = 0
        self.known = asyncio.Event()
        """Set once all models have been told of: none is decided on before, as they can get into each other's way."""

    async def run(self, synced: Sequence[asyncio.Event] = ()) -> None:
        """Go round until cancelled; children are compared only once all Deployments are known."""
        while True:
            try:
                await self._learn_models()
                for event in synced:
                    await event.wait()
                await self.go_round()
            except KubeError as error:
                _log.warning("the sweep was broken off: %s; it begins again in %s", error, RETRY)
                await asyncio.sleep(RETRY.total_seconds())
            except Exception:  # noqa: BLE001 - one object that cannot be read must not end the sweep of all others
                _log.exception("the sweep failed; it begins again in %s", RETRY)
                await asyncio.sleep(RETRY.total_seconds())
            else:
                self._rounds += 1
                await asyncio.sleep(self._period * random.uniform(0.4, 0.6))  # noqa: S311 - operators drift apart

    async def go_round(self) -> None:
        """One round.

        Raises:
            KubeError: the API does not answer.
        """
        stages: list[Callable[[str], Awaitable[None]]] = [
            self._compare_models,
            *(partial(self._compare, kind) for kind in EXPECTED),
        ]
        for stage in stages:
            for namespace in self._namespaces:
                await stage(namespace)
            await self._rest(len(stages) + 1)
        await self._compare_deployments()

    async def _rest(self, pieces: int) -> None:
        """Spread a round over half of the period; the first one says how things stand at the start, and hurries."""
        if self._rounds:
            await asyncio.sleep(self._period / 2 / pieces)

    async def _learn_models(self) -> None:
        """At the start: all models, whole."""
        if self.known.is_set():
            return
        for namespace in self._namespaces:
            async for page in self._client.pages(MODEL_DEPLOYMENT, namespace, ""):
                for manifest in page.items:
                    self._saw(None, manifest)
        self.known.set()

    async def _compare_models(self, namespace: str) -> None:
        """Models that came, changed or went without an event: those alone are read whole."""
        before = {key: seen for key, seen in self._models.versions().items() if namespace in {"", key[0]}}
        suspects, there = set(), set()
        async for page in self._client.pages(MODEL_DEPLOYMENT, namespace, "", metadata_only=True):
            for manifest in page.items:
                metadata = manifest["metadata"]
                key = (metadata["namespace"], metadata["name"])
                there.add(key)
                if before.get(key) != (metadata["uid"], int(metadata["resourceVersion"])):
                    suspects.add(key)
        for key in suspects | (before.keys() - there):
            known = self._models.get(key)
            live = await self._client.get(MODEL_DEPLOYMENT, *key)
            if known is not None and (live is None or live["metadata"]["uid"] != known.owner.uid):
                self._saw("DELETED", known.manifest)
            if live is not None and (known is None or _sight(known.manifest) != _sight(live)):
                self._saw("MODIFIED", live)

    async def _compare(self, kind: Kind, namespace: str) -> None:
        """Doubt each model at rest of which one object is out of line, or missing."""
        expected = EXPECTED[kind]
        missing = {(model.key, name) async for model in self._at_rest(namespace) for name in expected.names(model)}
        async for page in self._client.pages(kind, namespace, LABEL_MODEL, metadata_only=expected.metadata_only):
            for manifest in page.items:
                metadata = manifest["metadata"]
                missing.discard(((metadata["namespace"], metadata["labels"][LABEL_MODEL]), metadata["name"]))
                self._resting.look(kind, manifest)
                await asyncio.sleep(0)  # the ticker must not wait for a page
        for key, name in missing:
            self._resting.miss(kind, key, name)

    async def _compare_deployments(self) -> None:
        """Deployments that were not yet held against what we would write, such as all of them after a start."""
        self._drift.keep(self._deployments.names(""))
        todo = [model.key async for model in self._at_rest("") if self._unchecked(model)]
        for key in todo:
            await asyncio.sleep(min(1.0, self._period / 2 / len(todo)))
            model = self._models.get(key)
            if (
                model is not None
                and self._resting.rests(model)
                and self._unchecked(model)
                and await self._has_drifted(model)
            ):
                self._resting.doubt(key, "its Deployment was edited")

    def _unchecked(self, model: Model) -> bool:
        stable = model.status.stable
        if stable is None:
            return False
        slim = self._deployments.of(model.key).get(stable.color)
        name = (model.key[0], color_name(model.owner.name, stable.color))
        return slim is not None and not self._drift.is_checked(name, slim)

    async def _has_drifted(self, model: Model) -> bool:
        stable = model.status.stable
        if stable is None:
            return False
        namespace = model.key[0]
        live = await self._client.get(DEPLOYMENT, namespace, color_name(model.owner.name, stable.color))
        stored = await self._client.get(CONTROLLER_REVISION, namespace, stable.revision)
        if live is None or stored is None or model.reference_in(live) is None:
            return True
        try:
            revision = read_controller_revision(stored)
            wanted = build_deployment(model.owner, stable.color, revision, live["spec"].get("replicas", 1))
            return await self._drift.has_drifted(live, wanted)
        except (ViridianError, Conflict):
            return True  # whoever looks at everything says what is wrong

    async def _at_rest(self, namespace: str) -> AsyncIterator[Model]:
        """One after the other: opened all at once they would fill the memory."""
        for key in self._models.versions():
            model = self._models.get(key) if namespace in {"", key[0]} else None
            if model is not None and self._resting.rests(model):
                yield model
            await asyncio.sleep(0)


def _sight(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["uid"], manifest["metadata"]["resourceVersion"]
