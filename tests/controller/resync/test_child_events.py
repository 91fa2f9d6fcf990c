"""An edited or deleted child marks its model as dirty at once."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE
from tests.controller.resync.stage import IRIS, Stage
from tests.waiting import DEADLINE

from viridian.api.errors import BrokenChild
from viridian.controller.resync import expected as resting
from viridian.controller.resync.expected import ChildEventHandler
from viridian.kube.resources import (
    BUDGET,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    SERVICE,
    Kind,
)


@pytest.mark.parametrize(
    ("kind", "name", "edit"),
    [
        (SERVICE, "iris", lambda spec: spec["selector"].update({"viridian.dev/color": "green"})),
        (SERVICE, "iris-blue", lambda spec: spec["selector"].update(tier="gold")),
        (HTTP_ROUTE, "iris", lambda spec: spec["rules"][0]["backendRefs"][0].update(weight=50)),
    ],
    ids=["NAME", "a color's Service", "the route"],
)
async def test_an_edit_is_noticed_when_it_is_made(
    stage: Stage,
    edits: Callable[[Kind], ChildEventHandler],
    kind: Kind,
    name: str,
    edit: Callable[[dict[str, Any]], object],
) -> None:
    # given events that change nothing, such as a status that a gateway writes
    manifest = stage.api.objects[kind, NAMESPACE, name]
    edits(kind).on_upsert({**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "1000"}})
    assert not stage.models.is_dirty(IRIS)
    # when
    edit(manifest["spec"])
    edits(kind).on_upsert(manifest)
    # then
    assert stage.models.is_dirty(IRIS)
    assert await asyncio.wait_for(stage.queue.take(), DEADLINE) == IRIS


@pytest.mark.parametrize(
    ("kind", "name", "missed"),
    [
        (SERVICE, "iris", True),
        (SERVICE, "iris-green", True),
        (HTTP_ROUTE, "iris", True),
        (HTTP_ROUTE, "iris-green", False),
        (SERVICE, "iris-green-blue", False),
        (SERVICE, "other", False),
    ],
)
def test_a_deletion_is_noticed_by_the_model_whose_object_it_was(
    stage: Stage, edits: Callable[[Kind], ChildEventHandler], kind: Kind, name: str, missed: bool
) -> None:
    edits(kind).on_delete((NAMESPACE, name))
    assert stage.models.is_dirty(IRIS) is missed


def test_what_is_edited_while_a_model_moves_is_the_rollouts_own_business(
    stage: Stage, edits: Callable[[Kind], ChildEventHandler]
) -> None:
    # given
    moving = deepcopy(stage.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"])
    moving["status"]["phase"] = "Progressing"
    stage.models.see(moving)
    # when
    edits(SERVICE).on_delete((NAMESPACE, "iris"))
    # then
    assert not stage.models.is_dirty(IRIS)


@pytest.mark.parametrize("gone", [False, True], ids=["edited", "deleted"])
async def test_what_changes_while_a_model_is_looked_at_is_looked_at_again(
    stage: Stage, edits: Callable[[Kind], ChildEventHandler], gone: bool
) -> None:
    # given a worker that has read everything of a model, and has not ended yet
    stage.queue.add(IRIS)
    await stage.queue.take()
    doubt = stage.models.mark_dirty(IRIS)
    # when something changes meanwhile, and the worker ends with what it has read
    if gone:
        edits(HTTP_ROUTE).on_delete((NAMESPACE, "iris"))
    else:
        route = stage.api.objects[HTTP_ROUTE, NAMESPACE, "iris"]
        route["spec"]["rules"] = []
        edits(HTTP_ROUTE).on_upsert(route)
    stage.models.mark_clean(IRIS, doubt)
    stage.queue.done(IRIS)
    # then everything is looked at once more
    assert stage.models.is_dirty(IRIS)
    assert await asyncio.wait_for(stage.queue.take(), DEADLINE) == IRIS


def test_an_object_that_cannot_be_read_puts_its_model_in_doubt(
    stage: Stage, edits: Callable[[Kind], ChildEventHandler]
) -> None:
    service = stage.api.objects[SERVICE, NAMESPACE, "iris"]
    edits(SERVICE).on_upsert({"metadata": service["metadata"]})
    assert stage.models.is_dirty(IRIS)


async def test_a_model_of_which_it_cannot_be_told_what_it_should_have_is_put_in_doubt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> set[str]:
        raise BrokenChild("it cannot be read")

    monkeypatch.setitem(resting.EXPECTED, BUDGET, resting.Expected(lambda *_: True, broken))
    assert await stage.resync()
