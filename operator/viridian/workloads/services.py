"""The Services: one a color, whose selector never changes, and one for the stable color."""

from typing import Any

from viridian.api.names import (
    ANNOTATION_ABORTED,
    LABEL_COLOR,
    LABEL_MODEL,
    Color,
    color_name,
)
from viridian_shared.pod import ports

from .owner import Owner, build_metadata


def build_color_service(owner: Owner, color: Color) -> dict[str, Any]:
    """The Service that the route sends a color's share to."""
    return _service(owner, color_name(owner.name, color), color, ports.SPLIT, {LABEL_COLOR: str(color)})


def build_stable_service(owner: Owner, color: Color, aborted: str | None = None) -> dict[str, Any]:
    """The Service NAME: whoever calls it gets stable, past the split.

    Without a gateway its selector is what moves the traffic, and `aborted` names the revision whose rollback this is.
    """
    service = _service(owner, owner.name, color, ports.STABLE, {})
    if aborted is not None:
        service["metadata"]["annotations"] = {ANNOTATION_ABORTED: aborted}
    return service


def _service(owner: Owner, name: str, color: Color, port: int, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": build_metadata(owner, name, labels),
        "spec": {
            "type": "ClusterIP",
            # An address of each family that the cluster has: clients of either one reach the model.
            "ipFamilyPolicy": "PreferDualStack",
            "selector": {LABEL_MODEL: owner.name, LABEL_COLOR: str(color)},
            "ports": [_port("http", port), _port("grpc", ports.GRPC)],
        },
    }


def _port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": number, "protocol": "TCP"}
