"""The stage that tests of the resync share."""

from collections.abc import Callable

import pytest
from tests.controller.resync.stage import Stage

from viridian.controller.resync.expected import ChildEventHandler, ExpectedChildren
from viridian.kube.resources import (
    Kind,
)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def edits(stage: Stage) -> Callable[[Kind], ChildEventHandler]:
    return lambda kind: ChildEventHandler(kind, ExpectedChildren(stage.models, stage.deployments, stage.queue))
