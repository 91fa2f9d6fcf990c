"""What must be true of every version of a model's objects, whoever was killed when."""

import math
from collections.abc import Iterable
from typing import Any

from viridian.traffic.route import shadow_in

from .journal import Version

_COLORS = ("blue", "green")


class BrokenInvariant(AssertionError):
    """A version that should never have been."""


def hold(versions: Iterable[Version], model: str, replicas: int) -> None:
    """Play a journal again and hold each version against what was true when it was stored.

    Args:
        versions: the journal, oldest first.
        model: name of the ModelDeployment.
        replicas: its spec.serving.replicas.

    Raises:
        BrokenInvariant: the message names the version.
    """
    world = _World(model, replicas)
    for version in versions:
        try:
            world.take(version)
        except BrokenInvariant as broken:
            raise BrokenInvariant(f"{version.kind} {version.name} at {version.number}: {broken}") from None


class _World:
    """The objects as they stand at one moment of the journal."""

    def __init__(self, model: str, replicas: int) -> None:
        self._model, self._replicas = model, replicas
        self._objects: dict[tuple[str, str], dict[str, Any]] = {}

    def take(self, version: Version) -> None:
        """Check the next version against the moment before it, then let it be true."""
        if version.kind == "HTTPRoute":
            self._check_route(version)
        if version.kind == "Deployment":
            self._check_deployment(version)
        if version.gone:
            self._objects.pop((version.kind, version.name), None)
        else:
            self._objects[version.kind, version.name] = version.manifest

    def _check_route(self, version: Version) -> None:
        if version.gone:
            raise BrokenInvariant("the route was deleted")
        rules = [_weights(rule) for rule in version.manifest["spec"]["rules"]]
        for weights in rules:
            if sum(weights.values()) != 100 or weights != rules[0]:
                raise BrokenInvariant(f"the weights are {rules}")
        if min(rules[0].values()) and any(shadow_in(rule["filters"]) for rule in version.manifest["spec"]["rules"]):
            raise BrokenInvariant(f"a candidate gets copies and users at once: {rules}")
        for color in _COLORS:
            before, after = self._weight(color), rules[0][f"{self._model}-{color}"]
            if after > before and color != self._stable() and self._serving(color) < self._needed(after):
                raise BrokenInvariant(f"{color} rises to {after} % over {self._serving(color)} ready, published pods")

    def _check_deployment(self, version: Version) -> None:
        before = self._objects.get((version.kind, version.name))
        color = version.name.rpartition("-")[2]
        if before is None:
            return
        if self._weight(color) and (version.gone or version.manifest["spec"]["replicas"] == 0):
            raise BrokenInvariant(f"{color} has {self._weight(color)} % of the traffic and is taken away")
        if not version.gone and version.manifest["spec"]["template"] != before["spec"]["template"]:
            if color == self._stable():
                raise BrokenInvariant("stable's template changes")
            if self._pods(color):
                raise BrokenInvariant(f"the template changes while there are {len(self._pods(color))} pods")

    def _stable(self) -> str | None:
        """The color that the Service NAME selects."""
        service = self._objects.get(("Service", self._model))
        return None if service is None else str(service["spec"]["selector"]["viridian.dev/color"])

    def _weight(self, color: str) -> int:
        route = self._objects.get(("HTTPRoute", self._model))
        return 0 if route is None else _weights(route["spec"]["rules"][0]).get(f"{self._model}-{color}", 0)

    def _needed(self, weight: int) -> int:
        return min(self._replicas, max(1, math.ceil(self._replicas * weight / 100)))

    def _pods(self, color: str) -> list[dict[str, Any]]:
        return [
            pod
            for (kind, _), pod in self._objects.items()
            if kind == "Pod" and pod["metadata"]["labels"].get("viridian.dev/color") == color
        ]

    def _serving(self, color: str) -> int:
        """Pods of the color's present revision that are ready and published."""
        deployment = self._objects.get(("Deployment", f"{self._model}-{color}"))
        revision = None if deployment is None else deployment["metadata"]["labels"]["viridian.dev/revision"]
        published = {
            endpoint["targetRef"]["uid"]
            for (kind, _), piece in self._objects.items()
            if kind == "EndpointSlice"
            and piece["metadata"]["labels"]["kubernetes.io/service-name"] == f"{self._model}-{color}"
            for endpoint in piece.get("endpoints") or []
            if endpoint["conditions"].get("ready")
        }
        return sum(
            pod["metadata"]["uid"] in published
            and pod["metadata"]["labels"]["viridian.dev/revision"] == revision
            and "deletionTimestamp" not in pod["metadata"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
            for pod in self._pods(color)
        )


def _weights(rule: dict[str, Any]) -> dict[str, int]:
    return {backend["name"]: backend.get("weight", 1) for backend in rule.get("backendRefs") or []}
