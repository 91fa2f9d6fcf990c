"""Events for people."""

import pytest
from tests.controller.fakes import FakeApi, model

from viridian.controller.reconciling.events import Recorder
from viridian.kube.errors import KubeError, Refused, Unavailable
from viridian.kube.resources import EVENT
from viridian.rollout.reporting.notices import Notice


async def test_an_event_speaks_of_its_model() -> None:
    # given
    api = FakeApi()

    # when a turn of a rollout is recorded, and then something to look at
    await Recorder(api).record(model(), Notice("Promoted", "iris-2 (v2.0.0) is stable"))
    await Recorder(api).warn(model(), "CommandRefused", "x" * 5000)

    # then both are there under their own names
    normal, warning = (event for (kind, _, _), event in api.objects.items() if kind is EVENT)
    about = {"apiVersion": "viridian.dev/v1alpha1", "kind": "ModelDeployment", "name": "iris", "uid": "model-iris"}
    assert normal["involvedObject"] == {**about, "namespace": "default"}
    assert (normal["type"], normal["reason"], normal["message"]) == ("Normal", "Promoted", "iris-2 (v2.0.0) is stable")
    # and what is too long for an Event is cut rather than refused
    assert (warning["type"], warning["reason"]) == ("Warning", "CommandRefused")
    assert len(warning["message"]) <= 1024


@pytest.mark.parametrize(
    "trouble", [Refused(403, "events is forbidden"), Unavailable(503, "no answer"), KubeError(404, "?")]
)
async def test_an_event_that_cannot_be_written_holds_nothing_up(
    trouble: KubeError, caplog: pytest.LogCaptureFixture
) -> None:
    api = FakeApi()
    api.trouble = [trouble]
    await Recorder(api).warn(model(), "Held", "no metrics")
    assert f"an Event for default/iris was lost: {trouble}" in caplog.text
