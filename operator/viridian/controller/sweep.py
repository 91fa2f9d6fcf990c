"""What the watches miss: a slow round over everything that models own, by paged lists.

It writes nothing itself. What is out of line puts its model in doubt, so that the next look at it is at everything.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from viridian.api.errors import ViridianError
from viridian.api.names import LABEL_COLOR, LABEL_MODEL, Color, color_name
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict, KubeError
from viridian.kube.resources import (
    BUDGET,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    SERVICE,
    Kind,
)
from viridian.metrics.prometheus import ModelKey
from viridian.workloads.deployments import build_deployment
from viridian.workloads.live_settings import asks_for_live_settings, live_settings_name
from viridian.workloads.revisions import read_controller_revision

from . import inline
from .deployments import Deployments
from .drift import Drift
from .models import Model, Models
from .queue import WorkQueue
from .rest import is_at_rest

_log = logging.getLogger(__name__)

Saw = Callable[[str | None, dict[str, Any]], None]
Judge = Callable[[Model, Color, Manifest], bool]
"""Whether an object of a model at rest, whose stable color is given, is as it should be."""
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
        queue: WorkQueue[ModelKey],
        saw: Saw,
        namespaces: Sequence[str],
        period: timedelta,
    ) -> None:
        """Join the parts that a round needs.

        Args:
            client: reads.
            models: those at rest are looked at, all others look after themselves.
            deployments: what is known of all Deployments.
            drift: remembers which Deployments were found in line.
            queue: gets the models that are out of line.
            saw: is told of models that the watch missed.
            namespaces: those to look at; none means all.
            period: time between two rounds; a round itself is spread over half of it, the first one excepted.
        """
        self._client, self._models, self._deployments, self._drift = client, models, deployments, drift
        self._queue, self._saw = queue, saw
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
            self._compare_services,
            self._compare_routes,
            self._compare_revisions,
            self._compare_budgets,
            self._compare_live_settings,
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

    async def _compare_services(self, namespace: str) -> None:
        def is_in_line(model: Model, stable: Color, service: Manifest) -> bool:
            color = service["metadata"]["labels"].get(LABEL_COLOR)
            if color in set(Color):
                return inline.is_color_service(model, Color(color), service)
            return inline.selected(model, service) is stable

        def names(model: Model) -> set[str]:
            name = model.owner.name
            return {name, *(color_name(name, color) for color in Color)}

        await self._compare(SERVICE, namespace, is_in_line, names)

    async def _compare_routes(self, namespace: str) -> None:
        await self._compare(
            HTTP_ROUTE, namespace, inline.rests_on, lambda model: {model.owner.name} if model.spec.has_route else set()
        )

    async def _compare_budgets(self, namespace: str) -> None:
        def is_in_line(model: Model, _: Color, budget: Manifest) -> bool:
            color = budget["metadata"]["labels"].get(LABEL_COLOR)
            return color in set(Color) and inline.is_budget(model, Color(color), budget)

        await self._compare(
            BUDGET, namespace, is_in_line, lambda model: {color_name(model.owner.name, color) for color in Color}
        )

    async def _compare_live_settings(self, namespace: str) -> None:
        def names(model: Model) -> set[str]:
            return {live_settings_name(model.owner.name)} if asks_for_live_settings(model.spec.serving) else set()

        await self._compare(
            CONFIG_MAP, namespace, lambda model, _, settings: inline.are_live_settings(model, settings), names
        )

    async def _compare_revisions(self, namespace: str) -> None:
        """What a ControllerRevision stores cannot be edited; it can only be gone."""

        def names(model: Model) -> set[str]:
            stable = model.status.stable
            return {stable.revision} if stable is not None else set()

        await self._compare(CONTROLLER_REVISION, namespace, lambda *_: True, names, metadata_only=True)

    async def _compare(
        self,
        kind: Kind,
        namespace: str,
        is_in_line: Judge,
        names: Callable[[Model], set[str]],
        *,
        metadata_only: bool = False,
    ) -> None:
        """Doubt each model at rest of which one object is out of line, or missing."""
        missing = {(model.key, name) async for model in self._at_rest(namespace) for name in names(model)}
        async for page in self._client.pages(kind, namespace, LABEL_MODEL, metadata_only=metadata_only):
            for manifest in page.items:
                metadata = manifest["metadata"]
                key = (metadata["namespace"], metadata["labels"][LABEL_MODEL])
                missing.discard((key, metadata["name"]))
                model = self._models.get(key)
                if model is not None and self._rests(model) and not _stands(model, manifest, is_in_line):
                    self._doubt(key, f"{kind.plural} {metadata['name']} is not as it should be")
                await asyncio.sleep(0)  # the ticker must not wait for a page
        for key, name in missing:
            model = self._models.get(key)
            if model is not None and self._rests(model) and name in names(model):
                self._doubt(key, f"{kind.plural} {name} is missing")

    async def _compare_deployments(self) -> None:
        """Deployments that were not yet held against what we would write, such as all of them after a start."""
        self._drift.keep(self._deployments.names(""))
        todo = [model.key async for model in self._at_rest("") if self._unchecked(model)]
        for key in todo:
            await asyncio.sleep(min(1.0, self._period / 2 / len(todo)))
            model = self._models.get(key)
            if model is not None and self._rests(model) and self._unchecked(model) and await self._has_drifted(model):
                self._doubt(key, "its Deployment was edited")

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
            if model is not None and self._rests(model):
                yield model
            await asyncio.sleep(0)

    def _rests(self, model: Model) -> bool:
        try:
            return not self._models.is_doubted(model.key) and is_at_rest(model, self._deployments.of(model.key))
        except ViridianError:
            return False  # the worker has told the user what is wrong with it

    def _doubt(self, key: ModelKey, why: str) -> None:
        _log.info("%s/%s: %s", *key, why)
        self._models.doubt(key)
        self._queue.add(key)


def _sight(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["uid"], manifest["metadata"]["resourceVersion"]


def _stands(model: Model, manifest: Manifest, is_in_line: Judge) -> bool:
    stable = model.status.stable
    reference = model.reference_in(manifest)
    owned = reference is not None and bool(reference.get("controller"))
    return stable is not None and owned and is_in_line(model, stable.color, manifest)
