"""What an action writes, in words for people."""

import pytest

from viridian.api.names import Color
from viridian.rollout.observed import Autoscaler
from viridian.rollout.planning import actions

BLUE = Color.BLUE


@pytest.mark.parametrize(
    ("action", "written"),
    [
        (actions.ApplyColor(BLUE, "iris-1", 2), "Deployment iris-blue"),
        (actions.ApplyColorService(BLUE), "Service iris-blue"),
        (actions.PointStableService(BLUE), "Service iris"),
        (actions.ApplyBudget(BLUE), "PodDisruptionBudget iris-blue"),
        (actions.ApplyAutoscaler(BLUE, Autoscaler(1, 2, 80)), "HorizontalPodAutoscaler iris-blue"),
        (actions.RemoveAutoscaler(BLUE), "HorizontalPodAutoscaler iris-blue"),
        (actions.ApplyLiveSettings(), "ConfigMap of iris's live settings"),
        (actions.MoveWeights((), ()), "the traffic resources of iris"),
        (actions.FollowTraffic(()), "the traffic resources of iris"),
        (actions.RemoveRoute(), "the traffic resources of iris"),
        (actions.StoreRevision("iris-2", 2), "ControllerRevision iris-2"),
        (actions.RestoreRevision("iris-1"), "ControllerRevision iris-1"),
        (actions.PruneRevision("iris-1"), "ControllerRevision iris-1"),
    ],
)
def test_the_object_of_each_action_is_named(action: actions.Action, written: str) -> None:
    assert actions.written_by(action, "iris") == written
