"""What the watches miss: a slow round over everything that models own, by paged lists.

It writes nothing itself. What is out of line marks its model as dirty, so that the next look at it is at everything.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from viridian.api.errors import ViridianError
from viridian.api.names import LABEL_MODEL, color_name
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Model, Models
from viridian.controller.children.drift import Drift
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict, KubeError
from viridian.kube.reflector import GRACE, is_denied
from viridian.kube.resources import CONTROLLER_REVISION, DEPLOYMENT, MODEL_DEPLOYMENT, Kind
from viridian.workloads.deployments import build_deployment
from viridian.workloads.revisions import read_controller_revision

from .expected import EXPECTED, ExpectedChildren

LOG = logging.getLogger(__name__)

OnModelEvent = Callable[[str | None, dict[str, Any]], None]
RETRY = timedelta(seconds=5)
"""Before a round that the API broke off is begun again."""


class Resync:
    """Goes round all models again and again, slowly."""

    def __init__(
        self,
        client: KubeClient,
        models: Models,
        deployments: Deployments,
        drift: Drift,
        expected: ExpectedChildren,
        on_model_event: OnModelEvent,
        namespaces: Sequence[str],
        period: timedelta,
    ) -> None:
        """Join the parts that a round needs.

        Args:
            client: reads.
            models: all of them.
            deployments: what is known of all Deployments.
            drift: remembers which Deployments were found in line.
            expected: receives what is out of line.
            on_model_event: receives models that the watch missed.
            namespaces: those to look at; none means all.
            period: time between two rounds; a round itself is spread over half of it, the first one excepted.
        """
        self._client, self._models, self._deployments, self._drift = client, models, deployments, drift
        self._expected, self._on_model_event = expected, on_model_event
        self._namespaces = tuple(namespaces) or ("",)
        self._period = period.total_seconds()
        self._rounds = 0
        self.known = asyncio.Event()
        """Set once all models have been told of: none is decided on before, as they can get into each other's way.

        A namespace that stays denied is waited for no longer than GRACE.
        """

    async def run(self, synced: Sequence[asyncio.Event] = ()) -> None:
        """Go round until cancelled; children are compared only once all Deployments are known."""
        while True:
            try:
                await self._learn_models()
                for event in synced:
                    await event.wait()
                await self.go_round()
            except KubeError as error:
                LOG.warning("the resync was interrupted: %s; next try in %s", error, RETRY)
                await asyncio.sleep(RETRY.total_seconds())
            except Exception:  # one object that cannot be read must not end the resync of all others
                LOG.exception("the resync failed; next try in %s", RETRY)
                await asyncio.sleep(RETRY.total_seconds())
            else:
                self._rounds += 1
                await asyncio.sleep(self._period * random.uniform(0.4, 0.6))  # noqa: S311 - operators drift apart

    async def go_round(self) -> None:
        """One round.

        Raises:
            KubeError: the API does not answer.
        """
        readable = await self._compare_all_models()
        pieces = len(EXPECTED) + 2
        await self._rest(pieces)
        for kind in EXPECTED:
            for namespace in readable:
                await self._compare_if_allowed(kind, namespace)
            await self._rest(pieces)
        await self._compare_deployments(readable)

    async def _rest(self, pieces: int) -> None:
        """Spread a round over half of the period; the first one says how things stand at the start, and hurries."""
        if self._rounds:
            await asyncio.sleep(self._period / 2 / pieces)

    async def _learn_models(self) -> None:
        """At the start: all models, whole, save for those of namespaces that stay denied."""
        if self.known.is_set():
            return
        now = asyncio.get_running_loop().time
        denied = await self._learn(self._namespaces)
        end = now() + GRACE
        while denied and now() < end:
            await asyncio.sleep(RETRY.total_seconds())
            denied = await self._learn(denied)
        self.known.set()

    async def _learn(self, namespaces: Iterable[str]) -> list[str]:
        """The namespaces whose models may not be read; those of all others have been told of."""
        denied = []
        for namespace in namespaces:
            try:
                async for page in self._client.pages(MODEL_DEPLOYMENT, namespace, ""):
                    for manifest in page.items:
                        self._on_model_event(None, manifest)
            except KubeError as error:
                if not is_denied(error):
                    raise
                LOG.info("models %s cannot be read yet: %s", _where(namespace), error)
                denied.append(namespace)
        return denied

    async def _compare_all_models(self) -> list[str]:
        """Compare the models of each namespace; returns those that can be read."""
        readable = []
        for namespace in self._namespaces:
            try:
                await self._compare_models(namespace)
            except KubeError as error:
                if not is_denied(error):
                    raise
                text = "models %s cannot be read, so they are not reconciled: %s; %s (every resync tries again)"
                LOG.warning(text, _where(namespace), error, _way_out(namespace))
            else:
                readable.append(namespace)
        return readable

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
                self._on_model_event("DELETED", known.manifest)
            if live is not None and (known is None or _version(known.manifest) != _version(live)):
                self._on_model_event("MODIFIED", live)

    async def _compare_if_allowed(self, kind: Kind, namespace: str) -> None:
        """Compare one kind; where that is denied, or there is no such kind, the others are compared all the same."""
        try:
            await self._compare(kind, namespace)
        except KubeError as error:
            if not is_denied(error):
                raise
            LOG.warning("the resync skips %s %s: %s", kind.plural, _where(namespace), error)

    async def _compare(self, kind: Kind, namespace: str) -> None:
        """Mark each model at rest as dirty of which one object is out of line, or missing."""
        names, metadata_only = self._expected.names, EXPECTED[kind].metadata_only
        missing = {(model.key, name) async for model in self._at_rest(namespace) for name in names(kind, model)}
        async for page in self._client.pages(kind, namespace, LABEL_MODEL, metadata_only=metadata_only):
            for manifest in page.items:
                metadata = manifest["metadata"]
                missing.discard(((metadata["namespace"], metadata["labels"][LABEL_MODEL]), metadata["name"]))
                self._expected.look(kind, manifest)
                await asyncio.sleep(0)  # the ticker must not wait for a page
        for key, name in missing:
            self._expected.miss(kind, key, name)

    async def _compare_deployments(self, namespaces: Iterable[str]) -> None:
        """Deployments that were not yet held against what we would write, such as all of them after a start."""
        self._drift.keep(self._deployments.names(""))
        todo = [
            model.key for namespace in namespaces async for model in self._at_rest(namespace) if self._unchecked(model)
        ]
        for key in todo:
            await asyncio.sleep(min(1.0, self._period / 2 / len(todo)))
            model = self._models.get(key)
            if (
                model is not None
                and self._expected.rests(model)
                and self._unchecked(model)
                and await self._has_drifted(model)
            ):
                self._expected.mark_dirty(key, "its Deployment was edited")

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
        try:
            live = await self._client.get(DEPLOYMENT, namespace, color_name(model.owner.name, stable.color))
            stored = await self._client.get(CONTROLLER_REVISION, namespace, stable.revision)
            if live is None or stored is None or model.reference_in(live) is None:
                return True
            revision = read_controller_revision(stored)
            wanted = build_deployment(model.owner, stable.color, revision, live["spec"].get("replicas", 1))
            return await self._drift.has_drifted(live, wanted)
        except ViridianError:
            return True  # whoever looks at everything says what is wrong
        except KubeError as error:
            if not (isinstance(error, Conflict) or is_denied(error)):
                raise
            return True

    async def _at_rest(self, namespace: str) -> AsyncIterator[Model]:
        """One after the other: opened all at once they would fill the memory."""
        for key in self._models.versions():
            model = self._models.get(key) if namespace in {"", key[0]} else None
            if model is not None and self._expected.rests(model):
                yield model
            await asyncio.sleep(0)


def _version(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["uid"], manifest["metadata"]["resourceVersion"]


def _where(namespace: str) -> str:
    return f"in namespace {namespace}" if namespace else "in all namespaces"


def _way_out(namespace: str) -> str:
    if not namespace:
        return "give the operator its ClusterRole"
    return f"remove {namespace} from watch.namespaces, or create the operator's Role there"
