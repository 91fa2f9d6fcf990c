"""The models known to this operator: what Kopf's watch saw last, or what we wrote ourselves since."""

import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from viridian.api.drill import drilled_model
from viridian.api.errors import InvalidSpec
from viridian.api.model_key import ModelKey
from viridian.api.names import ANNOTATION_COMMAND, ANNOTATION_COMMAND_BY
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.rollout.context import SETTLED
from viridian.rollout.drills.figures import DrillFigures
from viridian.traffic.claims import Claim, Claims
from viridian.workloads.owner import Owner


@dataclass(frozen=True)
class Model:
    """One ModelDeployment as it was last seen."""

    manifest: dict[str, Any]

    @property
    def key(self) -> ModelKey:
        """Namespace and name."""
        return self.manifest["metadata"]["namespace"], self.manifest["metadata"]["name"]

    @property
    def owner(self) -> Owner:
        """What children refer to."""
        metadata = self.manifest["metadata"]
        return Owner(metadata["name"], metadata["namespace"], metadata["uid"])

    def reference_in(self, child: dict[str, Any]) -> dict[str, Any] | None:
        """The ownerReference in which a child names this very object, or None."""
        references = child["metadata"].get("ownerReferences") or []
        return next((reference for reference in references if reference.get("uid") == self.owner.uid), None)

    @property
    def generation(self) -> int:
        """Generation of the spec."""
        return int(self.manifest["metadata"].get("generation", 0))

    @property
    def version(self) -> int:
        """The resourceVersion, which tells older copies of the object from newer ones."""
        return int(self.manifest["metadata"]["resourceVersion"])

    @property
    def is_going(self) -> bool:
        """Whether it is being deleted: its children go with it, and nothing is made for it any more."""
        return "deletionTimestamp" in self.manifest["metadata"]

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return self.manifest["metadata"].get("annotations") or {}

    @property
    def command(self) -> str:
        """The command annotation, or nothing."""
        return self.annotations.get(ANNOTATION_COMMAND, "")

    @property
    def command_by(self) -> str:
        """Who gave it, as far as anybody says."""
        return self.annotations.get(ANNOTATION_COMMAND_BY, "")

    @cached_property
    def spec(self) -> ModelDeploymentSpec:
        """The spec; fields of a newer operator's schema are left out, so that going back to this one changes nothing.

        Raises:
            InvalidSpec: the stored object does not fit today's models; the message names every field.
        """
        try:
            spec = ModelDeploymentSpec.model_validate(self.manifest.get("spec") or {}, extra="ignore")
        except ValidationError as error:
            problems = "; ".join(
                f"spec.{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
            )
            raise InvalidSpec(
                f"the spec cannot be used: {problems}. Correct these fields and apply it again."
            ) from error
        if spec.serving.drill is not None and not self.is_twin:
            raise InvalidSpec(
                "spec.serving.drill makes a model fail on purpose, and only the operator sets it, on a drill's twin:"
                " remove it; kubectl viridian drill starts a drill that no user meets"
            )
        return spec

    @property
    def is_twin(self) -> bool:
        """Whether it is the twin of a drill."""
        return drilled_model(self.manifest["metadata"]) is not None

    @cached_property
    def status(self) -> ModelDeploymentStatus:
        """The status, our own memory.

        Raises:
            InvalidSpec: somebody else, or a newer operator, wrote something there that cannot be read.
        """
        try:
            return ModelDeploymentStatus.model_validate(self.manifest.get("status") or {})
        except ValidationError as error:
            raise InvalidSpec(
                f"the status cannot be read, and is left as it is: {error}; if a newer operator wrote it, run that one"
            ) from error

    @property
    def phase(self) -> str:
        """Its phase, as somebody wrote it."""
        return str((self.manifest.get("status") or {}).get("phase", Phase.PENDING))

    @property
    def is_moving(self) -> bool:
        """Whether time and metrics matter to it, so that it has to be looked at every second."""
        # Who is stalled waits for something that neither metrics nor time bring; the queue comes back to it.
        settled = self.phase in {*SETTLED, Phase.STALLED}
        return not self.is_going and (not settled or "drain" in (self.manifest.get("status") or {}))


