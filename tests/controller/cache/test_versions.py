"""What another version of the operator wrote is read by its meaning, and what cannot be read is left as it is."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.fakes import DEFAULTS, NAMESPACE, FakeApi, model, spec
from tests.workloads.children import OWNER, revision_of

from viridian.api.names import ANNOTATION_INPUT, Color
from viridian.api.revision import RevisionInput
from viridian.api.status import ModelDeploymentStatus
from viridian.controller.cache.deployments import Deployments
from viridian.controller.cache.models import Models
from viridian.controller.children.drift import Drift, is_same
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.controller.reconciling import failures
from viridian.controller.reconciling.drills import Drills
from viridian.controller.reconciling.events import Recorder
from viridian.controller.reconciling.fence import Fence
from viridian.controller.reconciling.reconcile import Reconciler
from viridian.kube.backoff import Backoff
from viridian.kube.client import Manifest
from viridian.kube.resources import MODEL_DEPLOYMENT
from viridian.rollout.observed import Settings
from viridian.workloads.deployments import build_deployment
from viridian.workloads.revisions import build_controller_revision, read_controller_revision, rebuild_revision

WANTED = RevisionInput.of(spec())


def stored(change: dict[str, Any]) -> dict[str, Any]:
    """An input as it was stored, with some fields of `serving` and `model` that another version wrote otherwise."""
    written = WANTED.manifest()
    return {part: {**written[part], **change.get(part, {})} for part in written}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="the same version"),
        pytest.param({"serving": {"threads": 4}, "model": {"signature": {"a": 1}}}, id="fields of a newer version"),
        pytest.param({"serving": {"triton": {"resources": {"claims": []}}}}, id="a newer field, further in"),
        pytest.param({"serving": {"replicas": 7}, "model": {"changes": "new"}}, id="what made revisions once"),
    ],
)
def test_a_stored_revision_is_compared_by_what_it_means_today(change: dict[str, Any]) -> None:
    # given a revision that another version of the operator stored, with its Deployment
    revision = revision_of(spec())
    kept = build_controller_revision(OWNER, revision)
    kept["data"]["input"] = stored(change)
    deployment = build_deployment(OWNER, Color.BLUE, revision, 2)
    deployment["metadata"]["annotations"][ANNOTATION_INPUT] = json.dumps(stored(change))

    # when it is read
    rebuilt = rebuild_revision(deployment)

    # then it is what the spec asks for: no rollout
    assert read_controller_revision(kept).input == WANTED
    assert rebuilt is not None
    assert rebuilt.input == WANTED


def test_an_input_that_another_version_wrote_down_is_no_drift() -> None:
    # given a Deployment whose annotation was written before, or after, fields were added
    ours = build_deployment(OWNER, Color.BLUE, revision_of(spec()), 2)
    theirs = build_deployment(OWNER, Color.BLUE, revision_of(spec()), 2)
    for written, same in [({"serving": {"threads": 4}}, True), ({"serving": {"timeout": "9s"}}, False)]:
        theirs["metadata"]["annotations"][ANNOTATION_INPUT] = json.dumps(stored(written))

        # then it is written again only where it means something else
        assert is_same(theirs, ours) is same


def test_a_field_that_was_not_there_yet_counts_as_its_default() -> None:
    older = WANTED.manifest()
    del older["serving"]["api"]
    assert RevisionInput.read(older) == WANTED


def test_a_spec_with_fields_of_a_newer_schema_is_read() -> None:
    newer = spec().manifest()
    newer["serving"]["threads"] = 8
    newer["weather"] = "fine"
    assert model(spec=newer).spec == spec()


class StatusApi(FakeApi):
    """Keeps the status that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Manifest] = []

    async def replace_status(self, kind: object, manifest: Manifest) -> Manifest:
        self.put(MODEL_DEPLOYMENT, manifest)
        return self.objects[MODEL_DEPLOYMENT, NAMESPACE, manifest["metadata"]["name"]]

    async def create(self, kind: object, manifest: Manifest) -> Manifest:
        self.events.append(manifest)
        return manifest


async def test_a_status_that_cannot_be_read_is_kept_save_for_what_is_said_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a model whose status a newer operator wrote, in a phase that this one does not know
    memory = ModelDeploymentStatus.model_validate({"lastRevision": 7}).manifest()
    newer = {**memory, "phase": "Mirroring", "mirror": {"percent": 5}, "epoch": "3"}
    api, models = StatusApi(), Models()
    models.see(model(status=newer).manifest)
    client: Any = api  # of the client, only what a status needs
    deployments, monitor, pods = Deployments(lambda *_: None), GuardMonitor(2.0), OwnPods(timedelta(seconds=2))
    fence = Fence(client, models, epoch="3")
    drills = Drills(client, models)
    recorder, settings = Recorder(client), Settings(DEFAULTS.scrape_interval)
    reconciler = Reconciler(
        client, models, deployments, Drift(client), monitor, pods, recorder, DEFAULTS, settings, fence, drills
    )

    # when it is looked at, twice
    monkeypatch.setattr(failures, "BACKOFF", Backoff(5.0, 30.0, jitter=0))
    again = [await reconciler.reconcile((NAMESPACE, "iris")) for _ in range(2)]

    # then it is said once, and all that the newer operator remembers is still there
    assert again == [timedelta(seconds=5), timedelta(seconds=10)]
    status = api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]["status"]
    assert {**status, "conditions": newer["conditions"]} == newer
    stalled = next(condition for condition in status["conditions"] if condition["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "InvalidSpec")
    assert "if a newer operator wrote it, run that one" in stalled["message"]
    assert len(api.events) == 1
