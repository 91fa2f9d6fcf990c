"""The chart's NetworkPolicies: taken by the API server, and read as a network plugin reads them."""

from typing import Any

import pytest
from tests.component.harness import chart
from tests.component.harness.control_plane import ControlPlane

MODEL = {"viridian.dev/model": "iris"}
ANYBODY = {"app": "web"}
GATEWAY = "networkPolicy.gateway[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name"
PROMETHEUS = GATEWAY.replace("gateway[", "prometheus[")
ENABLED = {"networkPolicy__enabled": "true", GATEWAY: "gateways", PROMETHEUS: "monitoring"}


def policies(**values: str) -> list[dict[str, Any]]:
    return [manifest for manifest in chart.render(**values) if manifest["kind"] == "NetworkPolicy"]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "Exists" for expression in expressions)
    return {*selector.get("matchLabels", {}).items()} <= {*labels.items()} and {e["key"] for e in expressions} <= {
        *labels
    }


def is_peer(peer: dict[str, Any], own_namespace: str, namespace: str, labels: dict[str, str]) -> bool:
    """Is a pod with these labels in this namespace the peer? Without a namespaceSelector it must be in the policy's."""
    there = (
        selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": namespace})
        if "namespaceSelector" in peer
        else namespace == own_namespace
    )
    return there and selects(peer.get("podSelector", {}), labels)


def allows(policy: dict[str, Any], port: int, namespace: str, labels: dict[str, str]) -> bool:
    """May a pod with these labels in this namespace reach a port of a serving pod?"""
    assert selects(policy["spec"]["podSelector"], MODEL)
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    for rule in policy["spec"]["ingress"]:
        assert rule["from"], "an empty list of peers lets everybody in"
        if port in {one["port"] for one in rule["ports"]} and any(
            is_peer(peer, policy["metadata"]["namespace"], namespace, labels) for peer in rule["from"]
        ):
            return True
    return False


@pytest.fixture
def policy(control_plane: ControlPlane, namespace: str) -> dict[str, Any]:
    """The policy of one namespace, as the API server has it."""
    [rendered] = policies(watch__namespaces=f"{{{namespace}}}", **ENABLED)
    taken: dict[str, Any] = control_plane.apply(rendered)
    # Nothing was dropped or added on the way.
    assert taken["spec"]["ingress"] == rendered["spec"]["ingress"]
    return taken


@pytest.mark.parametrize(
    ("port", "sender", "labels", "may"),
    [
        (8000, "gateways", ANYBODY, True),
        (8000, "monitoring", ANYBODY, False),
        (8000, "elsewhere", ANYBODY, False),
        (8000, "here", ANYBODY, False),
        (8000, "here", MODEL, True),
        (8080, "elsewhere", ANYBODY, True),
        (8080, "here", MODEL, True),
        (8001, "elsewhere", ANYBODY, True),
        (9090, "monitoring", ANYBODY, True),
        (9090, "gateways", ANYBODY, False),
        (9090, "here", ANYBODY, False),
        (2222, "gateways", ANYBODY, False),
    ],
)
def test_only_the_gateway_reaches_the_port_that_believes_it(
    policy: dict[str, Any], port: int, sender: str, labels: dict[str, str], may: bool
) -> None:
    namespace = policy["metadata"]["namespace"] if sender == "here" else sender
    assert allows(policy, port, namespace, labels) is may


def test_clients_can_be_named_and_pods_of_models_stay_among_them() -> None:
    # given a policy that names who may go past the gateway
    clients = "networkPolicy.clients[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name"

    # when it is rendered
    [policy] = policies(watch__namespaces="{ml}", **ENABLED, **{clients: "jobs"})

    # then others cannot, and the models' own pods still can
    assert allows(policy, 8080, "jobs", ANYBODY)
    assert not allows(policy, 8080, "elsewhere", ANYBODY)
    assert not allows(policy, 8080, "elsewhere", MODEL)
    assert allows(policy, 8080, "ml", MODEL)


def test_there_is_one_for_each_namespace_with_models() -> None:
    assert policies() == []
    watched = policies(watch__namespaces="{ml,research}", **ENABLED)
    assert [policy["metadata"]["namespace"] for policy in watched] == ["ml", "research"]
    # where all namespaces are watched, they are named
    named = policies(networkPolicy__namespaces="{vision}", **ENABLED)
    assert [policy["metadata"]["namespace"] for policy in named] == ["vision"]


def test_values_that_would_let_everybody_in_or_nobody_are_refused() -> None:
    for values, says in (
        (ENABLED, "name the namespaces of your models in networkPolicy.namespaces"),
        ({"networkPolicy__enabled": "true", PROMETHEUS: "monitoring"}, "/networkPolicy/gateway"),
        ({"networkPolicy__enabled": "true", GATEWAY: "gateways"}, "/networkPolicy/prometheus"),
        ({**ENABLED, "networkPolicy.gateway[0]": "null"}, "/networkPolicy/gateway"),
        ({**ENABLED, "networkPolicy.gateway[0].namespace": "gateways"}, "'namespace'"),
    ):
        with pytest.raises(chart.HelmError) as refused:
            policies(**values)
        assert says in str(refused.value)
