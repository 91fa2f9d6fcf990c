"""The HTTPRoute: how it is made, how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_SEQ, HEADER_VIA, PORT_SPLIT, Color, color_name
from viridian.api.spec import Traffic

Weights = Mapping[Color, int]


@dataclass(frozen=True)
class RouteView:
    """What a live route says.

    `weights` holds the weights of each rule, in order; `problem` is the gateway's own sentence when it refused it.
    """

    uid: str
    seq: str | None
    weights: tuple[Weights, ...]
    traffic: dict[str, Any]
    aborted: str | None
    problem: str | None

    def weight(self, color: Color) -> int:
        """The highest weight that any rule gives to a color, in percent."""
        return max((rule.get(color, 0) for rule in self.weights), default=0)

    def gives(self, weights: Weights) -> bool:
        """Whether every rule has exactly these weights."""
        return bool(self.weights) and all(dict(rule) == dict(weights) for rule in self.weights)


def build_route_spec(model: str, traffic: Traffic, timeout: str, weights: Weights) -> dict[str, Any]:
    """The spec of the route: every rule carries both colors, and the weights sum to 100.

    Raises:
        ValueError: the weights do not sum to 100 (implementations disagree on what all zeros mean).
    """
    if sum(weights.values()) != 100 or min(weights.values()) < 0:
        raise ValueError(f"weights must be at least 0 and sum to 100, not {dict(weights)}")
    filters: list[dict[str, Any]] = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": HEADER_VIA, "value": "split"}]}}
    ]
    if traffic.path != "/":
        rewrite = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
        filters.append({"type": "URLRewrite", "urlRewrite": {"path": rewrite}})
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": traffic.path}}],
        "filters": filters,
        "backendRefs": [
            {
                "group": "",
                "kind": "Service",
                "name": color_name(model, color),
                "port": PORT_SPLIT,
                "weight": weights[color],
            }
            for color in Color
        ],
        "timeouts": {"request": timeout},
    }
    parents = [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent.manifest()} for parent in traffic.parent_refs
    ]
    return {
        "parentRefs": parents,
        **({"hostnames": list(traffic.hostnames)} if traffic.hostnames else {}),
        "rules": [rule],
    }


def build_route(metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """The route as it is first applied, with sequence number 1."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {**metadata, "annotations": {ANNOTATION_SEQ: "1"}},
        "spec": spec,
    }


def read_route(model: str, manifest: dict[str, Any]) -> RouteView:
    """Read a live route."""
    names = {color_name(model, color): color for color in Color}
    annotations = manifest["metadata"].get("annotations") or {}
    spec = manifest["spec"]
    weights = tuple(
        {names[ref["name"]]: ref.get("weight", 1) for ref in rule.get("backendRefs", []) if ref["name"] in names}
        for rule in spec.get("rules", [])
    )
    return RouteView(
        uid=manifest["metadata"]["uid"],
        seq=annotations.get(ANNOTATION_SEQ),
        weights=weights,
        traffic=traffic_of(spec),
        aborted=annotations.get(ANNOTATION_ABORTED),
        problem=_problem(manifest),
    )


def traffic_of(spec: dict[str, Any]) -> dict[str, Any]:
    """The part of a route's spec that follows `spec.traffic` rather than the rollout: where requests come from."""
    return {
        "parentRefs": spec.get("parentRefs", []),
        "hostnames": spec.get("hostnames", []),
        "rules": [
            {
                "matches": rule.get("matches", []),
                "filters": rule.get("filters", []),
                "timeouts": rule.get("timeouts", {}),
            }
            for rule in spec.get("rules", [])
        ],
    }


def _problem(manifest: dict[str, Any]) -> str | None:
    """The first refusal in the route's status that speaks of the present generation."""
    generation = manifest["metadata"].get("generation", 0)
    for parent in (manifest.get("status") or {}).get("parents", []):
        for condition in parent.get("conditions", []):
            current = condition.get("observedGeneration", 0) >= generation
            if current and condition["type"] in {"Accepted", "ResolvedRefs"} and condition["status"] == "False":
                where = parent.get("parentRef", {}).get("name", "?")
                return f"Gateway {where} refuses the route ({condition['reason']}): {condition.get('message', '')}"
    return None
