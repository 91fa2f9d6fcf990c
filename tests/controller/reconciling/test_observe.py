"""What is seen of a model's children."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model, spec, status
from tests.workloads.children import Rendered, revision_of

from viridian.api.errors import BrokenChild, ForeignChild
from viridian.api.names import Color
from viridian.controller.children.adoption import _skip
from viridian.controller.children.drift import Drift
from viridian.controller.reconciling.observe import observe
from viridian.kube.resources import (
    AUTOSCALER,
    BUDGET,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GATEWAY,
    HTTP_ROUTE,
    POD,
    SERVICE,
    Kind,
)
from viridian.rollout.observed import ColorView, Evidence, Observed, Pod, RouteFacts
from viridian.workloads.revisions import build_controller_revision

BLUE, GREEN = Color.BLUE, Color.GREEN
IRIS = model()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def made(api: FakeApi) -> Rendered:
    """The children of a model that serves from blue."""
    return api.put_children("iris", IRIS.owner, {BLUE: 100, GREEN: 0})


async def seen(api: FakeApi) -> Observed:
    _, observed = await observe(api, IRIS, Evidence(), Drift(api), now=NOW)
    return observed


def live(api: FakeApi, kind: Kind, name: str) -> dict[str, Any]:
    return api.objects[kind, NAMESPACE, name]


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


OF_EACH_KIND = pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((DEPLOYMENT, f"iris-{color}") for color in Color),
        *((SERVICE, name) for name in ("iris", "iris-blue", "iris-green")),
        (HTTP_ROUTE, "iris"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.plural,
)


@OF_EACH_KIND
@pytest.mark.parametrize(
    ("owners", "whose"),
    [
        ([{"kind": "App", "name": "shop", "uid": "u9", "controller": True}], "belongs to App shop (UID u9)"),
        ([{"kind": "ModelDeployment", "name": "iris", "uid": "old"}], "belongs to ModelDeployment iris (UID old)"),
        ([{"kind": "ModelDeployment", "name": "iris", "uid": "model-iris"}], "belongs to ModelDeployment iris"),
    ],
    ids=["somebody else", "a deleted model of the same name", "ours, but we do not control it"],
)
@pytest.mark.usefixtures("made")
async def test_a_child_of_somebody_else_is_told_and_left_alone(
    api: FakeApi, kind: Kind, name: str, owners: list[dict[str, Any]] | None, whose: str
) -> None:
    live(api, kind, name)["metadata"]["ownerReferences"] = owners
    with pytest.raises(ForeignChild) as error:
        await seen(api)
    assert f"{live(api, kind, name)['kind']} {name} {whose}" in str(error.value)
    assert "give the model another name" in str(error.value)
    assert api.writes == []


@OF_EACH_KIND
@pytest.mark.usefixtures("made")
async def test_what_belongs_to_nobody_and_does_not_carry_our_label_is_a_strangers(
    api: FakeApi, kind: Kind, name: str
) -> None:
    live(api, kind, name)["metadata"] |= {"ownerReferences": [], "labels": {"app": "theirs"}}
    with pytest.raises(ForeignChild, match=f"{name} belongs to nobody"):
        await seen(api)
    assert api.writes == []


@OF_EACH_KIND
@pytest.mark.usefixtures("made")
async def test_what_belongs_to_nobody_and_carries_our_label_is_taken_up(api: FakeApi, kind: Kind, name: str) -> None:
    # given a child that a deletion has orphaned
    before = await seen(api)
    orphan = live(api, kind, name)
    orphan["metadata"]["ownerReferences"] = None
    api.writes.clear()

    # when
    observed = await seen(api)

    # then it is the model's own again, by one patch, and nothing else of it has changed
    assert observed == before
    assert [write for write in api.writes if write[0] != "dry run"] == [("patch", kind, name)]
    assert live(api, kind, name)["metadata"]["ownerReferences"][0]["uid"] == IRIS.owner.uid
    assert live(api, kind, name)["spec"] == orphan["spec"]


async def test_stored_revisions_of_others_are_not_ours(api: FakeApi, made: Rendered) -> None:
    # given one that a deleted model of the same name left
    left = deepcopy(made.controller_revision)
    left["metadata"]["name"] = "iris-9"
    left["metadata"]["ownerReferences"][0]["uid"] = "old"
    api.put(CONTROLLER_REVISION, left)
    assert (await seen(api)).revisions == {"iris-1": made.revision}


@pytest.mark.usefixtures("made")
async def test_a_stored_revision_that_is_broken_is_told(api: FakeApi) -> None:
    live(api, CONTROLLER_REVISION, "iris-1")["data"] = {}
    with pytest.raises(BrokenChild, match="ControllerRevision iris-1"):
        await seen(api)


def put_revision(api: FakeApi, made: Rendered, name: str, owner: str | None = None, **parts: Any) -> None:
    """A ControllerRevision with our label beside the model's own."""
    revision = deepcopy(made.controller_revision) | parts
    owners = [{"kind": "ModelDeployment", "name": "iris", "uid": owner, "controller": True}] if owner else []
    revision["metadata"] |= {"name": name, "ownerReferences": owners}
    api.put(CONTROLLER_REVISION, revision)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        pytest.param("iris-7", {"data": {}}, id="nothing in it"),
        pytest.param("iris-7", {"data": None}, id="no data"),
        pytest.param("iris-7", {"data": ["x"]}, id="other data"),
        pytest.param("iris-7", {"data": {"schema": 99}}, id="another layout"),
        pytest.param("iris-backup", {}, id="another name"),
        pytest.param("iris-007", {}, id="a name that we do not give"),
        pytest.param("web-6f9d", {"data": {"spec": {}}}, id="of a StatefulSet"),
    ],
)
async def test_an_orphaned_revision_that_cannot_be_ours_is_left_alone_and_blocks_nothing(
    api: FakeApi, made: Rendered, caplog: pytest.LogCaptureFixture, name: str, parts: dict[str, Any]
) -> None:
    # given one that carries our label
    put_revision(api, made, name, **parts)
    before = deepcopy(live(api, CONTROLLER_REVISION, name))
    # when the model is looked at twice
    api.writes.clear()
    _skip.cache_clear()
    observed = [await seen(api), await seen(api)]
    # then it is neither taken up nor taken for a revision, the log has it once, and its number is not given again
    assert [one.revisions for one in observed] == [{"iris-1": made.revision}] * 2
    assert observed[0].highest == (7 if name == "iris-7" else 1)
    assert live(api, CONTROLLER_REVISION, name) == before
    assert {verb for verb, *_ in api.writes} <= {"dry run"}
    assert caplog.text.count(f"ignored ControllerRevision {name}") == 1


