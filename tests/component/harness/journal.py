"""Every version that the objects of a namespace ever had, in the order in which the API server stored them."""

import http.client
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from .control_plane import ControlPlane

_KINDS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Pod": "/api/v1/namespaces/{}/pods",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "Service": "/api/v1/namespaces/{}/services",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
    "ControllerRevision": "/apis/apps/v1/namespaces/{}/controllerrevisions",
}


@dataclass(frozen=True)
class Version:
    """One version of one object.

    Attributes:
        number: The resourceVersion: one counter for all kinds, so that versions of different kinds can be put in order.
        gone: The object was deleted.
    """

    number: int
    kind: str
    name: str
    manifest: dict[str, Any]
    gone: bool


class Journal:
    """Watches a namespace for as long as the `with` block lasts. No version is missed: a watch gets every one."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        """Prepare to watch an empty namespace."""
        self._control_plane, self._namespace = control_plane, namespace
        self._versions: list[Version] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Journal":
        for kind, path in _KINDS.items():
            answer = self._watch(path.format(self._namespace))
            thread = threading.Thread(target=self._read, args=(kind, answer), name=f"journal of {kind}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._sockets:
            connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def versions(self) -> list[Version]:
        """What was seen so far, oldest first."""
        return sorted(self._versions, key=lambda version: version.number)

    def _watch(self, path: str) -> http.client.HTTPResponse:
        since = self._control_plane.get(path)["metadata"]["resourceVersion"]
        address = urlsplit(self._control_plane.url)
        context = ssl.create_default_context(cafile=str(self._control_plane.certificate))
        connection = http.client.HTTPSConnection(f"{address.hostname}", address.port, context=context)
        token = {"Authorization": f"Bearer {self._control_plane.token}"}
        connection.request("GET", f"{path}?watch=true&timeoutSeconds=3600&resourceVersion={since}", headers=token)
        self._sockets.append(connection.sock)
        return connection.getresponse()

    def _read(self, kind: str, answer: http.client.HTTPResponse) -> None:
        try:
            for line in answer:
                event = json.loads(line)
                manifest = event["object"]
                metadata = manifest["metadata"]
                number, gone = int(metadata["resourceVersion"]), event["type"] == "DELETED"
                self._versions.append(Version(number, kind, metadata["name"], manifest, gone))
        except (OSError, http.client.HTTPException):
            return  # the end: the socket was shut down
