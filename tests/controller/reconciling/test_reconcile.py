"""A pass over one model whose writes are refused, or do not stay as they were written."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.controller.fakes import DEFAULTS, NAMESPACE, FakeApi, model

from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Models
from viridian.controller.children.drift import Drift
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.controller.reconciling import failures, reconcile
from viridian.controller.reconciling.drills import Drills
from viridian.controller.reconciling.events import Recorder
from viridian.controller.reconciling.failures import API_ERRORS, ENOUGH
from viridian.controller.reconciling.fence import Fence
from viridian.controller.reconciling.reconcile import Reconciler
from viridian.kube.backoff import Backoff
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import NotLeading, Refused, Unavailable
from viridian.kube.resources import CONTROLLER_REVISION, DEPLOYMENT, EVENT, GATEWAY, MODEL_DEPLOYMENT, SERVICE, Kind
from viridian.rollout.observed import Settings

IRIS = (NAMESPACE, "iris")
DENIED = 'admission webhook "policy" denied the request: label team is missing'

FIRST, LONGEST = timedelta(seconds=5), timedelta(seconds=30)


class Admission(FakeApi):
    """An API server with a webhook, which may refuse a kind of objects, or change what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: Kind | None = None
        self.reason = DENIED
        self.broken: Kind | None = None
        self.added: dict[str, Any] = {}
        self.put(GATEWAY, {"kind": "Gateway", "metadata": {"name": "public"}})

    async def create(self, kind: Kind, manifest: Manifest, *, frozen: bool = False) -> Manifest:
        return await super().create(kind, self._admitted(kind, manifest), frozen=frozen)

    async def replace(self, kind: Kind, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        return await super().replace(kind, self._admitted(kind, manifest), dry_run=dry_run)

    async def apply(self, kind: Kind, manifest: Manifest, *, manager: str) -> Manifest:
        return await self.create(kind, manifest)

    def _admitted(self, kind: Kind, manifest: Manifest) -> Manifest:
        if kind is self.refused:
            raise Refused(403, self.reason)
        if kind is self.broken:
            raise Unavailable(500, "failed calling webhook: no endpoints available")
        return {**manifest, "spec": {**manifest["spec"], **self.added}} if kind is SERVICE else manifest

    def count(self, verb: str, kind: Kind) -> int:
        return sum((done, of) == (verb, kind) for done, of, _ in self.writes)

    def events(self, reason: str) -> int:
        return sum(kind is EVENT and event["reason"] == reason for (kind, *_), event in self.objects.items())


class Stage:
    """A model that was just applied."""

    def __init__(self) -> None:
        self.api, self.models = Admission(), Models()
        made = model()
        made.manifest["metadata"].update(generation=1, creationTimestamp="2026-01-01T00:00:00Z")
        self.api.put(MODEL_DEPLOYMENT, made.manifest)
        self.models.see(self.api.objects[MODEL_DEPLOYMENT, *IRIS])
        client = cast("KubeClient", self.api)
        deployments, fence = Deployments(lambda *_: None), Fence(client, self.models, "1-x")
        recorder, monitor, self.pods = Recorder(client), GuardMonitor(2.0), OwnPods(timedelta(seconds=2))
        parts = (client, self.models, deployments, Drift(client), monitor, self.pods, recorder, DEFAULTS)
        settings = Settings(DEFAULTS.scrape_interval)
        self.reconciler = Reconciler(*parts, settings, fence, Drills(client, self.models))

    async def passes(self, number: int) -> list[timedelta | None]:
        return [await self.reconciler.reconcile(IRIS) for _ in range(number)]

    def condition(self, kind: str) -> tuple[str, str]:
        told = self.api.objects[MODEL_DEPLOYMENT, *IRIS]["status"]["conditions"]
        return next((each["status"], each["reason"]) for each in told if each["type"] == kind)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(failures, "BACKOFF", Backoff(FIRST.total_seconds(), LONGEST.total_seconds(), jitter=0))
    return Stage()


async def test_a_refused_write_is_told_once_and_tried_again_ever_less_often(stage: Stage) -> None:
    # given a policy that the model's pods violate
    stage.api.refused = DEPLOYMENT
    await stage.passes(2)
    written = stage.api.count("replace_status", MODEL_DEPLOYMENT)
    # when it is looked at again and again
    pauses = await stage.passes(8)
    # then it stays stalled, which was told once, and each pause is longer, up to a bound
    assert stage.condition("Stalled") == ("True", "Refused")
    assert stage.api.events("Refused") == 1
    assert stage.api.count("replace_status", MODEL_DEPLOYMENT) <= written + 1
    assert pauses == sorted(cast("list[timedelta]", pauses))
    assert pauses[-1] == LONGEST > FIRST


async def test_words_that_differ_from_one_refusal_to_the_next_are_not_told_each_time(stage: Stage) -> None:
    # given a webhook that numbers its answers
    stage.api.refused = DEPLOYMENT
    await stage.passes(3)
    written = stage.api.count("replace_status", MODEL_DEPLOYMENT)
    for number in range(5):
        stage.api.reason = f"{DENIED} (request {number})"
        await stage.passes(1)
    assert (stage.api.events("Refused"), stage.api.count("replace_status", MODEL_DEPLOYMENT)) == (1, written)


async def test_a_stored_revision_that_something_else_replaced_is_named_and_left_alone(stage: Stage) -> None:
    # given a model that starts, and whose ControllerRevision something has replaced by one that cannot be read
    await stage.passes(8)
    key = (CONTROLLER_REVISION, NAMESPACE, "iris-1")
    labels = {"viridian.dev/model": "iris"}
    del stage.api.objects[key]
    theirs = {"kind": "ControllerRevision", "metadata": {"name": "iris-1", "labels": labels}, "revision": 1}
    stage.api.put(CONTROLLER_REVISION, theirs)
    before = stage.api.objects[key]
    # when the model's own is to be made again
    await stage.passes(3)
    # then the name is said to be taken, and what has it stays as it is
    assert stage.condition("Stalled") == ("True", "ForeignChild")
    assert stage.api.objects[key] == before


async def test_a_refusal_that_is_over_is_told_of_no_more(stage: Stage) -> None:
    # given a model that was refused
    stage.api.refused = DEPLOYMENT
    await stage.passes(4)
    # when the policy is gone
    stage.api.refused = None
    await stage.passes(2)
    # then the model goes on
    assert stage.condition("Stalled") == ("False", "Starting")
    assert stage.condition("Reconciling") == ("True", "Starting")
    assert stage.api.count("create", DEPLOYMENT) == 1


async def test_another_generation_of_the_spec_is_told_of_anew(stage: Stage) -> None:
    stage.api.refused = DEPLOYMENT
    await stage.passes(4)
    live = stage.api.objects[MODEL_DEPLOYMENT, *IRIS]
    live["metadata"]["generation"] = 2
    stage.models.see(live)
    pauses = await stage.passes(2)
    assert stage.api.events("Refused") == 2
    assert FIRST in pauses


async def test_what_somebody_else_changes_each_time_is_named_and_not_written_without_end(stage: Stage) -> None:
    # given a webhook that adds a field to every Service
    stage.api.added = {"trafficDistribution": "PreferClose"}
    # when the model is looked at again and again
    pauses = await stage.passes(20)
    # then the Services were written a few times, and the user is told which they are
    assert stage.api.count("replace", SERVICE) <= 2 * ENOUGH
    assert stage.condition("Stalled") == ("True", "NotAsWritten")
    told = stage.api.objects[MODEL_DEPLOYMENT, *IRIS]["status"]["conditions"]
    assert any("Service iris-blue" in each["message"] for each in told)
    assert stage.api.events("NotAsWritten") == 1
    assert timedelta(0) < cast("timedelta", pauses[-1]) <= FIRST


async def test_what_is_left_as_it_was_written_ends_that(stage: Stage) -> None:
    # given a webhook that changes Services, and is removed
    stage.api.added = {"trafficDistribution": "PreferClose"}
    await stage.passes(ENOUGH + 1)
    stage.api.added = {}
    for service in stage.api.objects.values():
        service.get("spec", {}).pop("trafficDistribution", None)
    # when
    await stage.passes(3)
    # then
    assert stage.condition("Stalled") == ("False", "Starting")


async def test_an_api_that_fails_for_long_is_told_by_the_next_status_that_lands(stage: Stage) -> None:
    # given an API server whose own webhook fails whenever a Deployment is written
    stage.api.broken = DEPLOYMENT
    for _ in range(API_ERRORS + 1):
        with pytest.raises(Unavailable):
            await stage.passes(1)
    # when that has been so for a while, then it is told
    assert stage.condition("Stalled") == ("True", "Unavailable")
    # and once it is over, no more
    stage.api.broken = None
    await stage.passes(2)
    assert stage.condition("Stalled") == ("False", "Starting")


async def test_a_model_that_was_deleted_without_an_event_is_forgotten(stage: Stage) -> None:
    del stage.api.objects[MODEL_DEPLOYMENT, *IRIS]
    assert await stage.passes(2) == [timedelta(0), None]
    assert stage.models.get(IRIS) is None


async def test_a_command_that_is_refused_is_told_even_if_nothing_can_be_written(stage: Stage) -> None:
    # given a model with a command that makes no sense, and whose Deployment is refused
    stage.api.refused = DEPLOYMENT
    live = stage.api.objects[MODEL_DEPLOYMENT, *IRIS]
    live["metadata"]["annotations"] = {"viridian.dev/command": "promote-at-once/iris-9/1"}
    stage.models.see(live)
    await stage.passes(3)
    assert stage.api.events("CommandRefused") == 1


async def test_what_a_later_leader_wrote_is_left_alone(stage: Stage) -> None:
    # given a model whose Service a later leader has written meanwhile
    await stage.passes(3)
    service = stage.api.objects[SERVICE, NAMESPACE, "iris-blue"]
    service["metadata"]["annotations"] = {"viridian.dev/epoch": "2-x"}
    service["spec"]["selector"] = {"its": "doing"}
    # when this one, which leads in the term before, looks at it
    with pytest.raises(NotLeading, match="written in term 2-x"):
        await stage.passes(1)
    # then it stays as it is
    assert stage.api.objects[SERVICE, NAMESPACE, "iris-blue"]["spec"]["selector"] == {"its": "doing"}


@pytest.mark.parametrize(("due", "looks"), [(timedelta(hours=3), False), (timedelta(seconds=-1), True)])
async def test_a_model_at_rest_is_left_alone_until_a_look_at_its_kept_revision_is_due(
    monkeypatch: pytest.MonkeyPatch, due: timedelta, looks: bool
) -> None:
    # given a model at rest, and the time of the next look at what a rollback would bring back
    stage = Stage()
    kept = {"revision": "iris-1", "result": "Passed", "next": (datetime.now(UTC) + due).isoformat()}
    known = stage.models.get(IRIS)
    assert known is not None
    known.manifest["status"] = {"kept": kept}
    known.manifest["metadata"]["resourceVersion"] = "1000"
    stage.models.see(known.manifest)
    monkeypatch.setattr(reconcile, "is_at_rest", lambda *_: True)
    stage.api.reads.clear()
    # when there is a pass
    (again,) = await stage.passes(1)
    # then nothing is read before it is due, and it is looked at again in time
    assert bool(stage.api.reads) is looks
    if not looks:
        assert again is not None
        assert due - timedelta(minutes=2) < again <= due
