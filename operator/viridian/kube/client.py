"""The client. Nothing else in the operator speaks HTTP to the Kubernetes API, save Kopf's own watches."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from .errors import KubeError, NotLeading, Unavailable, error_for
from .resources import Kind
from .retry import pause_before_retry

Manifest = dict[str, Any]

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

CONNECT_TIMEOUT = 5.0
SILENCE = 90.0
"""Seconds after which a watch that says nothing, not even a bookmark (one a minute), has lost its connection."""
PAGE, PAGE_OF_METADATA = 100, 500
"""Objects in one answer to a LIST. Whole ones are large: five hundred Deployments are 30 MiB once they are read."""


@dataclass(frozen=True)
class Page:
    """A part of a LIST; `version` is the resourceVersion that the whole list speaks of."""

    items: list[Manifest]
    version: str


class KubeClient:
    """Reads and writes objects as dictionaries. Use it as an async context manager.

    Every method raises a subclass of `KubeError` when the API refuses or cannot be reached. A passing trouble is waited
    out for as long as one request may take, where sending it again does no harm.
    """

    def __init__(
        self,
        field_manager: str,
        timeout: float = 15.0,
        may_write: Callable[[], bool] = lambda: True,
        wrote: Callable[[str, KubeError | None], None] = lambda _method, _error: None,
    ) -> None:
        """Make a client that is not connected yet.

        Args:
            field_manager: name under which our writes are recorded.
            timeout: seconds that one call may take, its repetitions included.
            may_write: asked before each write is sent; the write is `NotLeading` when the answer is no.
            wrote: called after each write that is no dry run, with its HTTP method and what became of it.
        """
        self._field_manager = field_manager
        self._timeout = timeout
        self._may_write, self._wrote = may_write, wrote
        self._api: client.ApiClient | None = None

    async def __aenter__(self) -> Self:
        """Connect, by the service account in a cluster or the kubeconfig outside."""
        try:
            config.load_incluster_config()
        except config.ConfigException:
            await config.load_kube_config(config_file=os.environ.get("KUBECONFIG"))
        self._api = client.ApiClient(_without_limit(client.Configuration.get_default_copy()))
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

    async def find(
        self,
        kind: Kind,
        namespace: str,
        labels: dict[str, str] | None = None,
        *,
        fields: dict[str, str] | None = None,
    ) -> list[Manifest]:
        """Read all objects of a namespace that carry these labels, and in which these fields have these values."""
        query = {
            name: ",".join(f"{key}={value}" for key, value in wanted.items())
            for name, wanted in (("labelSelector", labels), ("fieldSelector", fields))
            if wanted
        }
        answer = await self._request("GET", kind.path(namespace), query=query)
        # The items of a list do not say what they are.
        named = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
        return [{**named, **item} for item in answer["items"]]

    async def pages(
        self, kind: Kind, namespace: str, selector: str, *, metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        """Read all objects with these labels, of one namespace or (empty) of all, in pieces.

        Raises:
            Expired: it took so long between two pages that the API has forgotten the list: begin anew.
        """
        limit = PAGE_OF_METADATA if metadata_only else PAGE
        query = {"labelSelector": selector, "limit": str(limit)}
        accept = METADATA_ONLY if metadata_only else JSON
        while True:
            answer = await self._request("GET", kind.path(namespace), query=query, accept=accept)
            metadata = answer["metadata"]
            # A list of nothing says null, where only metadata are asked for.
            yield Page(answer.get("items") or [], metadata["resourceVersion"])
            if not metadata.get("continue"):
                return
            query["continue"] = metadata["continue"]
            del answer, metadata  # one page in memory, not two

    async def watch(
        self, kind: Kind, namespace: str, selector: str, version: str, seconds: int
    ) -> AsyncIterator[tuple[str, Manifest]]:
        """Events (type, object) since `version`, bookmarks included, until the API ends the stream after `seconds`.

        Raises:
            Expired: that version is forgotten: list anew.
        """
        query = {
            "labelSelector": selector,
            "resourceVersion": version,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        path = kind.path(namespace)
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=SILENCE)
        response = await self._open("GET", path, None, query, JSON, JSON, limits)
        try:
            if response.status >= 300:
                raise _error(response, (await response.read()).decode())
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise error_for(int(status.get("code", 500)), str(status.get("message", "the watch failed")))
                yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken("WATCH", path, error) from error
        finally:
            response.close()

    async def create(self, kind: Kind, manifest: Manifest, *, frozen: bool = False) -> Manifest:
        """Create an object; `Conflict` when one of that name is there.

        A part that can never be changed (the data of a ControllerRevision) is compared by the API server byte for byte,
        as it was sent. With `frozen` it is stored in the API server's own notation, else a later patch of whatever
        other part, such as the garbage collector's when it orphans the object, would look like a change of it.
        """
        query = {"fieldManager": self._field_manager}
        path = kind.path(manifest["metadata"]["namespace"])
        if not frozen:
            return await self._request("POST", path, manifest, query=query)
        # JSON is YAML, and what comes as YAML the API server writes down anew.
        text = json.dumps(manifest, ensure_ascii=False)
        return await self._request("POST", path, text, query=query, content=YAML)

    async def apply(self, kind: Kind, manifest: Manifest, *, manager: str) -> Manifest:
        """Server-side apply without force, to make an object or find it made so: `Conflict` where a field differs.

        `manager` is the name under which the fields are recorded: only another manager's fields are in conflict.
        """
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        query = {"fieldManager": manager, "force": "false"}
        return await self._request("PATCH", path, manifest, query=query, content=APPLY)

    async def replace(self, kind: Kind, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """PUT over what was read; `Conflict` unless the object is still at the manifest's resourceVersion.

        With `dry_run` nothing is stored: the answer is the object as it would be, with all that the API adds.
        """
        metadata = manifest["metadata"]
        query = {"fieldManager": self._field_manager, **({"dryRun": "All"} if dry_run else {})}
        return await self._request("PUT", kind.path(metadata["namespace"], metadata["name"]), manifest, query=query)

    async def patch(self, kind: Kind, namespace: str, name: str, operations: list[dict[str, Any]]) -> Manifest:
        """One JSON Patch; `Refused` with status 422 when one of its tests fails, and then nothing has changed."""
        query = {"fieldManager": self._field_manager}
        return await self._request("PATCH", kind.path(namespace, name), operations, query=query, content=JSON_PATCH)

    async def replace_status(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Write the status subresource; `Conflict` unless the object is still at the manifest's resourceVersion."""
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"], "status")
        return await self._request("PUT", path, manifest, query={"fieldManager": self._field_manager})

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str, version: str) -> None:
        """Delete an object; `Conflict` unless it is still as it was read. One that is gone already is fine."""
        seen = {"uid": uid, "resourceVersion": version}
        # Jobs would leave their pods behind without saying so.
        options = {"preconditions": seen, "propagationPolicy": "Background"}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
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
        accept: str = JSON,
    ) -> Manifest:
        """One call, with repetitions where they do no harm and as long as there is time; writes are told of."""
        is_write = method != "GET" and "dryRun" not in (query or {})
        try:
            answer = await self._attempts(method, path, body, query, content, accept)
        except KubeError as error:
            if is_write:
                self._wrote(method, error)
            raise
        if is_write:
            self._wrote(method, None)
        return answer

    async def _attempts(
        self, method: str, path: str, body: object, query: dict[str, str] | None, content: str, accept: str
    ) -> Manifest:
        loop = asyncio.get_running_loop()
        end, attempt = loop.time() + self._timeout, 1
        while True:
            try:
                return await self._attempt(method, path, body, query, content, accept, end - loop.time())
            except KubeError as error:
                pause = pause_before_retry(error, method, attempt)
                if pause is None or loop.time() + pause >= end:
                    raise
            await asyncio.sleep(pause)
            attempt += 1

    async def _attempt(
        self,
        method: str,
        path: str,
        body: object,
        query: dict[str, str] | None,
        content: str,
        accept: str,
        seconds: float,
    ) -> Manifest:
        if seconds <= 0:  # which aiohttp takes for all the time in the world
            raise Unavailable(504, f"{method} {path}: the deadline passed before it was sent", unsent=True)
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT)
        response = await self._open(method, path, body, query, content, accept, limits)
        try:
            text = (await response.read()).decode()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken(method, path, error) from error
        if response.status >= 300:
            raise _error(response, text)
        try:
            answer: Manifest = json.loads(text)
        except ValueError as error:
            raise Unavailable(
                502, f"{method} {path}: the answer is not JSON; check whether a proxy is in between"
            ) from error
        return answer

    async def _open(
        self,
        method: str,
        path: str,
        body: object,
        query: dict[str, str] | None,
        content: str,
        accept: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        if self._api is None:
            raise RuntimeError("the client is not connected: use it as an async context manager")
        if method != "GET" and not self._may_write():
            raise NotLeading(f"{method} {path}")
        try:
            prepared = await self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept, "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = await self._api.call_api(*prepared, _request_timeout=limits)
        except ApiException as error:
            raise error_for(error.status or 503, str(error.body or error.reason)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken(method, path, error) from error
        opened: aiohttp.ClientResponse = response.response
        return opened


def _without_limit(configuration: client.Configuration) -> client.Configuration:
    """As many connections as are asked for: each watch keeps one, and a rollback must not wait for any of them."""
    configuration.connection_pool_maxsize = 0
    return configuration


def _broken(method: str, path: str, error: Exception) -> Unavailable:
    """No whole answer came: 504 for one that was waited for in vain, 503 for a connection that broke or never was."""
    # Of the timeouts, only the one of connecting says that nothing was sent.
    unsent = isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    status = 504 if isinstance(error, TimeoutError) and not unsent else 503
    return Unavailable(status, f"{method} {path}: {str(error) or type(error).__name__}", unsent=unsent)


def _error(response: aiohttp.ClientResponse, text: str) -> KubeError:
    after = response.headers.get("Retry-After", "")
    return error_for(response.status, _message(text), float(after) if after.isdecimal() else None)


def _message(text: str) -> str:
    """The API's own sentence, from a Status object if it sent one."""
    try:
        return str(json.loads(text).get("message") or text)
    except (ValueError, AttributeError):
        return text
