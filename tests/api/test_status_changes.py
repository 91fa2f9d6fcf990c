"""A status is changed field by field, and a change that could not be written is refused."""

from datetime import UTC, datetime
from typing import get_type_hints

import pytest
from pydantic import ValidationError

from viridian.api.status import (
    CheckStatus,
    ColorStatus,
    DrillRun,
    DrillStatus,
    Ending,
    Hold,
    ModelDeploymentStatus,
    Outage,
    Phase,
    Shortfall,
    StatusModel,
    StepStatus,
)
from viridian.api.status import changes as module
from viridian.api.status.changes import evolve

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOLD = Hold(reason="Paused", message="m", since=NOON)


@pytest.mark.parametrize(
    ("changes", "model"),
    [
        (module.StatusChanges, ModelDeploymentStatus),
        (module.ColorChanges, ColorStatus),
        (module.StepChanges, StepStatus),
        (module.EndingChanges, Ending),
        (module.OutageChanges, Outage),
        (module.ShortfallChanges, Shortfall),
        (module.CheckChanges, CheckStatus),
        (module.DrillChanges, DrillStatus),
        (module.DrillRunChanges, DrillRun),
    ],
)
def test_every_field_can_be_changed(changes: type, model: type[StatusModel]) -> None:
    known = get_type_hints(model)
    assert get_type_hints(changes) == {name: known[name] for name in model.model_fields}


def test_named_fields_change_and_all_others_stay() -> None:
    before = ModelDeploymentStatus(phase=Phase.BAKING, hold=HOLD, last_revision=3)
    after = evolve(before, {"phase": Phase.HELD, "paused": "iris-2"}, phase=Phase.STABLE)
    assert after == ModelDeploymentStatus(phase=Phase.STABLE, paused="iris-2", hold=HOLD, last_revision=3)
    assert before.phase is Phase.BAKING
    assert after.hold is HOLD


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="ModelDeploymentStatus has no field phse"):
        evolve(ModelDeploymentStatus(), **{"phse": Phase.STABLE})


@pytest.mark.parametrize(
    "changes", [{"phase": "Flying"}, {"last_revision": -1}, {"stable": "blue"}, {"last_command": "x" * 513}]
)
def test_a_value_that_could_not_be_written_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        evolve(ModelDeploymentStatus(), **changes)


def test_a_sentence_is_cut_to_what_a_status_may_hold() -> None:
    assert len(evolve(ModelDeploymentStatus(), verdict="x" * 5000).verdict) == 2048
