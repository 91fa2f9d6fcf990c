"""What one look at a model sees: pods, endpoints, the route."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model, spec, status
from tests.controller.reconciling.seeing import BLUE, GREEN, IRIS, NOW, live, seen
from tests.workloads.children import Rendered, revision_of

from viridian.api.names import Color
from viridian.controller.children.drift import Drift
from viridian.controller.reconciling.observe import observe
from viridian.kube.resources import (
    CONTROLLER_REVISION,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GATEWAY,
    HTTP_ROUTE,
    POD,
    SERVICE,
)
from viridian.rollout.observed import ColorView, Evidence, Observed, Pod, RouteFacts
from viridian.workloads.revisions import build_controller_revision

Change = Callable[[dict[str, Any]], object]


def pod(uid: str, color: str, revision: str = "iris-1") -> dict[str, Any]:
    labels = {"viridian.dev/model": "iris", "viridian.dev/color": color, "viridian.dev/revision": revision}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"kind": "Pod", "metadata": {"name": uid, "uid": uid, "labels": labels}, "status": ready}


def slice_of(service: str, *endpoints: dict[str, Any] | None, color: str | None = "blue") -> dict[str, Any]:
    labels = {"viridian.dev/model": "iris", **({"viridian.dev/color": color} if color else {})}
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": service, "labels": labels},
        "endpoints": list(endpoints) or None,
    }


def endpoint(uid: str, **conditions: bool) -> dict[str, Any]:
    return {"targetRef": {"kind": "Pod", "uid": uid}, "conditions": conditions}


async def test_nothing_is_there_yet(api: FakeApi) -> None:
    api.put(GATEWAY, {"kind": "Gateway", "metadata": {"name": "public"}})
    assert await seen(api) == Observed(generation=0, colors={BLUE: ColorView(), GREEN: ColorView()}, revisions={})


async def test_a_model_that_serves(api: FakeApi, made: Rendered) -> None:
    # given its children, with a pod that was found, one that was not, and an old one of the other color
    api.put(POD, pod("p1", "blue"), pod("p2", "blue"), pod("p3", "green", "iris-0"))
    api.put(ENDPOINT_SLICE, slice_of("iris-blue-x", endpoint("p1", ready=True), endpoint("p2", ready=False)))

    # when
    observed = await seen(api)

    # then
    pods = Pod("p1", "iris-1", True, False, name="p1"), Pod("p2", "iris-1", True, False, name="p2")
    assert observed.colors == {
        BLUE: ColorView("iris-1", 2, pods, frozenset({"p1"}), has_service=True, has_budget=True),
        GREEN: ColorView(
            "iris-1", 0, (Pod("p3", "iris-0", True, False, name="p3"),), frozenset(), has_service=True, has_budget=True
        ),
    }
    assert observed.colors[BLUE].serving("iris-1") == 1
    assert observed.revisions == {"iris-1": made.revision}
    assert observed.route == RouteFacts(rules=({BLUE: 100, GREEN: 0},))
    assert (observed.stable_service, observed.gateway_problem) == (BLUE, None)


@pytest.mark.usefixtures("made")
async def test_why_pods_of_a_color_cannot_be_created(api: FakeApi) -> None:
    # given a Deployment with the condition that says so
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: few"}
    live(api, DEPLOYMENT, "iris-blue")["status"] = {"conditions": [failure]}
    # then it is told of that color
    colors = (await seen(api)).colors
    assert colors[BLUE].refusal.startswith("exceeded quota: few")
    assert colors[GREEN].refusal == ""


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
@pytest.mark.usefixtures("made")
async def test_what_was_evicted_or_shut_down_is_no_pod_but_its_number_was_used(api: FakeApi, phase: str) -> None:
    # given an object that nobody deletes beside a pod that runs
    over = pod("p2", "blue", "iris-7") | {"status": {"phase": phase, "reason": "Evicted"}}
    api.put(POD, pod("p1", "blue"), over)
    # when
    observed = await seen(api)
    # then only the one that runs is seen, and the other's revision is not given again
    assert [one.uid for one in observed.colors[BLUE].pods] == ["p1"]
    assert observed.highest == 7


@pytest.mark.usefixtures("made")
async def test_the_endpoints_of_a_service_that_was_deleted_publish_nothing(api: FakeApi) -> None:
    # given a published pod
    api.put(POD, pod("p1", "blue"))
    api.put(ENDPOINT_SLICE, slice_of("iris-blue-x", endpoint("p1", ready=True)))
    assert (await seen(api)).colors[BLUE].endpoints == {"p1"}
    # when its Service goes, and the slice is still there
    del api.objects[SERVICE, NAMESPACE, "iris-blue"]
    # then it leads nowhere
    assert (await seen(api)).colors[BLUE].endpoints == frozenset()


@pytest.mark.parametrize(
    "slices",
    [
        [slice_of("iris-blue-x")],
        [slice_of("iris-blue-x", {"conditions": {"ready": True}})],
        [slice_of("iris-blue-x", {"targetRef": {"uid": "p1"}, "conditions": None})],
        [slice_of("iris-green-x", endpoint("p1", ready=True), color="green")],
        [slice_of("iris-x", endpoint("p1", ready=True), color=None)],
    ],
    ids=["empty", "no pod", "no conditions", "of the other color", "of the Service of stable"],
)
@pytest.mark.usefixtures("made")
async def test_endpoints_that_do_not_publish_a_pod_in_its_color(api: FakeApi, slices: list[dict[str, Any]]) -> None:
    api.put(POD, pod("p1", "blue"))
    api.put(ENDPOINT_SLICE, *slices)
    assert (await seen(api)).colors[BLUE].endpoints == frozenset()


@pytest.mark.parametrize(
    ("selector", "color"),
    [
        ({"viridian.dev/model": "iris", "viridian.dev/color": "green"}, GREEN),
        ({"viridian.dev/model": "iris", "viridian.dev/color": "red"}, None),
        ({"viridian.dev/model": "iris", "viridian.dev/color": "green", "tier": "gold"}, None),
        ({"viridian.dev/color": "green"}, None),
        ({}, None),
        (None, None),
    ],
    ids=str,
)
@pytest.mark.usefixtures("made")
async def test_whom_the_service_of_stable_selects(
    api: FakeApi, selector: dict[str, str] | None, color: Color | None
) -> None:
    live(api, SERVICE, "iris")["spec"]["selector"] = selector
    assert (await seen(api)).stable_service is color


def rule(route: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = route["spec"]["rules"][0]
    return first


@pytest.mark.parametrize(
    ("edit", "weights", "follows"),
    [
        pytest.param(lambda route: None, {BLUE: 100, GREEN: 0}, True, id="ours"),
        pytest.param(
            lambda route: rule(route)["backendRefs"][0].update(weight=7), {BLUE: 7, GREEN: 0}, True, id="7 and 0"
        ),
        pytest.param(
            lambda route: rule(route)["backendRefs"][0].update(weight=0), {BLUE: 0, GREEN: 0}, True, id="zeros"
        ),
        pytest.param(lambda route: rule(route)["backendRefs"].pop(), {BLUE: 100}, False, id="one backend"),
        pytest.param(lambda route: rule(route)["backendRefs"].clear(), {}, False, id="no backend"),
        pytest.param(lambda route: rule(route).pop("timeouts"), {BLUE: 100, GREEN: 0}, False, id="no timeout"),
        pytest.param(
            lambda route: route["spec"].update(hostnames=["x"]), {BLUE: 100, GREEN: 0}, False, id="another host"
        ),
    ],
)
@pytest.mark.usefixtures("made")
async def test_a_route_that_somebody_edited_is_seen_as_it_is(
    api: FakeApi, edit: Change, weights: dict[Color, int], follows: bool
) -> None:
    edit(live(api, HTTP_ROUTE, "iris"))
    route = (await seen(api)).route
    assert route == RouteFacts(rules=(weights,), follows_spec=follows)


@pytest.mark.parametrize(
    ("stable", "candidate", "asked", "longest"),
    [
        ("2s", None, "2s", "2s"),
        ("30s", "2s", "2s", "30s"),  # a new revision in a hurry cuts no answer of the one that serves
        ("2s", "1m", "1m", "1m"),
        ("90s", "1m", "1m", "90s"),
        ("30s", None, "2s", "30s"),  # it was rolled back, and the spec still asks for it
        (None, None, "45s", "45s"),
    ],
)
async def test_a_route_waits_as_long_as_stable_and_the_candidate_do(
    api: FakeApi, stable: str | None, candidate: str | None, asked: str, longest: str
) -> None:
    # given revisions of which each has its own timeout, and a spec with the one that is asked for
    api.put_children("iris", IRIS.owner, {BLUE: 100, GREEN: 0})
    del api.objects[CONTROLLER_REVISION, NAMESPACE, "iris-1"], api.objects[DEPLOYMENT, NAMESPACE, "iris-blue"]
    for number, timeout in ((1, stable), (2, candidate)):
        if timeout is not None:
            revision = revision_of(spec(serving={"timeout": timeout}), IRIS.owner, number)
            api.put(CONTROLLER_REVISION, build_controller_revision(IRIS.owner, revision))
    roles = {} if stable is None else status(weight=0)
    if candidate is None:
        roles.pop("candidate", None)
    asking = model(spec=spec(serving={"timeout": asked}).manifest(), status=roles)
    # when routes with several timeouts are looked at, then the one that is as long as either needs is as it should be
    follows = set()
    for timeout in ("2s", "30s", "45s", "1m", "90s"):
        rule(live(api, HTTP_ROUTE, "iris"))["timeouts"] = {"request": timeout}
        _, observed = await observe(api, asking, Evidence(), Drift(api), now=NOW)
        assert observed.route is not None
        follows |= {timeout} if observed.route.follows_spec else set()
    assert follows == {longest}


async def test_a_gateway_that_is_not_there_is_named_with_its_field(api: FakeApi) -> None:
    # given a model behind two gateways, of which only the first exists
    api.put(GATEWAY, {"kind": "Gateway", "metadata": {"name": "public"}})
    parents = [{"name": "public"}, {"name": "public", "namespace": "gateways"}]
    behind_two = model(spec=spec(traffic={"parentRefs": parents}).manifest())

    # when
    _, observed = await observe(api, behind_two, Evidence(), Drift(api), now=NOW)

    # then
    said = "spec.traffic.parentRefs[1]: there is no Gateway public in namespace gateways"
    assert (observed.gateway_problem or "").startswith(said)
