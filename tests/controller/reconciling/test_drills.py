"""What is read and written of a drill, against a small API server in memory."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.controller.fakes import DEFAULTS, NAMESPACE, FakeApi, spec

from viridian.api.drill import drilled_model
from viridian.api.revision import Revision, RevisionInput
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import DrillOrder, DrillRun, DrillStage, DrillStatus, ModelDeploymentStatus, Phase
from viridian.cli.linting.lint import Level, lint
from viridian.controller.cache.models import Model, Models
from viridian.controller.children.drill import SeenDrill
from viridian.controller.reconciling.drills import Drills
from viridian.kube.client import KubeClient
from viridian.kube.errors import Refused
from viridian.kube.resources import JOB, MODEL_DEPLOYMENT, POD, QUOTA
from viridian.rollout.drills.actions import MakeTwin, RemoveTwin, SendTraffic, SpoilTwin
from viridian.rollout.drills.seen import DrillView, TrafficState
from viridian.workloads.drills import twin_name
from viridian.workloads.pod import build_pod_template
from viridian_shared.drill import DrillKind

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
RUN = DrillRun(
    kind=DrillKind.SLOW, stage=DrillStage.FAILING, since=NOW, started_at=NOW, revision="iris-1", version="v1.0.0"
)


class Scene:
    """A model with a stable revision, and what there is of its drills."""

    def __init__(self, drill: DrillStatus | None = None, **changes: Any) -> None:
        self.api, self.models = FakeApi(), Models()
        document = spec().manifest() | {"guards": {"latency": [{"percentile": "95", "max": "200ms"}]}} | changes
        self.spec = ModelDeploymentSpec.model_validate(document)
        stable = {"color": "blue", "revision": "iris-1", "version": "v1.0.0"}
        status = ModelDeploymentStatus.model_validate({"phase": "Stable", "stable": stable, "drill": drill})
        manifest = {
            "apiVersion": "viridian.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "iris", "namespace": NAMESPACE, "generation": 1},
            "spec": self.spec.manifest(),
            "status": status.manifest(),
        }
        self.api.put(MODEL_DEPLOYMENT, manifest)
        self.model = self.models.see(self.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"])
        wanted = RevisionInput.of(self.spec)
        template = build_pod_template("iris", "iris-1", wanted, DEFAULTS)
        self.revisions = {"iris-1": Revision("iris-1", 1, wanted, template)}
        self.drills = Drills(cast("KubeClient", self.api), self.models)

    async def read(self) -> SeenDrill:
        return await self.drills.read(self.model, self.revisions, NOW)

    async def view(self) -> DrillView:
        return (await self.read()).view

    async def apply(self, *actions: Any) -> bool:
        seen = await self.read()
        return await self.drills.apply(self.model, actions, self.revisions, seen.twin, "1-x")

    @property
    def twin(self) -> dict[str, Any]:
        return self.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris-drill"]

    def put_traffic(self, **state: Any) -> None:
        labels = {"viridian.dev/drill-of": "iris-drill"}
        status = {"containerStatuses": [{"name": "traffic", "state": state}]}
        self.api.put(POD, {"metadata": {"name": "p", "labels": labels}, "spec": {}, "status": status})


def running(stage: DrillStage) -> DrillStatus:
    return DrillStatus(running=RUN.model_copy(update={"stage": stage}))


async def test_a_model_without_drills_costs_no_request() -> None:
    scene = Scene()
    assert await scene.view() == DrillView()
    assert scene.api.reads == []


async def test_a_twin_is_a_model_of_its_own_that_no_user_reaches() -> None:
    # given a model whose users, receivers and logs would notice a copy of it
    serving = {
        **spec().serving.manifest(),
        "replicas": 3,
        "podTemplate": {"labels": {"app": "iris"}, "env": [{"name": "A", "value": "b"}]},
        "log": {"sample": "1.0"},
        "cache": {"ttl": "30s"},
    }
    notify = [{"url": "https://example.com/hook"}]
    scene = Scene(running(DrillStage.STARTING), serving=serving, notify=notify, checks={"smoke": True})

    # when its twin is made
    assert await scene.apply(MakeTwin("iris-1"))

    # then it is the model's child and has its version, and nothing that others would notice
    assert drilled_model(scene.twin["metadata"]) == "iris"
    made = Model(scene.twin).spec
    assert made.model == scene.spec.model
    assert (made.traffic.parent_refs, made.notify, made.checks.names) == ([], [], ())
    assert (made.serving.replicas, made.serving.log, made.serving.cache) == (1, None, None)
    assert made.serving.pod_template.labels == {}
    assert [variable.name for variable in made.serving.pod_template.env] == ["A"]
    # and the API server would accept it
    assert [each for each in lint(scene.twin, None, timedelta(seconds=2)) if each.level is Level.ERROR] == []


async def test_its_bad_version_is_the_same_one_that_fails_on_purpose() -> None:
    # given a twin
    scene = Scene(running(DrillStage.FAILING))
    await scene.apply(MakeTwin("iris-1"))

    # when it is to fail
    assert await scene.apply(SpoilTwin("iris-1", DrillKind.SLOW))

    # then its pods are told, and nothing ends its rollout but the guards
    made = Model(scene.twin).spec
    assert made.serving.drill is not None
    assert (made.serving.drill.kind, made.serving.drill.delay) == (DrillKind.SLOW, "400ms")
    assert made.rollout.bake.duration == "24h"
    template = build_pod_template("iris-drill", "iris-drill-2", RevisionInput.of(made), DEFAULTS)
    told = {each["name"]: each.get("value") for each in template["spec"]["containers"][1]["env"]}
    assert (told["VIRIDIAN_DRILL"], told["VIRIDIAN_DRILL_DELAY"]) == ("Slow", "400ms")
    errors = [each for each in lint(scene.twin, None, timedelta(seconds=2)) if each.level is Level.ERROR]
    assert [each.field for each in errors] == ["spec.serving.drill"]
    assert (await scene.view()).twin is not None


@pytest.mark.parametrize(("golden", "kind", "names"), [({}, "Wrong", ("smoke", "golden")), ({}, "Failing", ())])
async def test_a_check_finds_wrong_answers_and_guards_the_other_failures(
    golden: dict[str, Any], kind: str, names: tuple[str, ...]
) -> None:
    scene = Scene(running(DrillStage.FAILING), checks={"golden": golden, "load": {}})
    await scene.apply(MakeTwin("iris-1"))
    await scene.apply(SpoilTwin("iris-1", DrillKind(kind)))
    assert Model(scene.twin).spec.checks.names == names


async def test_requests_come_from_a_job_that_goes_with_the_twin() -> None:
    # given a twin
    scene = Scene(running(DrillStage.SENDING))
    await scene.apply(MakeTwin("iris-1"))

    # when requests are to be sent
    await scene.apply(SendTraffic("iris-1", DrillKind.SLOW))

    # then the twin owns the Job, whose pods are none of a model
    job = scene.api.objects[JOB, NAMESPACE, "iris-drill-traffic"]
    assert job["metadata"]["ownerReferences"][0]["uid"] == scene.twin["metadata"]["uid"]
    pod = job["spec"]["template"]
    assert pod["metadata"]["labels"] == {"viridian.dev/drill-of": "iris-drill"}
    container = pod["spec"]["containers"][0]
    assert container["command"] == ["viridian-traffic"]
    told = {each["name"]: each.get("value") for each in container["env"]}
    plan = json.loads(told["VIRIDIAN_TRAFFIC"])
    assert plan["url"] == "http://iris-drill.default.svc:8080"
    assert (plan["rate"], plan["slow"]) == (10, 0.2)
    assert "initContainers" not in pod["spec"] or pod["spec"]["initContainers"] == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"running": {"startedAt": "2026-01-05T10:00:00Z"}}, TrafficState.RUNNING),
        ({"terminated": {"exitCode": 0, "message": '{"requests": 9, "failed": 3}'}}, TrafficState.DONE),
        ({"terminated": {"exitCode": 0, "message": "?"}}, TrafficState.FAILED),
        ({"terminated": {"exitCode": 69, "message": "no good answer"}}, TrafficState.FAILED),
        ({"waiting": {"reason": "ContainerCreating"}}, TrafficState.PENDING),
    ],
)
async def test_what_the_job_says(state: dict[str, Any], expected: TrafficState) -> None:
    scene = Scene(running(DrillStage.FAILING))
    await scene.apply(MakeTwin("iris-1"), SendTraffic("iris-1", DrillKind.SLOW))
    await scene.apply(SendTraffic("iris-1", DrillKind.SLOW))
    scene.put_traffic(**state)
    traffic = (await scene.view()).traffic
    assert traffic is not None
    assert traffic.state is expected
    if expected is TrafficState.DONE:
        assert traffic.report is not None
        assert (traffic.report.requests, traffic.report.failed) == (9, 3)


async def test_a_twins_phase_counts_only_for_the_spec_that_it_has() -> None:
    scene = Scene(running(DrillStage.STARTING))
    await scene.apply(MakeTwin("iris-1"))
    scene.twin["status"] = {"phase": "Stable", "observedGeneration": 1}
    scene.twin["metadata"]["generation"] = 2
    twin = (await scene.view()).twin
    assert twin is not None
    assert twin.phase is Phase.PENDING
    scene.twin["status"]["observedGeneration"] = 2
    twin = (await scene.view()).twin
    assert twin is not None
    assert twin.phase is Phase.STABLE


async def test_a_refused_write_is_seen_once_and_names_the_way_out() -> None:
    scene = Scene(running(DrillStage.STARTING))
    scene.api.trouble = [Refused(403, "modeldeployments is forbidden")]
    assert not await scene.apply(MakeTwin("iris-1"))
    assert "drills.enabled" in (await scene.view()).refused
    assert (await scene.view()).refused == ""


async def test_somebody_elses_model_of_that_name_is_in_the_way_and_stays() -> None:
    order = DrillOrder(kind=DrillKind.FAILING, at=NOW)
    scene = Scene(DrillStatus(requested=order))
    scene.api.put(MODEL_DEPLOYMENT, {"metadata": {"name": "iris-drill"}, "spec": {}})
    seen = await scene.read()
    assert seen.twin is None
    assert seen.view.preflight is not None
    assert "iris-drill which is not this model's twin" in seen.view.preflight.taken


@pytest.mark.parametrize(("left", "has_room"), [(2, False), (3, True)])
async def test_a_quota_needs_room_for_three_pods(left: int, has_room: bool) -> None:
    scene = Scene(DrillStatus(requested=DrillOrder(kind=DrillKind.FAILING, at=NOW)))
    quota = {"hard": {"pods": "10"}, "used": {"pods": str(10 - left)}}
    scene.api.put(QUOTA, {"metadata": {"name": "team"}, "spec": {"hard": quota["hard"]}, "status": quota})
    found = (await scene.view()).preflight
    assert found is not None
    assert (found.room == "") is has_room
    assert has_room or found.room == "ResourceQuota team has no room for a twin: it needs 3 of pods, and 2 is left"


async def test_a_twin_that_no_drill_wants_is_found_and_deleted() -> None:
    # given a twin whose drill is forgotten
    scene = Scene(running(DrillStage.STARTING))
    await scene.apply(MakeTwin("iris-1"))
    forgotten = {**scene.model.manifest, "status": {**scene.model.manifest["status"], "drill": {}}}
    scene.model = Model(forgotten)
    scene.models.see(scene.twin)

    # when it is looked at, then the twin is there to be deleted
    deleted = []

    async def delete(_kind: object, _namespace: str, name: str, *_: str) -> None:
        deleted.append(name)

    scene.api.delete = delete  # type: ignore[attr-defined]
    assert (await scene.view()).twin is not None
    await scene.apply(RemoveTwin())
    assert deleted == ["iris-drill"]


def test_names_of_twins_are_names_of_models() -> None:
    assert twin_name("iris") == "iris-drill"
    longest = [twin_name("a" * 57), twin_name("a" * 56 + "b")]
    assert len(set(longest)) == 2
    assert all(len(name) <= 57 and name.endswith("-drill") for name in longest)
