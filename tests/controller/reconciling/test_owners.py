"""Children and revisions of others, of nobody, and of this model."""

from copy import deepcopy
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi
from tests.controller.reconciling.seeing import IRIS, NOW, live, seen
from tests.workloads.children import Rendered

from viridian.api.errors import BrokenChild, ForeignChild
from viridian.api.names import Color
from viridian.controller.children.adoption import _skip
from viridian.controller.children.drift import Drift
from viridian.controller.reconciling.observe import observe
from viridian.kube.errors import Conflict
from viridian.kube.resources import (
    AUTOSCALER,
    BUDGET,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    SERVICE,
    Kind,
)
from viridian.rollout.observed import Evidence

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


@pytest.mark.parametrize(
    "fate",
    [None, {"uid": "another"}, {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["orphan"]}],
    ids=["gone", "created anew", "being deleted"],
)
@pytest.mark.usefixtures("made")
async def test_a_model_that_is_deleted_takes_nothing_up(api: FakeApi, fate: dict[str, Any] | None) -> None:
    # given an orphan of `--cascade=orphan`, and a model of which the cache does not know yet that it is deleted
    live(api, DEPLOYMENT, "iris-blue")["metadata"]["ownerReferences"] = None
    if fate is None:
        del api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
    else:
        live(api, MODEL_DEPLOYMENT, "iris")["metadata"] |= fate
    # then it waits for the next look: Kubernetes would delete what refers to it
    with pytest.raises(Conflict, match="was deleted"):
        await seen(api)
    assert api.writes == []


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
