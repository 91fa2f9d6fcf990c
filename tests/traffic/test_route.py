"""Reading live routes, odd ones too."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.traffic.routes import MODEL, TRAFFIC, live_route, weights

from viridian.api.names import Color
from viridian.api.traffic import Traffic
from viridian.traffic.route import build_route_spec, read_route, traffic_of

Change = Callable[[dict[str, Any]], object]
BLUE, GREEN = Color.BLUE, Color.GREEN


def test_a_route_of_our_own_is_read_as_it_was_made() -> None:
    # given a route with one rule, as it is first applied
    route = live_route(80)
    del route["spec"]["rules"][0]

    # when
    read = read_route(MODEL, route)

    # then
    assert (read.uid, read.seq, read.aborted, read.problem) == ("route-1", "1", None, None)
    assert read.gives(weights(80), weights(80))
    assert not read.gives(weights(79), weights(79))
    assert read.traffic == traffic_of(build_route_spec(MODEL, TRAFFIC, "30s", weights(3), weights(3)))


@pytest.mark.parametrize(
    ("refs", "expected"),
    [
        ([{"name": "iris-blue", "weight": 90}, {"name": "iris-green", "weight": 10}], {BLUE: 90, GREEN: 10}),
        ([{"name": "iris-green", "weight": 0}, {"name": "iris-blue", "weight": 7}], {BLUE: 7, GREEN: 0}),
        # Without a weight the Gateway API takes 1.
        ([{"name": "iris-blue"}, {"name": "iris-green"}], {BLUE: 1, GREEN: 1}),
        ([{"name": "iris-blue", "weight": 100}], {BLUE: 100}),
        ([{"name": "other-blue", "weight": 50}, {"name": "iris-green", "weight": 50}], {GREEN: 50}),
        ([{"name": "other"}], {}),
        ([], {}),
        (None, {}),
    ],
    ids=str,
)
def test_weights_are_read_by_name(refs: list[dict[str, Any]] | None, expected: dict[Color, int]) -> None:
    # given a second rule with these backends
    route = live_route(100)
    route["spec"]["rules"][1]["backendRefs"] = refs

    # when
    read = read_route(MODEL, route)

    # then both rules are known, and the route gives weights only if all rules do
    assert read.weights == (weights(100), expected)
    assert read.weights[-1].get(GREEN, 0) == expected.get(GREEN, 0)
    assert not read.gives(weights(100), weights(100))


def test_a_route_without_rules_gives_nothing() -> None:
    route = live_route()
    del route["spec"]["rules"]
    read = read_route(MODEL, route)
    assert not read.weights
    assert not read.gives(weights(100), weights(100))


@pytest.mark.parametrize("annotations", [None, {}, {"example.com/note": "x"}], ids=str)
def test_annotations_may_be_missing(annotations: dict[str, str] | None) -> None:
    route = live_route()
    route["metadata"]["annotations"] = annotations
    read = read_route(MODEL, route)
    assert (read.seq, read.aborted) == (None, None)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda spec: spec["parentRefs"].clear(), id="a gateway"),
        pytest.param(lambda spec: spec.pop("hostnames"), id="host names"),
        pytest.param(lambda spec: spec["rules"].append(spec["rules"][0]), id="a rule"),
        pytest.param(lambda spec: spec["rules"][0]["filters"].pop(0), id="the filter that says split"),
        pytest.param(lambda spec: spec["rules"][0]["matches"][0]["path"].update(value="/x"), id="a path"),
        pytest.param(lambda spec: spec["rules"][0].pop("timeouts"), id="a timeout"),
        pytest.param(lambda spec: spec["rules"][0]["backendRefs"].append({"name": "other"}), id="a stranger"),
        pytest.param(lambda spec: spec["rules"][0]["backendRefs"][0].update(port=80), id="a port"),
    ],
)
def test_an_edit_is_seen_in_all_but_the_weights(edit: Change) -> None:
    wanted = build_route_spec(MODEL, TRAFFIC, "30s", weights(100), weights(100))
    live = build_route_spec(MODEL, TRAFFIC, "30s", weights(60), weights(60))
    assert traffic_of(live) == traffic_of(wanted)
    edit(live)
    assert traffic_of(live) != traffic_of(wanted)


def parent(generation: int | None, status: str = "False", kind: str = "Accepted") -> dict[str, Any]:
    condition: dict[str, Any] = {
        "type": kind,
        "status": status,
        "reason": "NotAllowedByListeners",
        "message": "no such host",
    }
    if generation is not None:
        condition["observedGeneration"] = generation
    return {"parentRef": {"name": "public"}, "conditions": [condition]}


@pytest.mark.parametrize(
    ("parents", "refused"),
    [
        pytest.param([], False, id="nobody has looked yet"),
        pytest.param([parent(3)], True, id="refused as it is"),
        pytest.param([parent(4)], True, id="refused as it is by now"),
        pytest.param([parent(2)], False, id="refused as it was before"),
        pytest.param([parent(None)], False, id="refused at no known time"),
        pytest.param([parent(3, "True")], False, id="accepted"),
        pytest.param([parent(3, "Unknown")], False, id="not known"),
        pytest.param([parent(3, kind="ResolvedRefs")], True, id="a backend that is not found"),
        pytest.param([parent(3, kind="Programmed")], False, id="a condition of the gateway's own"),
        pytest.param([parent(3, "True"), parent(3)], True, id="refused by the second gateway"),
    ],
)
def test_what_the_gateway_refuses_now_is_told(parents: list[dict[str, Any]], refused: bool) -> None:
    # given a route at generation 3
    route = live_route() | {"status": {"parents": parents}}

    # when
    problem = read_route(MODEL, route).problem

    # then
    said = "Gateway public in namespace default refuses the route (NotAllowedByListeners: no such host): "
    assert (problem is not None) is refused
    assert (problem or said).startswith(said)


def test_each_rule_sets_its_own_via_and_pins_come_first() -> None:
    # given two sorts of pinned users
    pins = [
        {"matches": [{"headers": [{"name": "x-user-group", "value": "beta"}]}]},
        {
            "matches": [
                {"headers": [{"name": "x-region", "value": "eu"}, {"name": "x-tier", "value": "1"}]},
                {"headers": [{"name": "x-staff", "value": "yes"}]},
            ]
        },
    ]
    traffic = Traffic.model_validate({"parentRefs": [{"name": "public"}], "path": "/iris", "pins": pins})

    # when
    rules = build_route_spec(MODEL, traffic, "30s", weights(90), weights(0))["rules"]

    # then every rule sets the header itself, whatever a client sent, and rewrites the path
    assert [rule["filters"][0]["requestHeaderModifier"]["set"] for rule in rules] == [
        [{"name": "Viridian-Via", "value": via}] for via in ("pin", "pin", "split")
    ]
    assert all(
        rule["filters"][1]["urlRewrite"]["path"] == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
        for rule in rules
    )
    assert [[sorted(h["name"] for h in m.get("headers", [])) for m in rule["matches"]] for rule in rules] == [
        [["x-user-group"]],
        [["x-region", "x-tier"], ["x-staff"]],
        [[]],
    ]
    assert all(match["path"]["value"] == "/iris" for rule in rules for match in rule["matches"])
    assert [{ref["name"]: ref["weight"] for ref in rule["backendRefs"]} for rule in rules] == [
        {"iris-blue": 0, "iris-green": 100},
        {"iris-blue": 0, "iris-green": 100},
        {"iris-blue": 90, "iris-green": 10},
    ]
