"""Live routes as a gateway and its API server would show them."""

from copy import deepcopy
from typing import Any

import jsonpatch

from viridian.api.names import Color
from viridian.api.traffic import Traffic
from viridian.traffic.patch import Patch
from viridian.traffic.route import Weights, build_route, build_route_spec

MODEL = "iris"
TRAFFIC = Traffic.model_validate({"parentRefs": [{"name": "public"}], "hostnames": ["a.example.com"], "path": "/iris"})


def weights(blue: int) -> dict[Color, int]:
    return {Color.BLUE: blue, Color.GREEN: 100 - blue}


def live_route(blue: int = 90, traffic: Traffic = TRAFFIC) -> dict[str, Any]:
    """A route with two rules, one for pinned users and one for all others."""
    spec = build_route_spec(MODEL, traffic, "30s", weights(blue), weights(blue))
    pin = deepcopy(spec["rules"][0])
    pin["matches"][0]["headers"] = [{"type": "Exact", "name": "X-Group", "value": "beta"}]
    route = build_route({"name": MODEL, "namespace": "default"}, {**spec, "rules": [pin, *spec["rules"]]})
    route["metadata"] |= {"uid": "route-1", "resourceVersion": "41", "generation": 3}
    route["metadata"]["annotations"]["example.com/note"] = "somebody else's"
    return route


def sent(patch: Patch, route: dict[str, Any]) -> dict[str, Any]:
    """What the API server makes of a route: all of a patch, or a refusal that leaves it as it was."""
    found: dict[str, Any] = jsonpatch.JsonPatch(patch).apply(route)
    return found


def weights_of(route: dict[str, Any]) -> list[Weights]:
    """The weights of each rule, read without the code under test."""
    return [
        {Color(ref["name"].removeprefix(f"{MODEL}-")): ref["weight"] for ref in rule["backendRefs"]}
        for rule in route["spec"]["rules"]
    ]


def acceptance(route: dict[str, Any]) -> dict[str, Any]:
    """The status that gateways write to a route which they take."""
    generation = route["metadata"].get("generation", 0)
    accepted = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {
        "parents": [
            {"parentRef": parent, "controllerName": "example.com/gateway", "conditions": [accepted]}
            for parent in route["spec"].get("parentRefs", [])
        ]
    }
