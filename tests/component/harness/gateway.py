"""A gateway that takes every route: what its controller would write to them. Nothing is routed."""

from typing import Any

from tests.traffic.routes import acceptance

from .control_plane import ControlPlane
from .repeated import Repeated

ROUTES = ("gateway.networking.k8s.io", "v1")


class Acceptor(Repeated):
    """Accepts every HTTPRoute of a namespace, for as long as the `with` block lasts."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        super().__init__("acceptor", 0.2, self._accept)
        self._custom, self._namespace = control_plane.custom, namespace

    def _accept(self) -> None:
        routes: list[dict[str, Any]] = self._custom.list_namespaced_custom_object(
            *ROUTES, self._namespace, "httproutes"
        )["items"]
        for route in routes:
            if not route.get("status"):
                status = {"status": acceptance(route)}
                place = (*ROUTES, self._namespace, "httproutes", route["metadata"]["name"])
                self._custom.patch_namespaced_custom_object_status(*place, status)