@dataclass(frozen=True, slots=True)
class _CachedModel:
    """A model as it is kept: packed while it is at rest, since most models always are."""

    uid: str
    version: int
    phase: str
    drill: DrillFigures | None
    packed: bytes
    model: Model | None

    @classmethod
    def of(cls, model: Model) -> "_CachedModel":
        known = model.owner.uid, model.version, sys.intern(model.phase), DrillFigures.of(model.manifest)
        if model.is_moving:
            return cls(*known, b"", model)
        metadata = {key: value for key, value in model.manifest["metadata"].items() if key != "managedFields"}
        text = json.dumps({**model.manifest, "metadata": metadata}, separators=(",", ":"))
        return cls(*known, zlib.compress(text.encode(), 1), None)

    def open(self) -> Model:
        return self.model if self.model is not None else Model(json.loads(zlib.decompress(self.packed)))


class Models:
    """All known ModelDeployments, by namespace and name."""

    def __init__(self, disturbed: Callable[[ModelKey], None] = lambda _: None) -> None:
        """Know none yet; `disturbed` is called for each model that another one stood, or now stands, in the way of."""
        self._models: dict[ModelKey, _CachedModel] = {}
        self._claims = Claims()
        self._disturbed = disturbed
        self._dirty: dict[ModelKey, int] = {}

    def see(self, manifest: dict[str, Any]) -> Model:
        """Remember an object unless a newer sight of that name is known; returns the newest.

        An object that was made anew may be seen before the last events of its predecessor are.
        """
        model = Model(manifest)
        known = self._models.get(model.key)
        if known is not None and known.version > model.version:
            return known.open()
        self._models[model.key] = _CachedModel.of(model)
        self._claim(model.key, Claim.of(manifest))
        return model

    def forget(self, key: ModelKey, uid: str) -> None:
        """The object with this UID was deleted; a successor of the same name stays."""
        known = self._models.get(key)
        if known is not None and known.uid == uid:
            del self._models[key]
            self._dirty.pop(key, None)
            self._claim(key, None)

    def taken(self, key: ModelKey) -> str | None:
        """A sentence about the earlier model that has the host and path of this one, or None."""
        return self._claims.taken(key)

    def _claim(self, key: ModelKey, claim: Claim | None) -> None:
        for other in self._claims.put(key, claim):
            self._disturbed(other)

    def get(self, key: ModelKey) -> Model | None:
        """The model of that name, if it is known."""
        known = self._models.get(key)
        return known.open() if known is not None else None

    def versions(self) -> dict[ModelKey, tuple[str, int]]:
        """UID and resourceVersion of all models as they are known."""
        return {key: (known.uid, known.version) for key, known in self._models.items()}

    def phases(self) -> Counter[str]:
        """How many models are in each phase."""
        return Counter(known.phase for known in self._models.values())

    def drills(self) -> list[tuple[ModelKey, DrillFigures]]:
        """What the metrics say of drills, of each model that has to do with any."""
        return [(key, known.drill) for key, known in self._models.items() if known.drill is not None]

    def __iter__(self) -> Iterator[ModelKey]:
        """Namespace and name of each, as they are now."""
        return iter(list(self._models))

    def moving(self) -> Iterator[Model]:
        """Models that are rolling, draining or held."""
        return (known.model for known in list(self._models.values()) if known.model is not None)

    def mark_dirty(self, key: ModelKey) -> int:
        """Something of this model may be out of line: the next look at it must be at everything.

        Returns:
            What `mark_clean` wants to be told, so that it does not clear a mark made after the look began.
        """
        if key not in self._models:
            return 0
        self._dirty[key] = self._dirty.get(key, 0) + 1
        return self._dirty[key]

    def mark_clean(self, key: ModelKey, mark: int) -> None:
        """Everything of this model was looked at since that mark, and nothing was to be done."""
        if self._dirty.get(key) == mark:
            del self._dirty[key]

    def is_dirty(self, key: ModelKey) -> bool:
        """Whether the next look must be at everything, whatever is known already."""
        return key in self._dirty
