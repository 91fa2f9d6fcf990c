"""Pod Security `restricted`, as the API server's own admission plugin understands it."""

from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.dynamic import DynamicClient
from tests.component.harness import chart
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.control_plane import ControlPlane

CASES = sorted((REPOSITORY / "tests" / "workloads" / "cases").glob("*/out.yaml"))


@pytest.fixture
def restricted(control_plane: ControlPlane, namespace: str) -> str:
    """A namespace in which only restricted pods are admitted."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    control_plane.core.patch_namespace(namespace, {"metadata": {"labels": labels}})
    return namespace


def admit(control_plane: ControlPlane, namespace: str, template: dict[str, Any]) -> None:
    """Have a pod of this template admitted, without making it."""
    account = template["spec"].get("serviceAccountName", "default")
    if account != "default":
        control_plane.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
        )
    if priority := template["spec"].get("priorityClassName"):
        kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
        control_plane.apply({**kind, "metadata": {"name": priority}, "value": 1000})
    metadata = {**template["metadata"], "name": "pod"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    DynamicClient(control_plane.api).resources.get(api_version="v1", kind="Pod").create(
        body=body, namespace=namespace, dry_run="All"
    )


def templates(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [manifest["spec"]["template"] for manifest in manifests if manifest["kind"] == "Deployment"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_serving_pods_are_admitted(control_plane: ControlPlane, restricted: str, case: Any) -> None:
    # given the pods that the operator makes of a model
    found = templates(yaml.safe_load(case.read_text())["items"])
    assert found

    # when they are created where only restricted pods may be, then they are admitted
    for template in found:
        admit(control_plane, restricted, template)


def test_the_operator_is_admitted(control_plane: ControlPlane, restricted: str) -> None:
    [template] = templates(chart.render())
    admit(control_plane, restricted, template)


def test_a_pod_that_is_less_restricted_is_refused(control_plane: ControlPlane, restricted: str) -> None:
    # given the operator's pod, allowed to become somebody else
    [template] = templates(chart.render())
    del template["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]

    # when it is created
    with pytest.raises(client.ApiException) as refused:
        admit(control_plane, restricted, template)

    # then the API server says why not, so what it admits above it has looked at
    assert refused.value.status == 403
    assert "allowPrivilegeEscalation != false" in refused.value.body
