"""Models at rest, and what marks one as dirty: its own object that is unexpected or missing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from viridian.api.errors import ViridianError
from viridian.api.model_key import ModelKey
from viridian.api.names import LABEL_COLOR, LABEL_MODEL, Color, color_name
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Model, Models
from viridian.controller.cache.rest import is_at_rest
from viridian.controller.children import conformance
from viridian.controller.routing.router import TrafficRouter
from viridian.controller.routing.routers import ROUTERS
from viridian.controller.routing.service import selected
from viridian.controller.runtime.queue import WorkQueue
from viridian.kube.client import Manifest
from viridian.kube.reflector import Name
from viridian.kube.resources import AUTOSCALER, BUDGET, CONFIG_MAP, CONTROLLER_REVISION, SERVICE, Kind
from viridian.workloads.live_settings import asks_for_live_settings, live_settings_name

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expected:
    """The objects of one kind that a model at rest has.

    Attributes:
        is_in_line: Whether one is as it should be; the stable color is given.
        names: How they are called.
        metadata_only: Whether nothing else of them needs to be read.
    """

    is_in_line: Callable[[Model, Color, Manifest], bool]
    names: Callable[[Model], set[str]]
    metadata_only: bool = False


class ExpectedChildren:
    """Holds what is seen of children against what models at rest should have."""

    def __init__(self, models: Models, deployments: Deployments, queue: WorkQueue[ModelKey]) -> None:
        """Join the parts; `queue` gets the models that are out of line."""
        self._models, self._deployments, self._queue = models, deployments, queue

    def rests(self, model: Model) -> bool:
        """Whether a model is at rest and not dirty: all others look after themselves."""
        try:
            return not self._models.is_dirty(model.key) and is_at_rest(model, self._deployments.of(model.key))
        except ViridianError:
            return False  # the worker has told the user what is wrong with it

    def look(self, kind: Kind, manifest: Manifest) -> None:
        """Mark the model of an object as dirty that differs from what is expected."""
        metadata = manifest["metadata"]
        key = (metadata["namespace"], metadata["labels"][LABEL_MODEL])
        if self._models.is_dirty(key):
            self._look_again(key)
            return
        model = self._models.get(key)
        if model is not None and self.rests(model) and not _stands(model, manifest, EXPECTED[kind]):
            self.mark_dirty(key, f"{kind.plural} {metadata['name']} differs from what is expected")

    def names(self, kind: Kind, model: Model) -> set[str]:
        """The objects of one kind that a model at rest has; none of a model of which that cannot be told."""
        try:
            return EXPECTED[kind].names(model)
        except ViridianError as error:
            self.mark_dirty(model.key, str(error))
            return set()

    def miss(self, kind: Kind, key: ModelKey, name: str) -> None:
        """Mark a model as dirty if an object of this name, which is not there, should be."""
        if self._models.is_dirty(key):
            self._look_again(key)
            return
        model = self._models.get(key)
        if model is not None and self.rests(model) and name in self.names(kind, model):
            self.mark_dirty(key, f"{kind.plural} {name} is missing")

    def mark_dirty(self, key: ModelKey, why: str) -> None:
        """Let everything of a model be looked at."""
        LOG.info("%s/%s: %s", *key, why)
        self._look_again(key)

    def _look_again(self, key: ModelKey) -> None:
        """Who is looking at a model just now has read the object before this event, perhaps; he then begins anew."""
        self._models.mark_dirty(key)
        self._queue.add(key)


class ChildEventHandler:
    """Follows the objects of one kind, and keeps nothing of them: who is edited or deleted is noticed at once."""

    def __init__(self, kind: Kind, expected: ExpectedChildren) -> None:
        """Follow objects of this kind."""
        self._kind, self._expected = kind, expected

    def on_upsert(self, manifest: Manifest) -> None:
        """Hold it against what it should be."""
        self._expected.look(self._kind, manifest)

    def on_delete(self, name: Name) -> None:
        """Tell the model that it may belong to; its labels are gone with it."""
        namespace, child = name
        for model in {child, *(child.removesuffix(f"-{color}") for color in Color)}:
            self._expected.miss(self._kind, (namespace, model), child)

    def names(self, namespace: str) -> set[Name]:
        """None: what goes while nobody follows is for the resync to find."""
        return set()


def _is_service(model: Model, stable: Color, service: Manifest) -> bool:
    color = service["metadata"]["labels"].get(LABEL_COLOR)
    if color in set(Color):
        return conformance.is_color_service(model, Color(color), service)
    return selected(model, service) is stable


def _is_autoscaler(model: Model, stable: Color, scaler: Manifest) -> bool:
    """Whether nothing would be written to it: the empty color's is made anew before it scales anything."""
    facts = conformance.read_autoscaler(scaler)
    return scaler["metadata"]["labels"].get(LABEL_COLOR) != stable or facts == conformance.scaling_at_rest(model)


def _is_budget(model: Model, _: Color, budget: Manifest) -> bool:
    color = budget["metadata"]["labels"].get(LABEL_COLOR)
    return color in set(Color) and conformance.is_budget(model, Color(color), budget)


def _carrier(router: TrafficRouter) -> Expected:
    """What carries the traffic where the spec says so; a stray one is out of line."""
    return Expected(
        lambda model, stable, live: router.carries(model.spec) and router.is_at_rest(model, stable, live),
        lambda model: {model.owner.name} if router.carries(model.spec) else set(),
    )


def _of_colors(model: Model) -> set[str]:
    return {color_name(model.owner.name, color) for color in Color}


def _of_autoscaler(model: Model) -> set[str]:
    stable = model.status.stable
    if stable is None or model.spec.serving.autoscaling is None:
        return set()
    return {color_name(model.owner.name, stable.color)}


def _of_stable(model: Model) -> set[str]:
    stable = model.status.stable
    return {stable.revision} if stable is not None else set()


EXPECTED: dict[Kind, Expected] = {
    SERVICE: Expected(_is_service, lambda model: {model.owner.name, *_of_colors(model)}),
    **{router.kind: _carrier(router) for router in ROUTERS if router.is_dedicated},
    # What a ControllerRevision stores cannot be edited; it can only be gone.
    CONTROLLER_REVISION: Expected(lambda *_: True, _of_stable, metadata_only=True),
    BUDGET: Expected(_is_budget, _of_colors),
    AUTOSCALER: Expected(_is_autoscaler, _of_autoscaler),
    CONFIG_MAP: Expected(
        lambda model, _, settings: conformance.are_live_settings(model, settings),
        lambda model: {live_settings_name(model.owner.name)} if asks_for_live_settings(model.spec) else set(),
    ),
}


def _stands(model: Model, manifest: Manifest, expected: Expected) -> bool:
    stable = model.status.stable
    reference = model.reference_in(manifest)
    owned = reference is not None and bool(reference.get("controller"))
    try:
        return stable is not None and owned and expected.is_in_line(model, stable.color, manifest)
    except Exception:  # noqa: BLE001 - what cannot be read must not hide the edits of all other objects
        return False
