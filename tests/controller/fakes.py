"""A small API server in memory, and models to put into it."""

import itertools
import json
from typing import Any

import jsonpatch
from tests.traffic.routes import acceptance
from tests.workloads.children import DEFAULTS, Rendered, render

from viridian.api.names import Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.controller.cache.models import Model
from viridian.kube.client import Manifest
from viridian.kube.errors import Conflict, KubeError, Refused, error_for
from viridian.kube.resources import (
    BUDGET,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    SERVICE,
    Kind,
)
from viridian.traffic.route import Weights
from viridian.workloads.owner import Owner

NAMESPACE = "default"
__all__ = ["DEFAULTS", "NAMESPACE", "FakeApi", "model", "spec", "status"]


class FakeApi:
    """Keeps objects as the API server does, as far as the controller asks for it; `writes` tells what was written."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind, str, str], Manifest] = {}
        self.writes: list[tuple[str, Kind, str]] = []
        self.reads: list[tuple[str, Kind]] = []
        self.trouble: list[KubeError] = []
        self._versions = itertools.count(1)

    def put(self, kind: Kind, *manifests: Manifest) -> None:
        """Let objects be there."""
        for manifest in manifests:
            number = next(self._versions)
            there = {"uid": f"{kind.plural}-{number}", **manifest["metadata"], "resourceVersion": str(number)}
            key = (kind, there.setdefault("namespace", NAMESPACE), there["name"])
            self.objects[key] = {**_sent(manifest), "metadata": there}

    def put_children(self, name: str, owner: Owner, weights: Weights) -> Rendered:
        """Let all children of a model be there, the route at these weights."""
        made = render(spec(), owner)
        for rule in (rule for route in made.routes for rule in route["spec"]["rules"]):
            for ref in rule["backendRefs"]:
                ref["weight"] = weights[Color(ref["name"].removeprefix(f"{name}-"))]
        self.put(CONTROLLER_REVISION, made.controller_revision)
        self.put(DEPLOYMENT, *made.deployments.values())
        self.put(SERVICE, *made.services)
        self.put(BUDGET, *made.budgets)
        self.put(CONFIG_MAP, *made.live_settings)
        self.put(HTTP_ROUTE, *({**route, "status": acceptance(route)} for route in made.routes))
        self.put(GATEWAY, {"kind": "Gateway", "metadata": {"name": "public"}})
        return made

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        return _sent(self.objects.get((kind, namespace, name)))

    async def find(
        self,
        kind: Kind,
        namespace: str,
        labels: dict[str, str] | None = None,
        *,
        fields: dict[str, str] | None = None,
    ) -> list[Manifest]:
        self.reads.append(("find", kind))
        return [
            _sent(manifest)
            for (of, place, _), manifest in self.objects.items()
            if (of, place) == (kind, namespace)
            and (labels or {}).items() <= manifest["metadata"].get("labels", {}).items()
            and all(_value(manifest, path) == value for path, value in (fields or {}).items())
        ]

    async def create(self, kind: Kind, manifest: Manifest, *, frozen: bool = False) -> Manifest:
        metadata = manifest["metadata"]
        self._write("create", kind, metadata["name"])
        if (kind, metadata["namespace"], metadata["name"]) in self.objects:
            raise Conflict(409, f"{metadata['name']} is there already")
        self.put(kind, manifest)
        return _sent(self.objects[kind, metadata["namespace"], metadata["name"]])

    async def replace_status(self, kind: Kind, manifest: Manifest) -> Manifest:
        self._write("replace_status", kind, manifest["metadata"]["name"])
        return self._put_over(kind, manifest)

    async def replace(self, kind: Kind, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        metadata = manifest["metadata"]
        self._write("dry run" if dry_run else "replace", kind, metadata["name"])
        return self._put_over(kind, manifest, dry_run=dry_run)

    async def patch(self, kind: Kind, namespace: str, name: str, operations: list[dict[str, Any]]) -> Manifest:
        self._write("patch", kind, name)
        if (kind, namespace, name) not in self.objects:
            raise error_for(404, f"{name} not found")
        try:
            patched = jsonpatch.JsonPatch(operations).apply(self.objects[kind, namespace, name])
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise Refused(422, "the request is invalid") from error
        self.put(kind, patched)
        return _sent(self.objects[kind, namespace, name])

    def _put_over(self, kind: Kind, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """As the API server does: a stale version is a conflict, and a write that changes nothing is none."""
        key = (kind, manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        live = self.objects.get(key)
        if live is None:
            raise error_for(404, f"{key[2]} not found")
        if live["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise Conflict(409, f"{key[2]} has been modified")
        if dry_run:
            return _sent(manifest)
        if live != manifest:
            self.put(kind, manifest)
        return _sent(self.objects[key])

    def _write(self, verb: str, kind: Kind, name: str) -> None:
        self.writes.append((verb, kind, name))
        if self.trouble:
            raise self.trouble.pop(0)


def _sent(manifest: Any) -> Any:
    """A copy, as what is sent is one: of JSON alone, and made ten times as fast as `deepcopy` makes one."""
    return json.loads(json.dumps(manifest))


def _value(manifest: Manifest, path: str) -> Any:
    """What a field selector looks at."""
    value: Any = manifest
    for name in path.split("."):
        value = value.get(name, {})
    return value


def spec(**changes: Any) -> ModelDeploymentSpec:
    """A complete spec."""
    document = {
        "model": {"version": "v1.0.0", "uri": "image:///models/iris/v1.0.0"},
        "serving": {"replicas": 2, "timeout": "2s"},
        "traffic": {"parentRefs": [{"name": "public"}], "path": "/iris"},
    }
    return ModelDeploymentSpec.model_validate({**document, **changes})


def status(name: str = "iris", weight: int = 50, **changes: Any) -> dict[str, Any]:
    """A rollout of the second revision, in green, over the first one, in blue."""
    return {
        "phase": "Progressing",
        "stable": {"color": "blue", "revision": f"{name}-1", "version": "v1.0.0", "weight": 100 - weight, "ready": 2},
        "candidate": {"color": "green", "revision": f"{name}-2", "version": "v2.0.0", "weight": weight, "ready": 2},
        "startedAt": "2026-01-01T00:00:00Z",
        **changes,
    }


def model(name: str = "iris", version: int = 1, uid: str = "", **parts: Any) -> Model:
    """A ModelDeployment as the watch shows it; `spec` and `status` may be anything."""
    metadata = {"name": name, "namespace": NAMESPACE, "uid": uid or f"model-{name}", "resourceVersion": str(version)}
    manifest = {"apiVersion": "viridian.dev/v1alpha1", "kind": "ModelDeployment", "metadata": metadata}
    return Model({**manifest, "spec": spec().manifest(), **parts})
