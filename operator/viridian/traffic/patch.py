"""The one way in which a live route changes: a JSON Patch that tests whose route it is and what it was read as.

The resourceVersion is not tested: gateways write the route's status all the time. The tests of uid, of our own sequence
number and of every backend's name are what keeps a late or stray write from landing.
"""

from typing import Any

from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_SEQ, Color

from .route import RouteView, Weights, build_backends, traffic_of

Patch = list[dict[str, Any]]


def patch_weights(model: str, route: RouteView, weights: Weights, *, aborted: str | None) -> Patch:
    """Move all rules to `weights` in one write.

    `aborted` names the revision whose rollback this is: observers treat it as failed even if the status is lost.
    None takes an earlier mark away.

    Raises:
        ValueError: the weights do not sum to 100.
    """
    wanted = build_backends(model, weights)
    by_name = {backend["name"]: backend["weight"] for backend in wanted}
    patch = _tests(route)
    for number, backends in enumerate(route.backends):
        at = f"/spec/rules/{number}/backendRefs"
        names = [backend["name"] for backend in backends]
        if sorted(names) == sorted(by_name):
            for index, name in enumerate(names):
                patch.append({"op": "test", "path": f"{at}/{index}/name", "value": name})
                patch.append({"op": "add", "path": f"{at}/{index}/weight", "value": by_name[name]})
        else:
            # Somebody edited this rule. Weights alone could leave it with zeros only, or leave a stranger his share.
            patch += [{"op": "test", "path": at, "value": backends}] if backends else []
            patch.append({"op": "add", "path": at, "value": wanted})
    return patch + _marks(route, aborted)


def patch_traffic(route: RouteView, spec: dict[str, Any]) -> Patch:
    """Let the route follow an edited `spec.traffic`; weights stay as they are.

    `spec` is a complete route spec whose weights are the live ones.
    """
    patch = _tests(route)
    wanted = traffic_of(spec)
    patch.append({"op": "add", "path": "/spec/parentRefs", "value": wanted["parentRefs"]})
    if wanted["hostnames"] or route.traffic["hostnames"]:
        patch.append({"op": "add", "path": "/spec/hostnames", "value": wanted["hostnames"]})
    patch.append({"op": "replace", "path": "/spec/rules", "value": spec["rules"]})
    return patch + _marks(route, route.aborted)


def live_weights(route: RouteView) -> dict[Color, int]:
    """The weights of the default rule, which is the last one."""
    return dict(route.weights[-1]) if route.weights else {}


def _tests(route: RouteView) -> Patch:
    tests: Patch = [{"op": "test", "path": "/metadata/uid", "value": route.uid}]
    if route.seq is None:
        # Somebody took the number away, and a test cannot say that something is absent.
        return [*tests, {"op": "test", "path": "/metadata/resourceVersion", "value": route.version}]
    return [*tests, {"op": "test", "path": _annotation(ANNOTATION_SEQ), "value": route.seq}]


def _marks(route: RouteView, aborted: str | None) -> Patch:
    seq = int(route.seq) + 1 if route.seq is not None and route.seq.isdecimal() else 1
    marks: Patch = [] if route.annotations else [{"op": "add", "path": "/metadata/annotations", "value": {}}]
    marks.append({"op": "add", "path": _annotation(ANNOTATION_SEQ), "value": str(seq)})
    if aborted is not None:
        marks.append({"op": "add", "path": _annotation(ANNOTATION_ABORTED), "value": aborted})
    elif route.aborted is not None:
        marks.append({"op": "remove", "path": _annotation(ANNOTATION_ABORTED)})
    return marks


def _annotation(name: str) -> str:
    return "/metadata/annotations/" + name.replace("~", "~0").replace("/", "~1")
