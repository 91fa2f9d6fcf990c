"""What is kept in memory of all Deployments: a few values each, reduced on receipt."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from viridian.api.model_key import ModelKey
from viridian.api.names import ANNOTATION_INPUT, LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, Color, color_name
from viridian.kube.client import Manifest
from viridian.workloads.demand import NO_DEMAND, Demand
from viridian_shared.pod import variables


@dataclass(frozen=True, slots=True)
class SlimDeployment:
    """A Deployment as far as it tells whether its model has to be looked at.

    `kept` stands for what is ours in its metadata (labels, the input's annotation) and is only good to be compared
    within this process.
    """

    uid: str
    generation: int
    owner: str
    revision: str
    replicas: int
    pods: int
    ready: int
    going: bool
    kept: int
    version: str = ""
    demand: Demand = NO_DEMAND
    """Of each of its pods."""

    @classmethod
    def of(cls, manifest: Manifest) -> "SlimDeployment":
        """Reduce a Deployment."""
        metadata, status = manifest["metadata"], manifest.get("status") or {}
        template = (manifest["spec"].get("template") or {}).get("spec") or {}
        labels = metadata.get("labels") or {}
        owners = [ref["uid"] for ref in metadata.get("ownerReferences") or [] if ref.get("controller")]
        ours = (labels.get(LABEL_MODEL), labels.get(LABEL_COLOR), labels.get(LABEL_REVISION))
        return cls(
            uid=metadata["uid"],
            generation=int(metadata.get("generation", 0)),
            owner=owners[0] if owners else "",
            revision=labels.get(LABEL_REVISION, ""),
            replicas=int(manifest["spec"].get("replicas", 1)),
            pods=int(status.get("replicas", 0)),
            ready=int(status.get("readyReplicas", 0)),
            going="deletionTimestamp" in metadata,
            kept=hash((ours, (metadata.get("annotations") or {}).get(ANNOTATION_INPUT))),
            version=_version(template),
            demand=Demand.of(template),
        )

    @property
    def marks(self) -> tuple[str, int, int]:
        """Changes whenever somebody, we included, writes anything that could be drift."""
        return self.uid, self.generation, self.kept


class Deployments:
    """All Deployments with our label; it follows the watch and tells which models an event concerns."""

    def __init__(self, changed: Callable[[ModelKey, bool], None]) -> None:
        """Know none yet.

        Args:
            changed: called with the key of a model and whether its Deployment was written to, rather than only its pods
                came or went.
        """
        self._known: dict[tuple[str, str], SlimDeployment] = {}
        self._changed = changed

    def on_upsert(self, manifest: Manifest) -> None:
        """A Deployment is there, or has changed."""
        metadata = manifest["metadata"]
        name = (metadata["namespace"], metadata["name"])
        before, now = self._known.get(name), SlimDeployment.of(manifest)
        if before == now:
            return
        self._known[name] = now
        written = before is not None and before.marks != now.marks
        self._changed((name[0], _model(manifest)), written)

    def on_delete(self, name: tuple[str, str]) -> None:
        """A Deployment is gone, or does not carry our label any more."""
        if self._known.pop(name, None) is not None:
            namespace, deployment = name
            self._changed((namespace, deployment.rpartition("-")[0]), True)

    def names(self, namespace: str) -> set[tuple[str, str]]:
        """Those of a namespace, or (empty) all."""
        return {name for name in self._known if namespace in {"", name[0]}}

    def running(self) -> Iterator[tuple[ModelKey, Color, SlimDeployment]]:
        """Those that have pods, with the model and the color that each is of."""
        for (namespace, name), slim in self._known.items():
            color = next((each for each in Color if name.endswith(f"-{each}")), None)
            if slim.pods and color is not None:
                yield (namespace, name.removesuffix(f"-{color}")), color, slim

    def of(self, key: ModelKey) -> dict[Color, SlimDeployment]:
        """The Deployments of a model, by color."""
        found = ((color, self._known.get((key[0], color_name(key[1], color)))) for color in Color)
        return {color: slim for color, slim in found if slim is not None}


def _version(pod: dict[str, Any]) -> str:
    """The model's version, as its pods know it."""
    found = (
        str(each.get("value", ""))
        for container in pod.get("containers") or []
        for each in container.get("env") or []
        if each["name"] == variables.MODEL_VERSION
    )
    return sys.intern(next(found, ""))


def _model(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"]["labels"][LABEL_MODEL])