async def test_an_orphaned_revision_of_ours_is_taken_up(api: FakeApi, made: Rendered) -> None:
    put_revision(api, made, "iris-7", revision=7)
    assert set((await seen(api)).revisions) == {"iris-1", "iris-7"}
    assert live(api, CONTROLLER_REVISION, "iris-7")["metadata"]["ownerReferences"][0]["uid"] == IRIS.owner.uid


async def test_what_was_taken_up_by_mistake_is_no_revision_that_could_be_deleted(api: FakeApi, made: Rendered) -> None:
    put_revision(api, made, "iris-backup", owner=IRIS.owner.uid)
    children, observed = await observe(api, IRIS, Evidence(), Drift(api), now=NOW)
    assert set(observed.revisions) == set(children.revisions) == {"iris-1"}


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


@pytest.mark.parametrize("kind", [AUTOSCALER, BUDGET], ids=lambda kind: kind.plural)
@pytest.mark.parametrize("owners", [[], [{"kind": "ScaledObject", "name": "keda", "uid": "u9", "controller": True}]])
@pytest.mark.usefixtures("made")
async def test_what_carries_our_label_under_another_name_is_in_nobodys_way(
    api: FakeApi, kind: Kind, owners: list[dict[str, Any]]
) -> None:
    # given an object that copies the labels of our Deployment
    before = await seen(api)
    labels = {"viridian.dev/model": "iris", "viridian.dev/color": "blue"}
    api.put(kind, {"kind": "X", "metadata": {"name": "keda-hpa-iris", "labels": labels, "ownerReferences": owners}})
    # when the model is looked at, then it is not seen, and stays as it is
    api.writes.clear()
    assert await seen(api) == before
    assert api.writes == [] or {verb for verb, *_ in api.writes} == {"dry run"}
