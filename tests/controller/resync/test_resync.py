"""Each round compares all that models at rest own with what it should be."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE, model, spec
from tests.controller.resync.stage import IRIS, STATUS, Stage

from viridian.kube.resources import (
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
    told = build_live_settings(model().owner, spec(serving={"cache": {"ttl": "30s"}}))
    stage.api.put(CONFIG_MAP, told)
    assert await stage.resync()
