"""What cannot be read: by missing rights, by outages, or because a newer operator wrote it."""

import asyncio
import logging
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta

import pytest
from tests.controller.fakes import NAMESPACE, model
from tests.controller.resync.stage import IRIS, STATUS, Stage
from tests.waiting import DEADLINE, until

from viridian.controller.resync import expected as resting
from viridian.controller.resync import resync as module
from viridian.controller.resync.expected import ChildEventHandler
from viridian.kube.errors import KubeError, error_for
from viridian.kube.reflector import Reflector
from viridian.kube.resources import (
    BUDGET,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    SERVICE,
    Kind,
)

DENIED, MISSING, BUSY = error_for(403, "forbidden"), error_for(404, "no such kind"), error_for(503, "busy")


async def test_a_namespace_that_may_not_be_read_is_left_out_and_told_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    # given one that went with its Role, before another one with an edited object
    for kind in (MODEL_DEPLOYMENT, *resting.EXPECTED):
        stage.api.fails[kind, "gone"] = DENIED
    del stage.api.objects[BUDGET, NAMESPACE, "iris-blue"]
    # when
    caplog.set_level(logging.WARNING)
    assert await stage.resync("gone", NAMESPACE)
    # then the way out is told
    (told,) = caplog.messages
    assert "namespace gone" in told
    assert "remove gone from watch.namespaces, or create the operator's Role there" in told


async def test_nothing_more_is_asked_of_a_namespace_that_may_not_be_read(stage: Stage) -> None:
    stage.api.fails[MODEL_DEPLOYMENT, NAMESPACE] = DENIED
    assert not await stage.resync(NAMESPACE)
    assert stage.api.lists == [(MODEL_DEPLOYMENT, NAMESPACE)]
    assert stage.api.writes == []


@pytest.mark.parametrize("error", [DENIED, MISSING], ids=["denied", "no such kind"])
async def test_a_kind_that_may_not_be_listed_ends_nothing_but_its_own_comparison(
    stage: Stage, caplog: pytest.LogCaptureFixture, error: KubeError
) -> None:
    # given routes that cannot be listed, and an edit of what is compared after them
    stage.api.fails[HTTP_ROUTE, NAMESPACE] = error
    stage.api.objects[DEPLOYMENT, NAMESPACE, "iris-blue"]["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
    # when
    caplog.set_level(logging.WARNING)
    assert await stage.resync(NAMESPACE)
    # then
    assert caplog.messages == [f"the resync skips httproutes in namespace default: {error}"]


@pytest.mark.parametrize("kind", [MODEL_DEPLOYMENT, SERVICE, BUDGET])
async def test_an_api_that_does_not_answer_breaks_the_round_off(stage: Stage, kind: Kind) -> None:
    stage.api.fails[kind, ""] = BUSY
    with pytest.raises(KubeError, match="busy"):
        await stage.resync()


async def test_a_deployment_that_may_not_be_read_is_for_its_worker_to_tell(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def denied(*_: object) -> None:
        raise DENIED

    monkeypatch.setattr(stage.api, "get", denied)
    assert await stage.resync()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", timedelta(milliseconds=5))
    monkeypatch.setattr(module, "GRACE", 0.1)


@pytest.mark.usefixtures("impatient")
async def test_models_are_known_without_those_that_stay_denied(stage: Stage) -> None:
    # given a namespace whose Role is perhaps being made
    stage.api.fails[MODEL_DEPLOYMENT, "gone"] = DENIED
    rounds, begun = stage.make_resync("gone", NAMESPACE), asyncio.get_running_loop().time()
    task = asyncio.create_task(rounds.run())
    # when it is not, then the others are waited for no longer than for that grace
    await until(rounds.known.is_set)
    assert asyncio.get_running_loop().time() - begun >= module.GRACE
    assert (None, "iris") in stage.told
    # and each later round tries it again
    asked = stage.api.lists.count((MODEL_DEPLOYMENT, "gone"))
    await until(lambda: stage.api.lists.count((MODEL_DEPLOYMENT, "gone")) > asked + 1)
    task.cancel()


@pytest.mark.usefixtures("impatient")
async def test_models_are_not_known_while_the_api_does_not_answer(stage: Stage) -> None:
    stage.api.fails[MODEL_DEPLOYMENT, "slow"] = BUSY
    rounds = stage.make_resync("slow", NAMESPACE)
    task = asyncio.create_task(rounds.run())
    await asyncio.sleep(0.3)
    assert not rounds.known.is_set()
    stage.api.fails.clear()
    await asyncio.wait_for(rounds.known.wait(), DEADLINE)
    task.cancel()


@pytest.fixture
def newer(stage: Stage) -> Stage:
    """Beside the model at rest, one whose spec only a newer operator can read, with all its children."""
    known = stage.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
    other = model("newer").owner
    unreadable = {**known["spec"], "model": {**known["spec"]["model"], "format": "of the future"}}
    stable = {**STATUS["stable"], "revision": "newer-1"}
    metadata = {"name": "newer", "namespace": NAMESPACE, "uid": other.uid, "generation": 1}
    stage.api.put(
        MODEL_DEPLOYMENT, {**known, "metadata": metadata, "spec": unreadable, "status": {**STATUS, "stable": stable}}
    )
    route = deepcopy(stage.api.objects[HTTP_ROUTE, NAMESPACE, "iris"])
    labels = {"viridian.dev/model": "newer"}
    owners = [{"uid": other.uid, "controller": True}]
    stage.api.put(HTTP_ROUTE, {**route, "metadata": {"name": "newer", "labels": labels, "ownerReferences": owners}})
    stage.models.see(stage.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "newer"])
    live = deepcopy(stage.api.objects[DEPLOYMENT, NAMESPACE, "iris-blue"])
    live["metadata"] |= {"name": "newer-blue", "ownerReferences": owners}
    live["metadata"]["labels"] |= {"viridian.dev/model": "newer", "viridian.dev/revision": "newer-1"}
    stage.deployments.on_upsert({**live, "status": {"replicas": 2, "readyReplicas": 2}})
    return stage


async def test_a_spec_that_cannot_be_read_does_not_hide_what_is_wrong_with_other_models(newer: Stage) -> None:
    # given that another model's stored revision is gone
    del newer.api.objects[CONTROLLER_REVISION, NAMESPACE, "iris-1"]
    # when the resync comes by, then workers look at both: the one's user has to be told
    await newer.make_resync().go_round()
    assert newer.models.is_dirty(IRIS)
    assert newer.models.is_dirty((NAMESPACE, "newer"))


async def test_a_spec_that_cannot_be_read_ends_no_watch(
    newer: Stage, edits: Callable[[Kind], ChildEventHandler]
) -> None:
    # given a watch whose list shows a route of that model's, too
    watch = Reflector(newer.api, HTTP_ROUTE, "", "viridian.dev/model", edits(HTTP_ROUTE))
    newer.api.objects[HTTP_ROUTE, NAMESPACE, "iris"]["spec"]["rules"] = []
    # when
    task = asyncio.create_task(watch.run())
    await asyncio.wait_for(watch.synced.wait(), DEADLINE)
    task.cancel()
    # then other models' edits are seen
    assert newer.models.is_dirty(IRIS)
