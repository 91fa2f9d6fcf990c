"""What the watches miss is found by the resync."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model, spec
from tests.waiting import until

from viridian.api.errors import BrokenChild
from viridian.api.model_key import ModelKey
from viridian.api.names import Color
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Models
from viridian.controller.children.drift import Drift
from viridian.controller.resync import expected as resting
from viridian.controller.resync import resync as module
from viridian.controller.resync.expected import ChildEventHandler, ExpectedChildren
from viridian.controller.resync.resync import Resync
from viridian.controller.runtime.queue import WorkQueue
from viridian.kube.client import Manifest, Page
from viridian.kube.errors import KubeError, error_for
from viridian.kube.reflector import Reflector
from viridian.kube.resources import (
    AUTOSCALER,
    BUDGET,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    SERVICE,
    Kind,
)
from viridian.workloads.live_settings import build_live_settings
from viridian.workloads.scaling import build_autoscaler

IRIS = ("default", "iris")
STATUS = {
    "observedGeneration": 1,
    "phase": "Stable",
    "stable": {"color": "blue", "revision": "iris-1", "version": "v1.0.0", "weight": 100, "replicas": 2, "ready": 2},
    "lastRevision": 1,
    "conditions": [
        {
            "type": "Stalled",
            "status": "False",
            "reason": "Stable",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}


class PagedApi(FakeApi):
    """Answers lists in pages of two; `fails` says which lists fail, by kind and namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[tuple[Kind, str], KubeError] = {}
        self.lists: list[tuple[Kind, str]] = []

    async def pages(
        self, kind: Kind, namespace: str, selector: str, *, metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        self.lists.append((kind, namespace))
        if (kind, namespace) in self.fails:
            raise self.fails[kind, namespace]
        found = [
            deepcopy(manifest)
            for (of, place, _), manifest in self.objects.items()
            if of == kind
            and namespace in {"", place}
            and (not selector or selector in manifest["metadata"].get("labels", {}))
        ]
        if metadata_only:
            found = [{"metadata": manifest["metadata"]} for manifest in found]
        for start in range(0, max(1, len(found)), 2):
            yield Page(found[start : start + 2], "1")


class Stage:
    """One model at rest, with all its children, and a resync."""

    def __init__(self) -> None:
        self.api, self.models, self.queue = PagedApi(), Models(), WorkQueue[ModelKey]()
        self.told: list[tuple[str | None, str]] = []
        self.deployments = Deployments(lambda key, written: None)
        self.drift = Drift(self.api)
        metadata = {"name": "iris", "namespace": NAMESPACE, "uid": "model-iris", "generation": 1}
        manifest = {**model().manifest, "metadata": metadata, "status": STATUS}
        self.api.put(MODEL_DEPLOYMENT, manifest)
        stored = self.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
        self.api.put_children("iris", model().owner, {Color.BLUE: 100, Color.GREEN: 0})
        self.models.see(stored)
        self.see_deployments()

    def see_deployments(self) -> None:
        for color in Color:
            live = self.api.objects[DEPLOYMENT, NAMESPACE, f"iris-{color}"]
            pods = live["spec"]["replicas"]
            self.deployments.on_upsert({**live, "status": {"replicas": pods, "readyReplicas": pods}})

    def on_model_event(self, kind: str | None, manifest: dict[str, Any]) -> None:
        self.told.append((kind, manifest["metadata"]["name"]))

    def edit(self, **spec: Any) -> None:
        """Let the model at rest have another spec, as one that was applied long ago."""
        manifest = self.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
        manifest["spec"] |= spec
        self.models.see(manifest)

    def make_resync(self, *namespaces: str) -> Resync:
        return Resync(
            self.api,
            self.models,
            self.deployments,
            self.drift,
            ExpectedChildren(self.models, self.deployments, self.queue),
            self.on_model_event,
            namespaces,
            timedelta(milliseconds=10),
        )

    async def resync(self, *namespaces: str) -> bool:
        """One round; whether the model is in doubt, and waits to be looked at."""
        await self.make_resync(*namespaces).go_round()
        doubted = self.models.is_dirty(IRIS)
        if doubted:
            assert await asyncio.wait_for(self.queue.take(), 30) == IRIS
        return doubted


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_model_that_is_in_line_is_not_disturbed(stage: Stage) -> None:
    assert not await stage.resync()
    assert stage.told == []
    assert [verb for verb, _, _ in stage.api.writes] == ["dry run"]

    # and its Deployment is asked about but once
    assert not await stage.resync()
    assert [verb for verb, _, _ in stage.api.writes] == ["dry run"]


CHILDREN = [
    (SERVICE, "iris"),
    (SERVICE, "iris-blue"),
    (SERVICE, "iris-green"),
    (HTTP_ROUTE, "iris"),
    (BUDGET, "iris-blue"),
    (BUDGET, "iris-green"),
    (CONTROLLER_REVISION, "iris-1"),
]


@pytest.mark.parametrize(("kind", "name"), CHILDREN, ids=str)
async def test_a_missing_child_is_noticed(stage: Stage, kind: Kind, name: str) -> None:
    del stage.api.objects[kind, NAMESPACE, name]
    assert await stage.resync()


@pytest.mark.parametrize(("kind", "name"), CHILDREN, ids=str)
@pytest.mark.parametrize(
    "change",
    [
        lambda metadata: metadata.pop("ownerReferences"),
        lambda metadata: metadata["ownerReferences"][0].update(uid="another"),
        lambda metadata: metadata["labels"].pop("viridian.dev/model"),
    ],
    ids=["no owner", "another owner", "no label"],
)
async def test_a_child_that_is_not_ours_any_more_is_noticed(
    stage: Stage, kind: Kind, name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    change(stage.api.objects[kind, NAMESPACE, name]["metadata"])
    assert await stage.resync()


@pytest.mark.parametrize(
    ("kind", "name", "edit"),
    [
        pytest.param(SERVICE, "iris", lambda spec: spec["selector"].update(tier="gold"), id="whom NAME selects"),
        pytest.param(
            SERVICE, "iris", lambda spec: spec["selector"].update({"viridian.dev/color": "green"}), id="NAME's color"
        ),
        pytest.param(SERVICE, "iris-blue", lambda spec: spec["ports"][0].update(targetPort=1), id="a port"),
        pytest.param(SERVICE, "iris-blue", lambda spec: spec.update(type="NodePort"), id="a type"),
        pytest.param(
            SERVICE, "iris-green", lambda spec: spec.update(publishNotReadyAddresses=True), id="unready pods, too"
        ),
        pytest.param(SERVICE, "iris-green", lambda spec: spec.update(sessionAffinity="ClientIP"), id="an affinity"),
        pytest.param(SERVICE, "iris-green", lambda spec: spec.update(externalIPs=["10.0.0.1"]), id="an address"),
        pytest.param(HTTP_ROUTE, "iris", lambda spec: spec.update(rules=[]), id="no rules"),
        pytest.param(
            HTTP_ROUTE, "iris", lambda spec: spec["rules"][0]["backendRefs"][0].update(weight=50), id="a weight"
        ),
        pytest.param(HTTP_ROUTE, "iris", lambda spec: spec.update(hostnames=["x"]), id="a host"),
        pytest.param(BUDGET, "iris-blue", lambda spec: spec.update(maxUnavailable="100%"), id="a budget"),
        pytest.param(BUDGET, "iris-blue", lambda spec: spec.pop("unhealthyPodEvictionPolicy"), id="an earlier budget"),
        pytest.param(
            DEPLOYMENT, "iris-blue", lambda spec: spec["template"]["spec"].update(nodeSelector={"a": "b"}), id="pods"
        ),
    ],
)
async def test_an_edited_child_is_noticed(
    stage: Stage, kind: Kind, name: str, edit: Callable[[dict[str, Any]], object]
) -> None:
    edit(stage.api.objects[kind, NAMESPACE, name]["spec"])
    assert await stage.resync()


@pytest.mark.parametrize(
    "added",
    [
        {
            "clusterIP": "10.96.0.7",
            "clusterIPs": ["10.96.0.7"],
            "ipFamilies": ["IPv4"],
        },
        {"sessionAffinity": "None", "internalTrafficPolicy": "Cluster"},
        {"aFieldOfTheFuture": "with its default"},
    ],
    ids=["addresses", "defaults", "what we do not know"],
)
async def test_what_the_api_server_adds_to_a_service_is_no_edit(stage: Stage, added: dict[str, Any]) -> None:
    stage.api.objects[SERVICE, NAMESPACE, "iris-blue"]["spec"].update(added)
    assert not await stage.resync()


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Progressing"},
        {"observedGeneration": 0},
        {"drain": {"color": "green", "revision": "iris-0", "since": "2026-01-01T00:00:00Z"}},
    ],
    ids=["rolling", "edited", "draining"],
)
async def test_a_model_that_is_not_at_rest_looks_after_itself(stage: Stage, status: dict[str, Any]) -> None:
    known = stage.models.get(IRIS)
    assert known is not None
    stage.models.see({**known.manifest, "status": {**STATUS, **status}})
    del stage.api.objects[SERVICE, NAMESPACE, "iris"]
    assert not await stage.resync()


