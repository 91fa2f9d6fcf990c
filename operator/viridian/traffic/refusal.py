"""Whether a gateway has taken a route, and if it does not: which listener, why, and what to do about it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from .claims import may_meet

Manifest = dict[str, Any]
Gateways = Mapping[tuple[str, str], Manifest]


def refusal(route: Manifest, gateways: Gateways) -> str | None:
    """A sentence about the first refusal in a route's status that speaks of its present generation, or None.

    Args:
        route: the live route.
        gateways: the Gateways that are known, by namespace and name.
    """
    generation, namespace = route["metadata"].get("generation", 0), route["metadata"]["namespace"]
    for parent in (route.get("status") or {}).get("parents", []):
        reference = parent.get("parentRef", {})
        place = (reference.get("namespace") or namespace, reference.get("name", "?"))
        for condition in parent.get("conditions", []):
            current = condition.get("observedGeneration", 0) >= generation
            if current and condition["type"] in {"Accepted", "ResolvedRefs"} and condition["status"] == "False":
                listeners = list(_listeners(gateways.get(place), reference.get("sectionName")))
                return _sentence(route, place, reference.get("sectionName"), listeners, condition)
    return None


def is_accepted(route: Manifest) -> bool:
    """Whether any gateway has taken a route, as it is or as it was before its last change."""
    return any(
        condition["type"] == "Accepted" and condition["status"] == "True"
        for parent in (route.get("status") or {}).get("parents", [])
        for condition in parent.get("conditions", [])
    )


def _sentence(
    route: Manifest, place: tuple[str, str], section: str | None, listeners: list[Manifest], condition: Manifest
) -> str:
    reason, said = condition.get("reason", ""), str(condition.get("message", "")).strip().rstrip(".")
    where = f"listener {section} of Gateway {place[1]}" if section else f"Gateway {place[1]}"
    head = f"{where} in namespace {place[0]} refuses the route ({reason}{f': {said}' if said else ''})"
    why = _WHY.get(reason, _in_general)(route, place, listeners)
    return f"{head}: {why}"


def _not_allowed(route: Manifest, place: tuple[str, str], listeners: list[Manifest]) -> str:
    namespace = route["metadata"]["namespace"]
    reasons = "; ".join(f"listener {one['name']} {_admits(one)}" for one in listeners)
    told = f"{reasons}. " if reasons else ""
    return (
        f"{told}Allow HTTPRoutes of namespace {namespace} in allowedRoutes of one of them, or name a Gateway or"
        " listener in spec.traffic.parentRefs that allows them"
    )


def _admits(listener: Manifest) -> str:
    """Whom a listener lets in, in words; what is left out is what the Gateway API takes for the default."""
    allowed = listener.get("allowedRoutes") or {}
    kinds = [kind.get("kind", "") for kind in allowed.get("kinds") or []]
    if kinds and "HTTPRoute" not in kinds:
        return f"accepts only {', '.join(kinds)}, not HTTPRoute"
    if listener.get("protocol") not in {None, "HTTP", "HTTPS"}:
        return f"speaks {listener['protocol']}, which does not support HTTPRoutes"
    namespaces = allowed.get("namespaces") or {}
    match namespaces.get("from", "Same"):
        case "Same":
            return "accepts routes from the Gateway's own namespace only"
        case "None":
            return "accepts no routes"
        case "Selector":
            labels = (namespaces.get("selector") or {}).get("matchLabels") or {}
            text = ", ".join(f"{key}={value}" for key, value in labels.items()) or "that its selector names"
            return f"accepts routes from namespaces with the labels {text} only"
    return "accepts routes from all namespaces"


def _no_host(route: Manifest, place: tuple[str, str], listeners: list[Manifest]) -> str:
    hosts = route["spec"].get("hostnames") or []
    served = "; ".join(f"listener {one['name']} serves {one.get('hostname') or 'all hosts'}" for one in listeners)
    strangers = [host for host in hosts if not any(may_meet(host, one.get("hostname") or "*") for one in listeners)]
    told = f"{served}. " if served else ""
    return (
        f"{told}Correct spec.traffic.hostnames ({', '.join(strangers or hosts)}), or give a listener a hostname that"
        " covers them"
    )


def _no_parent(route: Manifest, place: tuple[str, str], listeners: list[Manifest]) -> str:
    return (
        "it has no listener of that name, or none on that port that supports HTTPRoutes: correct sectionName in"
        " spec.traffic.parentRefs, or add the listener"
    )


def _in_general(route: Manifest, place: tuple[str, str], listeners: list[Manifest]) -> str:
    return "correct spec.traffic, or the Gateway; kubectl describe httproute shows its full status"


_WHY = {
    "NotAllowedByListeners": _not_allowed,
    "NoMatchingListenerHostname": _no_host,
    "NoMatchingParent": _no_parent,
}


def _listeners(gateway: Manifest | None, section: str | None) -> Iterator[Manifest]:
    listeners = (gateway or {}).get("spec", {}).get("listeners", [])
    return (listener for listener in listeners if section in {None, "", listener["name"]})
