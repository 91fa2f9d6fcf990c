"""A gateway that takes every route: what its controller would write to them. Nothing is routed."""

from tests.traffic.routes import acceptance

from .control_plane import ControlPlane
from .repeated import Repeated
from .watched import Watched

ROUTES = ("gateway.networking.k8s.io", "v1")


class Acceptor(Repeated):
    """Accepts every HTTPRoute of a namespace, for as long as the `with` block lasts."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._custom, self._namespace = control_plane.custom, namespace
        self._routes = routes_of(control_plane, namespace)
        super().__init__("acceptor", 0.1, self._accept, self._routes)

    def _accept(self) -> None:
        for route in self._routes.objects:
            if not route.get("status"):
                status = {"status": acceptance(route)}
                place = (*ROUTES, self._namespace, "httproutes", route["metadata"]["name"])
                self._custom.patch_namespaced_custom_object_status(*place, status)


def routes_of(control_plane: ControlPlane, namespace: str) -> Watched:
    """The HTTPRoutes of a namespace."""
    return Watched(control_plane.custom.list_namespaced_custom_object, *ROUTES, namespace, "httproutes")
