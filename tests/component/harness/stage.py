"""One model in its own namespace, with all that a rollout needs around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import DEADLINE, eventually

from .api_proxy import ApiProxy
from .chart import operator_kubeconfig
from .control_plane import ControlPlane
from .gateway import Acceptor
from .loopback import open_url
from .operator import OperatorProcess, Users
from .pods import ReadyKeeper
from .prometheus import Prometheus


class Stage:
    """One model in its own namespace, with all that a rollout needs around it."""

    def __init__(
        self,
        control_plane: ControlPlane,
        namespace: str,
        operator: OperatorProcess,
        users: Users,
        keeper: ReadyKeeper,
        prometheus: Prometheus,
    ) -> None:
        self.control_plane, self.namespace, self.prometheus = control_plane, namespace, prometheus
        self.operator, self.users, self.keeper = operator, users, keeper

    def apply(self, version: str, **spec: Any) -> dict[str, Any]:
        applied: dict[str, Any] = self.control_plane.apply(self.manifest(version, **spec))
        return applied

    def manifest(self, version: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "viridian.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "iris", "namespace": self.namespace},
            "spec": {
                "model": {"version": version, "uri": f"image:///models/iris/{version}"},
                "serving": {"replicas": 2, "timeout": "2s"},
                "traffic": {"parentRefs": [{"name": "public"}], "path": "/iris"},
                "rollout": {
                    "steps": [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s"}],
                    "bake": {"duration": "2s", "holdback": 10},
                    "deadline": "1h",
                    "drainMax": "10s",
                },
                **spec,
            },
        }

    def annotate(self, **annotations: str) -> None:
        self.patch({"metadata": {"annotations": {f"viridian.dev/{key}": value for key, value in annotations.items()}}})

    def patch(self, changes: dict[str, Any]) -> None:
        """Edit the model as it is stored by a merge patch."""
        self.control_plane.custom.patch_namespaced_custom_object(
            "viridian.dev", "v1alpha1", self.namespace, "modeldeployments", "iris", changes
        )

    @property
    def model(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control_plane.custom.get_namespaced_custom_object(
            "viridian.dev", "v1alpha1", self.namespace, "modeldeployments", "iris"
        )
        return found

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.model.get("status", {})
        return found

    @property
    def route(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control_plane.custom.get_namespaced_custom_object(
            "gateway.networking.k8s.io", "v1", self.namespace, "httproutes", "iris"
        )
        return found

    @property
    def rules(self) -> list[dict[str, int]]:
        """The weights of each rule of the route; the last one is the split."""
        return [{ref["name"]: ref["weight"] for ref in rule["backendRefs"]} for rule in self.route["spec"]["rules"]]

    @property
    def weights(self) -> dict[str, int]:
        """The weights of the split."""
        return self.rules[-1]

    @property
    def selected(self) -> str:
        """The color that the Service NAME selects."""
        service = self.control_plane.core.read_namespaced_service("iris", self.namespace)
        return str(service.spec.selector["viridian.dev/color"])

    @property
    def has_route(self) -> bool:
        routes = self.control_plane.custom.list_namespaced_custom_object(
            "gateway.networking.k8s.io", "v1", self.namespace, "httproutes"
        )
        return bool(routes["items"])

    def answers(self) -> None:
        """Wait until the operator's probe is content: it has seen what there is."""

        def healthy() -> bool:
            try:
                with open_url(f"http://127.0.0.1:{self.operator.probe_port}/healthz") as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        eventually(healthy, "the operator's probe to answer")

    def condition(self, kind: str) -> dict[str, Any]:
        return next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})

    def reaches(self, phase: str, version: str | None = None, within: float = DEADLINE) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            status = self.status
            assert status.get("phase") == phase, f"{status.get('phase')}: {self.condition('Ready').get('message')}"
            if version is not None:
                assert status["stable"]["version"] == version
            return status

        return eventually(
            look, lambda: f"phase {phase}; the operator's log ends so:\n{self.operator.log[-2000:]}", within
        )

    def deployment(self, color: str) -> Any:
        return self.control_plane.apps.read_namespaced_deployment(f"iris-{color}", self.namespace)


LONG = {
    "steps": [{"weight": 20, "hold": "1h"}],
    "bake": {"duration": "1s", "holdback": 10},
    "deadline": "2h",
    "drainMax": "5s",
}
"""A rollout that stays at its first step until another one is applied."""
LONG_BAKE = {**LONG, "steps": [{"weight": 20, "hold": "1s"}], "bake": {"duration": "1h", "holdback": 10}}
"""A rollout that stays in its bake until another one is applied."""


@contextmanager
def stage_in(
    namespace: str,
    control_plane: ControlPlane,
    prometheus: Prometheus,
    folder: Path,
    proxy: ApiProxy | None = None,
    *,
    forked: bool = False,
) -> Iterator[Stage]:
    """A stage whose operator runs, its logs in `folder`.

    Args:
        namespace: an empty namespace.
        control_plane: what the operator works on.
        prometheus: what it asks.
        folder: for its logs; it is made.
        proxy: the operator speaks to the API server through it.
        forked: the operator starts quickly, from a process that has imported it: this code's.
    """
    control_plane.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": namespace},
            "spec": {"gatewayClassName": "none", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        }
    )
    folder.mkdir()
    kubeconfig = operator_kubeconfig(control_plane, namespace)
    if proxy is not None:
        kubeconfig = proxy.kubeconfig(kubeconfig)
    with (
        ReadyKeeper(control_plane.core, namespace) as keeper,
        Acceptor(control_plane, namespace),
        Users(control_plane, prometheus, namespace, "iris") as users,
        OperatorProcess(kubeconfig, prometheus, namespace, folder, forked=forked) as operator,
    ):
        yield Stage(control_plane, namespace, operator, users, keeper, prometheus)
