"""What the Events of a pod add to what the pod says itself."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi
from tests.controller.pod_manifests import CREATING, RUNNING, container, pod, stage, unmade

from viridian.controller.children.pods import read_pods
from viridian.kube.client import KubeClient
from viridian.kube.errors import KubeError, Refused, Unavailable
from viridian.kube.resources import EVENT

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SANDBOX = "PodReadyToStartContainers"
WAITS = (
    "pod iris-green-1 on node n1 does not start, for 1 min or more: its containers wait for volumes, Secrets or the"
    " network; see its Events: kubectl describe pod iris-green-1"
)
NOT_MOUNTED = 'MountVolume.SetUp failed for volume "tmp" : disk full'


def placed(manifest: dict[str, Any], uid: str = "p1", **spec: Any) -> dict[str, Any]:
    """The pod in a namespace and with volumes, of which one is the model's claim."""
    volumes = [{"name": "model", "persistentVolumeClaim": {"claimName": "models"}}, {"name": "tmp", "emptyDir": {}}]
    metadata = {**manifest["metadata"], "namespace": NAMESPACE, "uid": uid}
    return {**manifest, "metadata": metadata, "spec": {**manifest.get("spec", {}), "volumes": volumes, **spec}}


def event(reason: str, message: str = "", ago: int = 10, kind: str = "Warning", **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=ago)).isoformat()
    return {
        "metadata": {"name": f"{reason}-{ago}", "namespace": NAMESPACE, "creationTimestamp": "2025-01-01T00:00:00Z"},
        "involvedObject": {"uid": "p1"},
        "reason": reason,
        "message": message,
        "type": kind,
        "lastTimestamp": at,
        **more,
    }


async def troubles(api: FakeApi, *manifests: dict[str, Any]) -> list[str]:
    return [each.trouble for each in await read_pods(cast("KubeClient", api), manifests, NOW)]


@pytest.mark.parametrize(
    ("events", "trouble"),
    [
        pytest.param([], WAITS, id="none"),
        pytest.param(
            [event("FailedCreatePodSandBox", "failed to set up network ")],
            "pod iris-green-1 on node n1: FailedCreatePodSandBox: failed to set up network",
            id="no network",
        ),
        pytest.param(
            [event("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1"')],
            'spec.model.uri: FailedAttachVolume: Multi-Attach error for volume "pvc-1"',
            id="the claim is attached elsewhere",
        ),
        pytest.param(
            [event("FailedMount", NOT_MOUNTED)],
            f"pod iris-green-1 on node n1: FailedMount: {NOT_MOUNTED}",
            id="another volume",
        ),
        pytest.param(
            [event("NodeNotReady", "Node is not ready")],
            "pod iris-green-1 on node n1: NodeNotReady: Node is not ready",
            id="no volume at all",
        ),
        pytest.param(
            [event("FailedMount", "timed out", ago=20), event("Scheduled", "assigned", ago=70, kind="Normal")],
            "spec.model.uri: FailedMount: timed out",
            id="the last one counts",
        ),
        pytest.param(
            [event("FailedMount", "timed out", ago=50), event("Pulling", "the image", kind="Normal")],
            WAITS,
            id="it went well since",
        ),
        pytest.param([event("FailedMount", "timed out", involvedObject={"uid": "p2"})], WAITS, id="another pod's"),
        pytest.param(
            [
                event("FailedMount", "again", ago=70, series={"count": 9, "lastObservedTime": NOW.isoformat()}),
                event("Pulling", kind="Normal"),
            ],
            "spec.model.uri: FailedMount: again",
            id="a series is as old as its last one",
        ),
        pytest.param(
            [
                event("FailedMount", "again", ago=70, lastTimestamp=None, eventTime=NOW.isoformat()),
                event("Scheduled", lastTimestamp=None, kind="Normal"),
            ],
            "spec.model.uri: FailedMount: again",
            id="as newer clients write them",
        ),
    ],
)
async def test_a_pod_of_which_nothing_is_made_for_long_is_explained_by_its_events(
    events: list[dict[str, Any]], trouble: str
) -> None:
    api = FakeApi()
    api.put(EVENT, *events)
    assert await troubles(api, placed(unmade())) == [trouble]


def pulling(reason: str = "ImagePullBackOff", at: str = "2025-12-31T23:00:00Z", **spec: Any) -> dict[str, Any]:
    waiting = [container(waiting={"reason": reason, "message": "401 Unauthorized"})]
    return placed(unmade(stage(SANDBOX, at=at), containerStatuses=waiting), **spec)


async def test_a_secret_for_the_registry_that_does_not_exist_is_told_with_its_field() -> None:
    # given a pod whose image is pulled without the Secret that the spec names
    words = "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed."
    api = FakeApi()
    api.put(EVENT, event("FailedToRetrieveImagePullSecret", words, ago=30), event("BackOff", "back-off pulling"))
    # then
    told = await troubles(api, pulling(imagePullSecrets=[{"name": "regcred"}]))
    assert told == [f"spec.serving.podTemplate.imagePullSecrets: {words}"]


SECRETS = {"imagePullSecrets": [{"name": "regcred"}]}
LATELY = "2025-12-31T23:59:30Z"


@pytest.mark.parametrize(
    ("manifests", "reads"),
    [
        pytest.param([placed(unmade()), placed(unmade(), "p2")], 1, id="two that wait: one is looked up"),
        pytest.param([placed(pod(container(**RUNNING))), placed(unmade(), "p2")], 1, id="the second one waits"),
        pytest.param([placed(unmade(conditions=[stage("PodScheduled", at=LATELY)]))], 0, id="not for a minute yet"),
        pytest.param([placed(unmade(stage("Ready")))], 0, id="it is ready"),
        pytest.param([placed(unmade(stage(SANDBOX)))], 1, id="it pulls its image for long"),
        pytest.param([placed(unmade(stage(SANDBOX, at=LATELY)))], 0, id="it pulls its image"),
        pytest.param([pulling()], 0, id="the pull fails, and it says why itself"),
        pytest.param([pulling(**SECRETS)], 1, id="the pull fails, with a Secret"),
        pytest.param([pulling("ErrImagePull", **SECRETS)], 1, id="the pull has just failed, with a Secret"),
        pytest.param([pulling(at=LATELY, **SECRETS)], 0, id="the pull fails for less than a minute"),
        pytest.param([placed(unmade(phase="Failed"))], 0, id="it has ended for good"),
        pytest.param([placed(pod(container(waiting=CREATING)))], 0, id="it has no node"),
        pytest.param(
            [{**unmade(), "metadata": {**unmade()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}],
            0,
            id="it is being deleted",
        ),
    ],
)
async def test_events_are_read_only_where_nothing_else_says_why(manifests: list[dict[str, Any]], reads: int) -> None:
    api = FakeApi()
    await troubles(api, *manifests)
    assert api.reads == [("find", EVENT)] * reads


@pytest.mark.parametrize("error", [Refused(403, "events is forbidden"), Unavailable(503, "no answer")])
async def test_events_that_cannot_be_read_hold_nothing_up(error: KubeError, caplog: pytest.LogCaptureFixture) -> None:
    # given an operator without the right to read Events, or an API server that does not answer
    class Deaf(FakeApi):
        async def find(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
            raise error

    # then the pod is told of with what it says itself
    assert await troubles(Deaf(), placed(unmade())) == [WAITS]
    assert f"the Events of pod default/iris-green-1 cannot be read: {error}" in caplog.text
