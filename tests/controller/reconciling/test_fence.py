"""The fence around a model: what an earlier leader has read and not yet written does not land."""

from copy import deepcopy
from typing import Any, cast

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model, status

from viridian.api.names import ANNOTATION_EPOCH, ANNOTATION_SEQ, Color
from viridian.controller.cache.models import Model, Models
from viridian.controller.reconciling import fence as module
from viridian.controller.reconciling.fence import Fence
from viridian.kube.client import KubeClient
from viridian.kube.errors import Conflict, Refused
from viridian.kube.resources import DEPLOYMENT, HTTP_ROUTE, MODEL_DEPLOYMENT, SERVICE, Kind

EPOCH = "2-0123"
WRITES = [
    ("patch", HTTP_ROUTE, "iris"),
    ("replace", SERVICE, "iris"),
    ("replace", DEPLOYMENT, "iris-blue"),
    ("replace", DEPLOYMENT, "iris-green"),
    ("replace_status", MODEL_DEPLOYMENT, "iris"),
]


class Stage:
    """A model in the middle of a rollout, and a new leader."""

    def __init__(self, **parts: Any) -> None:
        self.api, self.models = FakeApi(), Models()
        made = model(**{"status": status(), **parts})
        self.api.put_children("iris", made.owner, {Color.BLUE: 50, Color.GREEN: 50})
        self.api.put(MODEL_DEPLOYMENT, made.manifest)
        self.model = self.models.see(self.get(MODEL_DEPLOYMENT, "iris"))
        self.fence = Fence(cast("KubeClient", self.api), self.models, EPOCH)

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        return deepcopy(self.api.objects[kind, NAMESPACE, name])

    def versions(self) -> dict[tuple[str, str], str]:
        return {(kind.plural, name): self.get(kind, name)["metadata"]["resourceVersion"] for _, kind, name in WRITES}


async def test_everything_that_was_read_changes_and_the_status_is_last() -> None:
    # given a model that moves, and what an earlier leader has read of it
    stage = Stage()
    before, spec = stage.versions(), stage.get(DEPLOYMENT, "iris-green")["spec"]

    # when a new leader fences it
    fenced = await stage.fence.ensure(stage.model)

    # then nothing of it is at the version that was read, the status was written after all else, and only marks changed
    assert stage.api.writes == WRITES
    assert all(version != before[name] for name, version in stage.versions().items())
    assert stage.get(HTTP_ROUTE, "iris")["metadata"]["annotations"][ANNOTATION_SEQ] == "2"
    for kind, name in [(DEPLOYMENT, "iris-blue"), (DEPLOYMENT, "iris-green"), (SERVICE, "iris")]:
        assert stage.get(kind, name)["metadata"]["annotations"][ANNOTATION_EPOCH] == EPOCH
    assert stage.get(DEPLOYMENT, "iris-green")["spec"] == spec
    assert fenced.status == stage.model.status.model_copy(update={"epoch": EPOCH})
    assert stage.models.get(fenced.key) == fenced


async def test_a_model_is_fenced_once_in_a_term() -> None:
    stage = Stage()
    fenced = await stage.fence.ensure(stage.model)
    stage.api.writes.clear()
    assert await stage.fence.ensure(fenced) == fenced
    assert stage.api.writes == []


async def test_a_model_that_no_leader_knew_needs_no_fence() -> None:
    stage = Stage(status={})
    assert stage.fence.holds(stage.model)
    assert await stage.fence.ensure(stage.model) == stage.model
    assert stage.api.writes == []


@pytest.mark.parametrize("number", range(len(WRITES)))
async def test_a_fence_that_fails_half_way_is_no_fence_yet(number: int) -> None:
    # given an API that refuses one of the writes
    stage = Stage()
    refused = Refused(403, "a webhook says no")

    async def refuse(*arguments: Any, **more: Any) -> Any:
        if len(stage.api.writes) == number:
            raise refused
        return await original[WRITES[number][0]](*arguments, **more)

    original = {verb: getattr(stage.api, verb) for verb, _, _ in WRITES}
    setattr(stage.api, WRITES[number][0], refuse)

    # when the model is to be fenced
    with pytest.raises(Refused):
        await stage.fence.ensure(stage.model)

    # then it does not count as fenced, and the next try makes it whole
    live = stage.models.see(stage.get(MODEL_DEPLOYMENT, "iris"))
    assert not stage.fence.holds(live)
    setattr(stage.api, WRITES[number][0], original[WRITES[number][0]])
    assert stage.fence.holds(await stage.fence.ensure(live))


async def test_a_fence_is_made_over_a_fresh_look_when_somebody_was_faster() -> None:
    # given a Deployment that changes while the fence is put up, as its controller counts pods
    stage = Stage()
    stage.api.trouble = [Conflict(409, "changed"), Conflict(409, "changed")]
    assert stage.fence.holds(await stage.fence.ensure(stage.model))


async def test_a_fence_that_is_always_too_late_says_so() -> None:
    stage = Stage()
    stage.api.trouble = [Conflict(409, "changed")] * module.TRIES
    with pytest.raises(Conflict):
        await stage.fence.ensure(stage.model)


async def test_children_of_others_are_left_alone() -> None:
    # given a Deployment and a route of our names that belong to somebody else
    stage = Stage()
    for kind, name in [(DEPLOYMENT, "iris-green"), (HTTP_ROUTE, "iris")]:
        stage.api.objects[kind, NAMESPACE, name]["metadata"]["ownerReferences"] = []

    # when the model is fenced, then they are not touched
    await stage.fence.ensure(stage.model)
    assert [write for write in WRITES if write not in stage.api.writes] == [WRITES[0], WRITES[3]]


async def test_a_model_that_was_deleted_is_not_fenced() -> None:
    stage = Stage()
    gone = Model({**stage.model.manifest, "metadata": {**stage.model.manifest["metadata"], "uid": "earlier"}})
    with pytest.raises(Conflict, match="was deleted"):
        await stage.fence.ensure(gone)
