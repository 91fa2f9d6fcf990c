"""A thousand models at rest, made after one that the operator itself has brought there."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.pods import list_pods, make_ready
from tests.traffic.routes import acceptance
from tests.waiting import eventually

PATTERN = "model-0000"
CHILDREN = (
    "apis/apps/v1/namespaces/{namespace}/controllerrevisions",
    "apis/apps/v1/namespaces/{namespace}/deployments",
    "api/v1/namespaces/{namespace}/services",
    "apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
    "apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes",
)
MODELS = "apis/viridian.dev/v1alpha1/namespaces/{namespace}/modeldeployments"
_GIVEN_BY_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
_ALLOCATED = ("clusterIP", "clusterIPs")
_THREADS = 8


def spec() -> dict[str, Any]:
    """What every model asks for; the paths differ."""
    return {
        "model": {"version": "v1.0.0", "uri": "image:///models/iris/v1.0.0"},
        "serving": {"replicas": 1, "timeout": "2s"},
        "traffic": {"parentRefs": [{"name": "public"}], "path": f"/{PATTERN}"},
        "rollout": {"bake": {"duration": "1s", "holdback": 10}, "drainMax": "10s"},
    }


def pattern(namespace: str) -> dict[str, Any]:
    """The model that the operator brings to rest by itself."""
    return {
        "apiVersion": "viridian.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": PATTERN, "namespace": namespace},
        "spec": spec(),
    }


class Fleet:
    """Models with all that belongs to them, written as the operator wrote the pattern's."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._control_plane, self._namespace = control_plane, namespace

    def multiply(self, count: int) -> None:
        """Let there be `count` models in all, whose pods are ready."""
        model = self._get(f"{MODELS}/{PATTERN}")
        children = [item for path in CHILDREN for item in self._of_pattern(path)]
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda number: self._copy(model, children, number), range(1, count)))
        self._let_pods_be_ready(count)

    def _of_pattern(self, path: str) -> list[dict[str, Any]]:
        listed = self._get(f"{path}?labelSelector=viridian.dev/model={PATTERN}")
        kind = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
        return [{**kind, **item, "path": path} for item in listed["items"]]

    def _copy(self, model: dict[str, Any], children: list[dict[str, Any]], number: int) -> None:
        name = f"model-{number:04}"
        made = self._create(MODELS, _renamed(model, name))
        for child in children:
            copied = _renamed(child, name)
            for owner in copied["metadata"]["ownerReferences"]:
                owner["uid"] = made["metadata"]["uid"]
            path = copied.pop("path")
            created = self._create(path, copied)
            if copied["kind"] == "HTTPRoute":
                self._send("PUT", f"{path}/{name}/status", {**created, "status": acceptance(created)})
        status = json.loads(json.dumps(model["status"]).replace(PATTERN, name))
        self._send("PUT", f"{MODELS}/{name}/status", {**made, "status": status})

    def _let_pods_be_ready(self, count: int) -> None:
        core = self._control_plane.core

        def all_ready() -> bool:
            pods = list_pods(core, self._namespace)
            new = [pod for pod in pods if pod.status.phase == "Pending"]
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(lambda pod: make_ready(core, [pod]), new))
            return len(pods) == count and not new

        eventually(all_ready, f"{count} ready pods", within=900)
        eventually(lambda: self._published() == count, "all pods to be published", within=300)

    def _published(self) -> int:
        slices = self._get("apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")["items"]
        return sum(
            bool(piece["metadata"]["labels"].get("viridian.dev/color"))
            for piece in slices
            for endpoint in piece.get("endpoints") or []
            if endpoint["conditions"].get("ready")
        )

    def _create(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        return self._send("POST", path, manifest)

    def _get(self, path: str) -> dict[str, Any]:
        return self._send("GET", path, None)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        api: Any = self._control_plane.api
        route, _, query = path.format(namespace=self._namespace).partition("?")
        answer = api.call_api(
            *api.param_serialize(
                method,
                f"/{route}",
                query_params=[tuple(query.split("=", 1))] if query else [],
                header_params={"Accept": "application/json", "Content-Type": "application/json"},
                body=body,
                auth_settings=["BearerToken"],
            )
        )
        text = answer.read()
        found: dict[str, Any] = json.loads(text)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {found.get('message', text)}")
        return found


def _renamed(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(manifest).replace(PATTERN, name))
    copied.pop("status", None)
    for field in _GIVEN_BY_THE_SERVER:
        copied["metadata"].pop(field, None)
    if copied["kind"] == "Service":
        for field in _ALLOCATED:
            copied["spec"].pop(field, None)
    return copied
