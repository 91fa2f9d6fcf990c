"""The HTTPRoute: how it is made, how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_SEQ, Color, color_name
from viridian.api.traffic import PinMatch, Traffic
from viridian_shared import shadow as mirroring
from viridian_shared.counts.via import HEADER, Via
from viridian_shared.pod import ports

from .refusal import Gateways, is_accepted, refusal

Weights = Mapping[Color, int]
_MODIFIER: Final = "RequestHeaderModifier"


@dataclass(frozen=True)
class RouteView:
    """What a live route says.

    `backends` holds the backends of each rule as they were read, `weights` what they give to our colors; `problem` is
    the gateway's own sentence when it refused the route; `accepted` says that one has taken it; `filters` are those of
    each rule, and `shadow` is what they have pods mirror: None for nothing, empty where they do not say the same. The
    last rule is the split, those before it are pins.
    """

    uid: str
    version: str
    annotations: Mapping[str, str]
    backends: tuple[list[dict[str, Any]], ...]
    weights: tuple[Weights, ...]
    traffic: dict[str, Any]
    problem: str | None
    accepted: bool = True
    filters: tuple[list[dict[str, Any]], ...] = ()
    shadow: str | None = None

    @property
    def seq(self) -> str | None:
        """Our own sequence number; None when somebody took it away."""
        return self.annotations.get(ANNOTATION_SEQ)

    @property
    def aborted(self) -> str | None:
        """The revision whose rollback the route is marked with."""
        return self.annotations.get(ANNOTATION_ABORTED)

    def gives(self, weights: Weights, pins: Weights, shadow: str | None = None) -> bool:
        """Whether the split and every pin have exactly these weights, and all have this mirrored."""
        *pinned, split = self.weights or ({},)
        same = dict(split) == dict(weights) and all(dict(rule) == dict(pins) for rule in pinned)
        return same and self.shadow == shadow


def build_route_spec(
    model: str, traffic: Traffic, timeout: str, weights: Weights, pins: Weights, shadow: str | None = None
) -> dict[str, Any]:
    """The spec of the route: every rule carries both colors, and the weights sum to 100.

    Args:
        model: name of the model.
        traffic: what the user asks for.
        timeout: how long a request may take.
        weights: of the split, in percent.
        pins: of each rule for pinned users, in percent.
        shadow: what pods are to mirror, as the header has it; None for nothing.

    Raises:
        ValueError: weights do not sum to 100 (implementations disagree on what all zeros mean).
    """
    path = {"path": {"type": "PathPrefix", "value": traffic.path}}
    pinned = [
        [
            {**path, "headers": [{"type": "Exact", **header.manifest()} for header in match.headers]}
            for match in pin.matches
        ]
        for pin in traffic.pins
    ]
    rules = [
        *(_rule(model, matches, (Via.PIN, shadow), traffic.path, timeout, pins) for matches in pinned),
        _rule(model, [path], (Via.SPLIT, shadow), traffic.path, timeout, weights),
    ]
    parents = [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent.manifest()} for parent in traffic.parent_refs
    ]
    return {
        "parentRefs": parents,
        **({"hostnames": list(traffic.hostnames)} if traffic.hostnames else {}),
        "rules": rules,
    }


def _headers(match: PinMatch) -> list[dict[str, Any]]:
    return [{"type": "Exact", **header.manifest()} for header in match.headers]


def _rule(
    model: str,
    matches: list[dict[str, Any]],
    told: tuple[Via, str | None],
    path: str,
    timeout: str,
    weights: Weights,
) -> dict[str, Any]:
    filters: list[dict[str, Any]] = [build_header_filter(*told)]
    if path != "/":
        rewrite = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
        filters.append({"type": "URLRewrite", "urlRewrite": {"path": rewrite}})
    return {
        "matches": matches,
        "filters": filters,
        "backendRefs": build_backends(model, weights),
        "timeouts": {"request": timeout},
    }


def build_header_filter(via: Via, shadow: str | None) -> dict[str, Any]:
    """What tells pods how a request came and what to mirror. A client's own headers of these names never arrive."""
    headers: dict[str, Any] = {"set": [{"name": HEADER, "value": via.value}]}
    if shadow is None:
        headers["remove"] = [mirroring.HEADER]
    else:
        headers["set"].append({"name": mirroring.HEADER, "value": shadow})
    return {"type": _MODIFIER, "requestHeaderModifier": headers}


def shadow_in(filters: list[dict[str, Any]]) -> str | None:
    """What the filters of a rule have pods mirror, as the header has it; None for nothing."""
    headers = (each for one in filters for each in (one.get("requestHeaderModifier") or {}).get("set") or [])
    return next((each["value"] for each in headers if each["name"] == mirroring.HEADER), None)


def _without_shadow(filter_: dict[str, Any]) -> dict[str, Any]:
    """A filter as it is outside of shadow steps."""
    if shadow_in([filter_]) is None:
        return filter_
    headers = filter_["requestHeaderModifier"]
    left = [each for each in headers["set"] if each["name"] != mirroring.HEADER]
    removed = [*(headers.get("remove") or []), mirroring.HEADER]
    return {**filter_, "requestHeaderModifier": {**headers, "set": left, "remove": removed}}


def build_backends(model: str, weights: Weights) -> list[dict[str, Any]]:
    """The backends of a rule: always both colors.

    Raises:
        ValueError: the weights do not sum to 100.
    """
    if weights.keys() != set(Color) or sum(weights.values()) != 100 or min(weights.values()) < 0:
        raise ValueError(f"both colors need weights that are at least 0 and sum to 100, not {dict(weights)}")
    return [
        {
            "group": "",
            "kind": "Service",
            "name": color_name(model, color),
            "port": ports.SPLIT,
            "weight": weights[color],
        }
        for color in Color
    ]


def build_route(metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """The route as it is first applied, with sequence number 1."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {**metadata, "annotations": {ANNOTATION_SEQ: "1"}},
        "spec": spec,
    }


def read_route(model: str, manifest: dict[str, Any], gateways: Gateways | None = None) -> RouteView:
    """Read a live route; with its Gateways, by namespace and name, a refusal can be told in full."""
    names = {color_name(model, color): color for color in Color}
    metadata, spec = manifest["metadata"], manifest["spec"]
    rules = spec.get("rules") or []
    backends = tuple(rule.get("backendRefs") or [] for rule in rules)
    filters = tuple(rule.get("filters") or [] for rule in rules)
    shadows = {shadow_in(each) for each in filters} or {None}
    return RouteView(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        annotations=metadata.get("annotations") or {},
        backends=backends,
        weights=tuple(
            {names[ref["name"]]: ref.get("weight", 1) for ref in refs if ref["name"] in names} for refs in backends
        ),
        traffic=traffic_of(spec),
        problem=refusal(manifest, gateways or {}),
        accepted=is_accepted(manifest),
        filters=filters,
        shadow=shadows.pop() if len(shadows) == 1 else "",
    )


def traffic_of(spec: dict[str, Any]) -> dict[str, Any]:
    """All of a route's spec that does not follow the rollout, which is all but the weights and what is mirrored."""
    return {
        "parentRefs": spec.get("parentRefs", []),
        "hostnames": spec.get("hostnames", []),
        "rules": [
            {
                "matches": rule.get("matches", []),
                "filters": [_without_shadow(each) for each in rule.get("filters", [])],
                "backends": [{**ref, "weight": None} for ref in rule.get("backendRefs") or []],
                "timeouts": rule.get("timeouts", {}),
            }
            for rule in spec.get("rules", [])
        ],
    }
