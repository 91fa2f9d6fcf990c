"""The one way in which a live route changes: a JSON Patch that tests whose route it is and what it was read as.

The resourceVersion is not tested: gateways write the route's status all the time. The tests of uid, of our own sequence
number and of every backend's name are what keeps a late or stray write from landing.
"""

from typing import Any

from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_EPOCH, ANNOTATION_SEQ, Color
from viridian_shared.counts.via import Via

from .route import RouteView, Weights, build_backends, build_header_filter, shadow_in, traffic_of

Patch = list[dict[str, Any]]


def patch_weights(
    model: str, route: RouteView, weights: Weights, pins: Weights, *, aborted: str | None, shadow: str | None = None
) -> Patch:
    """Move all rules in one write: the last one to `weights`, those before it to `pins`; pods mirror as `shadow` says.

    `aborted` names the revision whose rollback this is: observers treat it as failed even if the status is lost, and
    nothing is mirrored to it any more. None takes an earlier mark away.

    Raises:
        ValueError: weights do not sum to 100.
    """
    patch = _tests(route)
    last = len(route.backends) - 1
    for number, backends in enumerate(route.backends):
        wanted = build_backends(model, weights if number == last else pins)
        by_name = {backend["name"]: backend["weight"] for backend in wanted}
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
    return patch + _mirrors(route, shadow, aborted) + _marks(route, aborted)


def _mirrors(route: RouteView, shadow: str | None, aborted: str | None) -> Patch:
    """Let each rule tell pods what to mirror.

    In a rollback, the mirrors of the gateway itself go too: the operator makes none, but a person may have.
    """
    patch: Patch = []
    for number, filters in enumerate(route.filters):
        wanted = list(filters)
        if aborted is not None:
            wanted = [each for each in wanted if each.get("type") != "RequestMirror"]
        if shadow_in(filters) != shadow:
            header = build_header_filter(Via.SPLIT if number == len(route.filters) - 1 else Via.PIN, shadow)
            wanted = [header, *(each for each in wanted if each.get("type") != header["type"])]
        if wanted != filters:
            at = f"/spec/rules/{number}/filters"
            patch += [{"op": "test", "path": at, "value": filters}] if filters else []
            patch.append({"op": "add", "path": at, "value": wanted})
    return patch


def patch_traffic(route: RouteView, spec: dict[str, Any], *, aborted: str | None) -> Patch:
    """Let the route be as `spec` has it, a complete one; to follow an edited `spec.traffic`, with the live weights.

    `aborted` is the mark of a rollback, as in `patch_weights`.
    """
    patch = _tests(route)
    wanted = traffic_of(spec)
    patch.append({"op": "add", "path": "/spec/parentRefs", "value": wanted["parentRefs"]})
    if wanted["hostnames"] or route.traffic["hostnames"]:
        patch.append({"op": "add", "path": "/spec/hostnames", "value": wanted["hostnames"]})
    patch.append({"op": "add", "path": "/spec/rules", "value": spec["rules"]})
    return patch + _marks(route, aborted)


def patch_epoch(route: RouteView, epoch: str) -> Patch:
    """Change nothing but the sequence number, in a term of leadership: what an earlier one has under way then fails."""
    mark = {"op": "add", "path": _annotation(ANNOTATION_EPOCH), "value": epoch}
    return [*_tests(route), *_marks(route, route.aborted), mark]


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
