"""Whether a model is at rest, so that an event about it ends there."""

from typing import Any

import pytest
from tests.controller.fakes import model

from viridian.api.names import ANNOTATION_COMMAND, Color
from viridian.controller.cache.deployments import SlimDeployment
from viridian.controller.cache.models import Model
from viridian.controller.cache.rest import is_at_rest

STABLE = {"color": "blue", "revision": "iris-1", "version": "v1.0.0", "weight": 100, "replicas": 2, "ready": 2}
NOTHING_STANDS_IN_THE_WAY = {
    "type": "Stalled",
    "status": "False",
    "reason": "Stable",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
LONG = "abort/iris-1/" + "x" * 600


def at_rest(command: str = "", last_command: str = "", ready: int = 2, **parts: Any) -> bool:
    status = {
        "phase": "Stable",
        "observedGeneration": 1,
        "stable": {**STABLE, "ready": ready},
        "lastCommand": last_command,
        "conditions": [NOTHING_STANDS_IN_THE_WAY],
    }
    settled = model(status=status, **parts)
    annotations = {ANNOTATION_COMMAND: command} if command else {}
    metadata = {**settled.manifest["metadata"], "generation": 1, "annotations": annotations}
    blue = SlimDeployment("u", 1, settled.owner.uid, "iris-1", 2, 2, ready, going=False, kept=0)
    return is_at_rest(Model({**settled.manifest, "metadata": metadata}), {Color.BLUE: blue})


@pytest.mark.parametrize(
    ("command", "last_command", "rests"),
    [
        ("", "", True),
        ("", "abort/iris-1/1", True),
        ("abort/iris-1/1", "abort/iris-1/1", True),
        ("abort/iris-1/2", "abort/iris-1/1", False),
        (LONG, LONG[:512], True),
        (LONG, "", False),
    ],
    ids=["none", "taken away", "dealt with", "new", "long and dealt with", "long and new"],
)
def test_a_command_that_was_dealt_with_keeps_no_model_from_rest(command: str, last_command: str, rests: bool) -> None:
    assert at_rest(command, last_command) is rests


@pytest.mark.parametrize(("ready", "rests"), [(2, True), (1, False), (0, False)])
def test_a_model_that_lacks_pods_is_looked_at_until_it_has_them(ready: int, rests: bool) -> None:
    assert at_rest(ready=ready) is rests
