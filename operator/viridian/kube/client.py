"""The client. Nothing else in the operator speaks HTTP to the Kubernetes API, save Kopf's own watches."""

import json
import os
from types import TracebackType
from typing import Any, Self

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from .errors import KubeError, Unavailable, error_for
from .resources import Kind

Manifest = dict[str, Any]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


class KubeClient:
    """Reads and writes objects as dictionaries. Use it as an async context manager.

    Every method raises a subclass of `KubeError` when the API refuses or cannot be reached.
    """

    def __init__(self, field_manager: str, timeout: float = 15.0) -> None:
        """Make a client that is not connected yet.

        Args:
            field_manager: name under which our writes are recorded.
            timeout: seconds that one request may take.
        """
        self._field_manager = field_manager
        self._timeout = timeout
        self._api: client.ApiClient | None = None

    async def __aenter__(self) -> Self:
        """Connect, by the service account in a cluster or the kubeconfig outside."""
        try:
            config.load_incluster_config()
        except config.ConfigException:
            await config.load_kube_config(config_file=os.environ.get("KUBECONFIG"))
        self._api = client.ApiClient()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        if self._api is not None:
            await self._api.close()
            self._api = None

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Read one object; None when it does not exist."""
        try:
            return await self._request("GET", kind.path(namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def find(self, kind: Kind, namespace: str, labels: dict[str, str]) -> list[Manifest]:
        """Read all objects of a namespace that carry these labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        answer = await self._request("GET", kind.path(namespace), query={"labelSelector": selector})
        return list(answer["items"])

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object; `Conflict` when one of that name is there."""
        query = {"fieldManager": self._field_manager}
        return await self._request("POST", kind.path(manifest["metadata"]["namespace"]), manifest, query=query)

    async def apply(self, kind: Kind, manifest: Manifest, *, force: bool) -> Manifest:
        """Server-side apply. With `force` it takes over fields that others wrote, else it is a `Conflict`.

        Set `metadata.resourceVersion` to write only over what was read.
        """
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        query = {"fieldManager": self._field_manager, "force": "true" if force else "false"}
        return await self._request("PATCH", path, manifest, query=query, content=APPLY)

    async def patch(self, kind: Kind, namespace: str, name: str, operations: list[dict[str, Any]]) -> Manifest:
        """One JSON Patch; `Refused` with status 422 when one of its tests fails, and then nothing has changed."""
        query = {"fieldManager": self._field_manager}
        return await self._request("PATCH", kind.path(namespace, name), operations, query=query, content=JSON_PATCH)

    async def replace_status(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Write the status subresource; `Conflict` unless the object is still at the manifest's resourceVersion."""
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"], "status")
        return await self._request("PUT", path, manifest, query={"fieldManager": self._field_manager})

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete one object if it is still the one that was read; one that is gone already is fine."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        try:
            await self._request("DELETE", kind.path(namespace, name), body)
        except KubeError as error:
            if error.status != 404:
                raise

    async def _request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        content: str = JSON,
    ) -> Manifest:
        if self._api is None:
            raise RuntimeError("the client is not connected: use it as an async context manager")
        try:
            prepared = await self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": JSON, "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = await self._api.call_api(*prepared, _request_timeout=self._timeout)
            text = (await response.read()).decode()
        except ApiException as error:
            raise error_for(error.status or 503, str(error.body or error.reason)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(503, f"{method} {path}: {error or type(error).__name__}") from error
        if response.status >= 300:
            raise error_for(response.status, _message(text))
        answer: Manifest = json.loads(text)
        return answer


def _message(text: str) -> str:
    """The API's own sentence, from a Status object if it sent one."""
    try:
        return str(json.loads(text).get("message") or text)
    except (ValueError, AttributeError):
        return text
