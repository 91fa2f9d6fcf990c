"""Autoscalers of models at rest."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE, model
from tests.controller.resync.stage import Stage

from viridian.api.names import Color
from viridian.kube.client import Manifest
from viridian.kube.resources import (
    AUTOSCALER,
)
from viridian.workloads.scaling import build_autoscaler

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
