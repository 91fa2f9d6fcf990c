"""The few things that the demonstration asks of the Kubernetes API."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import new_client_from_config

from .errors import DemoError

FIELD_MANAGER = "viridian-demo"
ANSWER_TIMEOUT = 15
"""Seconds for any request that is not a watch."""
WATCH_SECONDS = 120
"""After this long the server ends a watch, and a new one takes over where it ended."""
GONE = 410


class ApiError(DemoError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"The cluster refused a request with {status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Kind:
    """Where the objects of a kind live in the API."""

    prefix: str
    plural: str
    namespace: str | None = None

    @property
    def path(self) -> str:
        """Path of the collection."""
        middle = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{self.prefix}{middle}/{self.plural}"


NAMESPACES = Kind("/api/v1", "namespaces")


def model_deployments(namespace: str) -> Kind:
    """ModelDeployments in a namespace."""
    return Kind("/apis/viridian.dev/v1alpha1", "modeldeployments", namespace)


def http_routes(namespace: str) -> Kind:
    """HTTPRoutes in a namespace."""
    return Kind("/apis/gateway.networking.k8s.io/v1", "httproutes", namespace)


def events(namespace: str) -> Kind:
    """Events in a namespace."""
    return Kind("/api/v1", "events", namespace)


class Cluster:
    """A connection to the API server of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._client: Any = None

    async def __aenter__(self) -> Self:
        try:
            self._client = await new_client_from_config(str(self._kubeconfig))
        except ConfigException as error:
            raise DemoError(f"KUBECONFIG ({self._kubeconfig}) cannot be used: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def get(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """One object; None when it is not there."""
        try:
            return await self._json("GET", f"{kind.path}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, kind: Kind, **query: str) -> dict[str, Any]:
        """All objects of a kind."""
        return await self._json("GET", kind.path, query=query)

    async def create(self, kind: Kind, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object."""
        return await self._json("POST", kind.path, body=manifest)

    async def apply(self, kind: Kind, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply; a field that the schema does not know is refused."""
        return await self._json(
            "PATCH",
            f"{kind.path}/{manifest['metadata']['name']}",
            body=manifest,
            content_type="application/apply-patch+yaml",
            query={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "force": "true"},
        )

    async def delete(self, kind: Kind, name: str) -> bool:
        """Ask for an object's deletion; False when it is not there."""
        try:
            await self._json("DELETE", f"{kind.path}/{name}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def follow(self, kind: Kind, name: str) -> AsyncGenerator[dict[str, Any] | None, None]:
        """The object as it is and whenever it changes; None while it is not there. It never ends by itself."""
        selector = {"fieldSelector": f"metadata.name={name}"}
        while True:
            listed = await self.list(kind, **selector)
            yield listed["items"][0] if listed["items"] else None
            async for event in self._watch(kind, selector, listed["metadata"]["resourceVersion"]):
                yield None if event["type"] == "DELETED" else event["object"]

    async def _watch(
        self, kind: Kind, selector: Mapping[str, str], resource_version: str
    ) -> AsyncIterator[dict[str, Any]]:
        """The changes since a version, until the server or the network ends it."""
        query = {
            **selector,
            "watch": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS + ANSWER_TIMEOUT, connect=ANSWER_TIMEOUT)
        try:
            response = await self._send("GET", kind.path, query=query, timeout=timeout)
        except ApiError as error:
            if error.status == GONE:
                return
            raise
        try:
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    if event["object"].get("code") == GONE:
                        return
                    raise ApiError(event["object"].get("code", 0), event["object"].get("message", ""))
                yield event
        except (aiohttp.ClientError, TimeoutError):
            # A watch that breaks says nothing about the object: list again. A server that is gone will show then.
            return
        finally:
            response.close()

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT)
        response = await self._send(method, path, query=query, body=body, content_type=content_type, timeout=timeout)
        document: dict[str, Any] = json.loads(await response.read())
        return document

    async def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of the HTTP request, which knows its own
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> aiohttp.ClientResponse:
        if self._client is None:
            raise RuntimeError("use the cluster in an `async with`")
        method, url, headers, content, _ = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._client.call_api(method, url, headers, content, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoError(
                f"The cluster does not answer at {self._client.configuration.host} ({error or type(error).__name__}):"
                " bring it up with `make cluster`, or run `make demo`, which does."
            ) from error
        response: aiohttp.ClientResponse = answer.response
        if response.status >= 400:
            raise ApiError(response.status, _message(await response.text()))
        return response


def _message(text: str) -> str:
    """The message in a Status object, else the text itself."""
    try:
        document = json.loads(text)
    except ValueError:
        return text.strip()
    return str(document.get("message", text)) if isinstance(document, dict) else text
