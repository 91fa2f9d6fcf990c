"""Stand-ins for what the demonstration talks to: an API server, an operator, a gateway with models, a Prometheus.

They know just enough for the story to be told. The real ones have their own tests.
"""

import asyncio
import json
from collections import Counter
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

MODELS = "/apis/viridian.dev/v1alpha1/namespaces/viridian-demo/modeldeployments"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/viridian-demo/httproutes"
NAMESPACES = "/api/v1/namespaces"
EVENTS = "/api/v1/namespaces/viridian-demo/events"
COLORS = {"v1": "blue", "v2": "green", "v3": "blue", "v7": "blue"}


class FakeApi:
    """An API server that can list, watch, create, apply and delete."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.applied: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.knows_models = True
        self._version = 0
        self._log: list[tuple[int, str, dict[str, Any], str]] = []
        self._changed = asyncio.Condition()

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    async def put(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        stored = deepcopy(manifest)
        stored.setdefault("metadata", {})["resourceVersion"] = str(self._version)
        kind = "MODIFIED" if path in self.objects else "ADDED"
        self.objects[path] = stored
        await self._tell(kind, path, stored)
        return stored

    async def remove(self, path: str) -> None:
        self._version += 1
        for gone in [key for key in self.objects if key == path or f"{path}/" in key]:
            await self._tell("DELETED", gone, self.objects.pop(gone))

    async def _tell(self, kind: str, path: str, manifest: dict[str, Any]) -> None:
        self._log.append((self._version, kind, deepcopy(manifest), path))
        async with self._changed:
            self._changed.notify_all()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path.startswith(MODELS) and not self.knows_models:
            return _status(404, "the server could not find the requested resource")
        if request.method == "POST":
            manifest = await request.json()
            return web.json_response(await self.put(f"{path}/{manifest['metadata']['name']}", manifest), status=201)
        if request.method == "PATCH":
            return await self._apply(request)
        if request.method == "DELETE":
            if path not in self.objects:
                return _status(404, "not found")
            await self.remove(path)
            return web.json_response({})
        name = request.query.get("fieldSelector", "=").split("=")[1]
        if request.query.get("watch"):
            return await self._watch(request, f"{path}/{name}")
        items = [item for key, item in self.objects.items() if key.startswith(f"{path}/{name}")]
        return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": items})

    async def _apply(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/apply-patch+yaml"
        assert request.query["fieldValidation"] == "Strict"
        manifest = json.loads(await request.text())
        before = self.objects.get(request.path, {"metadata": {"generation": 0}})
        manifest["metadata"]["generation"] = before["metadata"]["generation"] + 1
        manifest |= {"status": before["status"]} if "status" in before else {}
        stored = await self.put(request.path, manifest)
        await self.applied.put(stored)
        return web.json_response(stored)

    async def _watch(self, request: web.Request, path: str) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            for version, kind, manifest, changed in list(self._log):
                if version > seen:
                    seen = version
                    if changed == path:
                        await response.write(json.dumps({"type": kind, "object": manifest}).encode() + b"\n")
            async with self._changed:
                await self._changed.wait_for(lambda: self._version > seen)  # noqa: B023 - it is meant to move


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


class FakeOperator:
    """Walks each applied version through its rollout; v3 is rolled back as soon as a client saw an error."""

    def __init__(self, api: FakeApi, gateway: "FakeGateway", promotes: bool = True) -> None:
        self._api = api
        self._gateway = gateway
        self._promotes = promotes
        self._stable = ""
        self._status: dict[str, Any] = {"history": [], "failed": []}

    async def run(self) -> None:
        while True:
            manifest = await self._api.applied.get()
            version = manifest["spec"]["model"]["version"]
            self._status["observedGeneration"] = manifest["metadata"]["generation"]
            if not self._stable:
                await self._weigh(COLORS[version], 100)
                await self._write(phase="Stable", stable=_role(version))
                self._stable = version
            else:
                await self._roll_out(version)

    async def _roll_out(self, version: str) -> None:
        color = COLORS[version]
        await self._write(phase="Starting", candidate=_role(version))
        if self._api.objects[f"{MODELS}/digits"]["spec"]["checks"].get("golden"):
            await self._take_back(version)
            return
        for index, weight in enumerate((10, 50, 95), start=1):
            await self._write(phase="Progressing", step={"index": index, "count": 2, "weight": weight})
            await self._weigh(color, weight)
            await self._gateway.until_answered(version, 15)
            if self._gateway.errors[version] or not self._promotes:
                await self._take_back(version)
                return
        await self._weigh(color, 100)
        self._finish(version, "Promoted", "It is no worse.")
        self._stable = version
        await self._write(phase="Stable", stable=_role(version), candidate=None, step=None)

    async def _take_back(self, version: str) -> None:
        await self._weigh(COLORS[version], 0)
        reason = {"revision": f"digits-{version[1:]}", "version": version, "reason": "Errors", "message": "Errors."}
        self._status["failed"].append(reason)
        self._finish(version, "RolledBack", "Too many errors.")
        condition = {"type": "RolledBack", "status": "True", "reason": "Errors", "message": "Too many errors."}
        await self._write(phase="RolledBack", candidate=None, step=None, conditions=[condition])

    def _finish(self, version: str, result: str, message: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"version": version, "result": result, "message": message, "evidenceAt": now}
        self._status["history"].insert(0, entry)

    async def _write(self, **fields: Any) -> None:
        self._status |= fields
        path = f"{MODELS}/digits"
        await self._api.put(path, self._api.objects[path] | {"status": deepcopy(self._status)})

    async def _weigh(self, color: str, weight: int) -> None:
        weights = {color: weight, "green" if color == "blue" else "blue": 100 - weight}
        self._gateway.weights = {one: share for one, share in weights.items() if share}
        self._gateway.versions[color] = self._api.objects[f"{MODELS}/digits"]["spec"]["model"]["version"]
        backends = [{"name": f"digits-{one}", "weight": weights[one]} for one in ("blue", "green")]
        route = {"metadata": {"name": "digits"}, "spec": {"rules": [{"backendRefs": backends}]}}
        await self._api.put(f"{ROUTES}/digits", route)


def _role(version: str) -> dict[str, Any]:
    return {
        "color": COLORS[version],
        "revision": f"digits-{version[1:]}",
        "version": version,
        "replicas": 2,
        "ready": 2,
    }


class FakeGateway:
    """Shares requests out by weight to models that know every digit.

    v3 fails on images with much ink; stable answers those in its stead.
    """

    def __init__(self, labels: dict[str, int]) -> None:
        self.weights: dict[str, int] = {}
        self.versions: dict[str, str] = {}
        self.answered: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._labels = labels
        self._requests = 0
        self._changed = asyncio.Condition()

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/digits/predict", self._predict)
        return application

    async def until_answered(self, version: str, more: int) -> None:
        wanted = self.answered[version] + more
        async with self._changed:
            await self._changed.wait_for(lambda: self.answered[version] >= wanted)

    async def _predict(self, request: web.Request) -> web.Response:
        if not self.weights:
            return web.Response(status=404)
        body = await request.text()
        # 37 and 100 have no common divisor: a hundred requests meet every share once.
        self._requests += 37
        lot = self._requests % 100
        color = "blue" if lot < self.weights.get("blue", 0) else "green"
        version = self.versions[color]
        fails = version == "v3" and sum(json.loads(body)["X"]) > 310
        self.answered[version] += 1
        self.errors[version] += fails
        async with self._changed:
            self._changed.notify_all()
        answering = self.versions["blue" if color == "green" else "green"] if fails else version
        headers = {"Viridian-Revision": f"digits-{answering[1:]}", "Viridian-Version": answering}
        if fails:
            headers["Viridian-Fallback"] = "stable"
        return web.json_response({"prediction": self._labels[body]}, headers=headers)


class FakePrometheus:
    """Answers the demonstration's three questions from the gateway's counts."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/api/v1/query", self._query)
        return application

    async def _query(self, request: web.Request) -> web.Response:
        query = request.query["query"]
        assert 'model_namespace="viridian-demo",model="digits",via="split"' in query
        result: list[dict[str, Any]] = []
        if not query.endswith("[10m]"):
            for version, number in self._gateway.answered.items():
                value = "0.012" if "quantile" in query else str(number)
                labels = {"revision": f"digits-{version[1:]}", "outcome": "ok"}
                result.append({"metric": labels, "value": [0, value]})
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


def write_kubeconfig(path: Path, server: TestServer) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "fake", "cluster": {"server": str(server.make_url(""))}}],
                "users": [{"name": "fake", "user": {}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                "current-context": "fake",
            }
        )
    )
    return path
