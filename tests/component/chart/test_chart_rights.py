"""What the chart lets the operator do, rendered by Helm and tried on a real API server."""

import pytest
from kubernetes import client
from tests.component.harness import chart
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import kubernetes_client


def test_the_lease_is_in_the_operators_own_namespace_whatever_it_watches() -> None:
    # when the chart is rendered for other namespaces
    manifests = chart.render(watch__namespaces="{ml}")

    # then there is a Role for the one Lease, which only its creation cannot name
    [role] = [role for role in chart.of_kind(manifests, "Role") if role["metadata"]["name"] == "viridian-lease"]
    assert role["metadata"]["namespace"] == "default"
    assert role["rules"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["viridian"],
            "verbs": ["get", "update"],
        },
        # and for the ledger of notifications
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["viridian-notifications"],
            "verbs": ["get", "update"],
        },
    ]


@pytest.mark.parametrize("values", [{}, {"watch__namespaces": "{ml}"}], ids=["all namespaces", "some"])
def test_no_right_is_a_wildcard(values: dict[str, str]) -> None:
    # when the chart is rendered
    rendered = chart.render(**values, userRoles__create="false")
    roles = [manifest for manifest in rendered if manifest["kind"] in {"Role", "ClusterRole"}]

    # then each right is named, and none reaches secrets or other people's definitions
    granted = [rule for role in roles for rule in role["rules"]]
    assert granted
    for rule in granted:
        assert set(rule) - {"resourceNames"} == {"apiGroups", "resources", "verbs"}
        assert not {"*"} & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not {"secrets", "customresourcedefinitions"} & set(rule["resources"])
    # and it deletes what a spec that was edited has no more use for, and nothing that serves or leads to what does
    deleted = {resource for rule in granted if "delete" in rule["verbs"] for resource in rule["resources"]}
    assert deleted == {"controllerrevisions", "horizontalpodautoscalers", "httproutes", "jobs"}


def test_with_namespaces_nothing_is_cluster_wide() -> None:
    # when the chart is rendered for two namespaces and a third with gateways
    spaces = {"watch__namespaces": "{ml,research}", "watch__gatewayNamespaces": "{research,gateways}"}
    manifests = chart.render(**spaces, userRoles__create="false")

    # then there are only Roles, and the third has the one right on gateways; those for people bind nobody
    assert chart.of_kind(manifests, "ClusterRole") == []
    assert chart.of_kind(manifests, "ClusterRoleBinding") == []
    rules = {role["metadata"]["namespace"]: role["rules"] for role in chart.of_kind(manifests, "Role")}
    assert rules["ml"] == rules["research"]
    assert rules["gateways"] == [
        {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways"], "verbs": ["get"]}
    ]
    assert {binding["metadata"]["namespace"] for binding in chart.of_kind(manifests, "RoleBinding")} == set(rules)


def test_the_operators_rights_reach_its_work_and_no_further(
    control_plane: ControlPlane, crd: str, namespace: str
) -> None:
    # given the operator's ServiceAccount with the chart's rights
    api = kubernetes_client(chart.operator_kubeconfig(control_plane, namespace))

    # when it asks what it may do
    def may(verb: str, group: str, resource: str, subresource: str = "", **more: str) -> bool:
        wanted = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        wanted |= {"namespace": namespace, **more}
        review = client.AuthorizationV1Api(api).create_self_subject_access_review(
            {"spec": {"resourceAttributes": wanted}}
        )
        return bool(review.status.allowed)

    # then its work is allowed
    assert may("watch", "viridian.dev", "modeldeployments")
    assert may("update", "viridian.dev", "modeldeployments", "status")
    assert may("patch", "apps", "deployments")
    assert may("patch", "gateway.networking.k8s.io", "httproutes")
    assert may("create", "coordination.k8s.io", "leases")
    assert may("list", "", "events")
    assert may("update", "coordination.k8s.io", "leases", name="viridian")
    # and nothing else: not others' leases, not the users' specs, not secrets, not another namespace
    assert not may("update", "coordination.k8s.io", "leases", name="somebody-elses")
    assert not may("update", "viridian.dev", "modeldeployments")
    assert not may("patch", "viridian.dev", "modeldeployments")
    assert not may("delete", "apps", "deployments")
    assert not may("get", "", "secrets")
    assert not may("list", "", "pods", namespace="default")


def test_secrets_are_read_only_where_that_is_asked_for() -> None:
    rendered = chart.render(notifications__readSecrets="true", userRoles__create="false")
    rules = [rule for role in chart.of_kind(rendered, "ClusterRole") for rule in role["rules"]]
    assert [rule["verbs"] for rule in rules if "secrets" in rule["resources"]] == [["get"]]
