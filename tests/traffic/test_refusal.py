"""A gateway that does not take a route: which listener, why, and what to do."""

from typing import Any

import pytest
from tests.traffic.routes import acceptance

from viridian.traffic.refusal import is_accepted, refusal

PLACE = ("gateways", "public")


def refused(reason: str, *, section: str = "", message: str = "", **spec: Any) -> dict[str, Any]:
    """The route of a model in namespace ml, refused by a Gateway elsewhere."""
    parent = {"name": "public", "namespace": "gateways", **({"sectionName": section} if section else {})}
    condition = {"type": "Accepted", "status": "False", "reason": reason, "message": message, "observedGeneration": 1}
    return {
        "metadata": {"name": "iris", "namespace": "ml", "generation": 1},
        "spec": spec,
        "status": {"parents": [{"parentRef": parent, "conditions": [condition]}]},
    }


def gateway(*listeners: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {PLACE: {"spec": {"listeners": list(listeners)}}}


def listener(name: str = "http", **parts: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, "protocol": "HTTP", **parts}


def admitting(**namespaces: Any) -> dict[str, Any]:
    return listener(allowedRoutes={"namespaces": namespaces})


@pytest.mark.parametrize(
    ("one", "why"),
    [
        pytest.param(listener(), "listener http accepts routes from the Gateway's own namespace only", id="by default"),
        pytest.param(
            admitting(**{"from": "Same"}),
            "listener http accepts routes from the Gateway's own namespace only",
            id="Same",
        ),
        pytest.param(admitting(**{"from": "None"}), "listener http accepts no routes", id="None"),
        pytest.param(
            admitting(**{"from": "Selector", "selector": {"matchLabels": {"team": "ml"}}}),
            "listener http accepts routes from namespaces with the labels team=ml only",
            id="by labels",
        ),
        pytest.param(
            admitting(**{"from": "Selector", "selector": {"matchExpressions": []}}),
            "listener http accepts routes from namespaces with the labels that its selector names only",
            id="by an expression",
        ),
        pytest.param(
            listener(allowedRoutes={"kinds": [{"kind": "GRPCRoute"}], "namespaces": {"from": "All"}}),
            "listener http accepts only GRPCRoute, not HTTPRoute",
            id="by kind",
        ),
        pytest.param(
            listener(protocol="TCP", allowedRoutes={"namespaces": {"from": "All"}}),
            "listener http speaks TCP, which does not support HTTPRoutes",
            id="by protocol",
        ),
    ],
)
def test_a_listener_that_does_not_allow_it_is_named_with_what_it_allows(one: dict[str, Any], why: str) -> None:
    said = refusal(refused("NotAllowedByListeners"), gateway(one))
    assert said == (
        f"Gateway public in namespace gateways refuses the route (NotAllowedByListeners): {why}. Allow HTTPRoutes of"
        " namespace ml in allowedRoutes of one of them, or name a Gateway or listener in spec.traffic.parentRefs"
        " that allows them"
    )


def test_only_the_listener_that_was_asked_for_is_spoken_of() -> None:
    said = refusal(refused("NotAllowedByListeners", section="https"), gateway(listener(), listener("https")))
    assert said is not None
    assert said.startswith("listener https of Gateway public in namespace gateways refuses the route")
    assert "listener http takes" not in said


def test_a_host_that_no_listener_serves_is_named() -> None:
    route = refused("NoMatchingListenerHostname", hostnames=["a.example.com", "b.example.org"])
    said = refusal(route, gateway(listener(hostname="*.example.com"), listener("tls", hostname="x.example.net")))
    assert said is not None
    assert "listener http serves *.example.com; listener tls serves x.example.net" in said
    assert "Correct spec.traffic.hostnames (b.example.org)" in said


def test_a_listener_that_does_not_exist_points_to_its_field() -> None:
    said = refusal(refused("NoMatchingParent", section="htps"), gateway(listener()))
    assert said is not None
    assert "listener htps of Gateway public" in said
    assert "sectionName in spec.traffic.parentRefs" in said


@pytest.mark.parametrize("reason", ["NotAllowedByListeners", "NoMatchingListenerHostname", "UnsupportedValue", "New"])
def test_a_gateway_that_cannot_be_read_is_still_told_of(reason: str) -> None:
    said = refusal(refused(reason, message="No room at the inn."), {})
    assert said is not None
    assert f"refuses the route ({reason}: No room at the inn): " in said
    assert "spec.traffic" in said


def test_a_route_is_accepted_once_any_gateway_has_taken_it() -> None:
    route = refused("NotAllowedByListeners")
    assert not is_accepted({"metadata": route["metadata"], "spec": {}})
    assert not is_accepted(route)
    taken = acceptance({"metadata": {"generation": 1}, "spec": {"parentRefs": [{"name": "other"}]}})
    assert is_accepted({**route, "status": taken})
    both = {"parents": [*route["status"]["parents"], *taken["parents"]]}
    assert is_accepted({**route, "status": both})