async def test_models_that_came_changed_or_went_without_an_event_are_told(stage: Stage) -> None:
    # given one that was deleted, one that was made, and one that was changed while nobody watched
    gone = model("gone", version=7, uid="gone").manifest
    stage.models.see(gone)
    stage.api.put(MODEL_DEPLOYMENT, {**model("new").manifest, "metadata": {"name": "new", "namespace": NAMESPACE}})
    stage.api.put(MODEL_DEPLOYMENT, stage.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"])

    # when
    await stage.resync()

    # then each is told as the watch would have, and what is known already is not
    assert sorted(stage.told, key=lambda told: told[1]) == [
        ("DELETED", "gone"),
        ("MODIFIED", "iris"),
        ("MODIFIED", "new"),
    ]


async def test_a_model_made_again_under_its_name_is_told_as_two(stage: Stage) -> None:
    known = stage.models.get(IRIS)
    assert known is not None
    stage.models.see({**known.manifest, "metadata": {**known.manifest["metadata"], "uid": "predecessor"}})
    await stage.resync()
    assert stage.told == [("DELETED", "iris"), ("MODIFIED", "iris")]


@pytest.mark.parametrize("serving", [{"cache": {"ttl": "30s"}}, {"rateLimit": {"requestsPerSecond": 5}}, {"log": {}}])
async def test_pods_that_were_not_told_what_to_reload_are_noticed(stage: Stage, serving: dict[str, Any]) -> None:
    # given a model at rest that asked for nothing to reload
    assert not await stage.resync()
    # when it asks for something, and the event was missed
    manifest = stage.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
    manifest["spec"]["serving"] |= serving
    stage.models.see(manifest)
    # then
    assert await stage.resync()


async def test_a_config_map_that_says_something_else_is_noticed(stage: Stage) -> None:
    told = build_live_settings(model().owner, spec(serving={"cache": {"ttl": "30s"}}).serving)
    stage.api.put(CONFIG_MAP, told)
    assert await stage.resync()


@pytest.fixture
def edits(stage: Stage) -> Callable[[Kind], ChildEventHandler]:
    return lambda kind: ChildEventHandler(kind, ExpectedChildren(stage.models, stage.deployments, stage.queue))


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
    assert await asyncio.wait_for(stage.queue.take(), 30) == IRIS


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
    assert await asyncio.wait_for(stage.queue.take(), 30) == IRIS


CPU_TARGET = {"type": "Utilization", "averageUtilization": 60}
OF_THE_POD = {"type": "Resource", "resource": {"name": "cpu", "target": CPU_TARGET}}
AUTOSCALING = {"minReplicas": 2, "maxReplicas": 10, "cpuPercent": 60}


def scale(stage: Stage, color: Color = Color.BLUE, **changes: int) -> Manifest:
    """Let a color have an autoscaler; returns the stored one."""
    bounds = {"fewest": 2, "most": 10, "cpu_percent": 60, **changes}
    stage.api.put(AUTOSCALER, build_autoscaler(model().owner, color, **bounds))
    return stage.api.objects[AUTOSCALER, NAMESPACE, f"iris-{color}"]


@pytest.fixture
def scaled(stage: Stage) -> Stage:
    """A model at rest that asks for autoscaling."""
    stage.edit(serving={"autoscaling": AUTOSCALING, "timeout": "2s"})
    return stage


async def test_an_autoscaler_as_the_spec_has_it_is_in_line(scaled: Stage) -> None:
    scale(scaled)
    assert not await scaled.resync()


async def test_a_missing_autoscaler_is_noticed(scaled: Stage) -> None:
    assert await scaled.resync()


@pytest.mark.parametrize(
    "edit",
    [
        lambda spec: spec.update(minReplicas=1),
        lambda spec: spec.update(maxReplicas=100),
        lambda spec: spec["metrics"][0]["containerResource"]["target"].update(averageUtilization=90),
        lambda spec: spec["metrics"].append({"type": "Resource", "resource": {"name": "memory", "target": {}}}),
        lambda spec: spec["metrics"].pop(),
        lambda spec: spec.pop("metrics"),
        lambda spec: spec.update(metrics=[OF_THE_POD]),
    ],
    ids=["fewest", "most", "cpu", "another metric", "one container", "no metric", "of the whole pod"],
)
async def test_an_edited_autoscaler_is_noticed(scaled: Stage, edit: Callable[[dict[str, Any]], object]) -> None:
    edit(scale(scaled)["spec"])
    assert await scaled.resync()


async def test_an_autoscaler_that_the_spec_does_not_ask_for_is_noticed(stage: Stage) -> None:
    scale(stage)
    assert await stage.resync()


async def test_the_empty_colors_autoscaler_scales_nothing_and_may_stay(scaled: Stage) -> None:
    scale(scaled)
    scale(scaled, Color.GREEN, fewest=7)
    assert not await scaled.resync()


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
    await asyncio.wait_for(rounds.known.wait(), 30)
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
    await asyncio.wait_for(watch.synced.wait(), 30)
    task.cancel()
    # then other models' edits are seen
    assert newer.models.is_dirty(IRIS)


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
