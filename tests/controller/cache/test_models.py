"""What the operator knows of models."""

from typing import Any

import pytest
from tests.controller.fakes import model

from viridian.api.errors import InvalidSpec
from viridian.controller.cache.models import Models

KEY = ("default", "iris")


@pytest.mark.parametrize(
    ("sights", "newest"),
    [
        pytest.param([("a", 5)], ("a", 5), id="seen once"),
        pytest.param([("a", 5), ("a", 6)], ("a", 6), id="a newer sight"),
        pytest.param([("a", 5), ("a", 4)], ("a", 5), id="an older sight, such as a late watch event"),
        pytest.param([("a", 9), ("a", 10)], ("a", 10), id="versions are numbers, not words"),
        pytest.param([("a", 5), ("b", 6)], ("b", 6), id="made anew"),
        pytest.param([("a", 5), ("b", 7), ("a", 6)], ("b", 7), id="made anew, and a late event of its predecessor"),
    ],
)
def test_the_newest_sight_counts(sights: list[tuple[str, int]], newest: tuple[str, int]) -> None:
    # given an object seen several times
    models = Models()
    for uid, version in sights:
        last = models.see(model(uid=uid, version=version).manifest)

    # then the newest sight is what is known, and what the last one to look is told
    known = models.get(KEY)
    assert known is not None
    assert last == known
    assert (known.owner.uid, known.version) == newest


@pytest.mark.parametrize(("deleted", "stays"), [("a", False), ("b", True)])
def test_only_the_object_that_was_deleted_is_forgotten(deleted: str, stays: bool) -> None:
    models = Models()
    models.see(model(uid="a").manifest)
    models.forget(KEY, deleted)
    models.forget(("default", "never-seen"), deleted)
    assert (models.get(KEY) is not None) is stays


@pytest.mark.parametrize(
    ("status", "moving"),
    [
        (None, False),
        ({}, False),
        *(({"phase": phase}, True) for phase in ("Starting", "Progressing", "Baking", "Finishing")),
        *(({"phase": phase}, True) for phase in ("RollingBack", "Held")),
        *(({"phase": phase}, False) for phase in ("Pending", "Stable", "RolledBack", "Expired", "Stalled")),
        ({"phase": "Stable", "drain": {"color": "blue"}}, True),
    ],
    ids=str,
)
def test_who_is_looked_at_without_an_event(status: dict[str, Any] | None, moving: bool) -> None:
    models = Models()
    seen = models.see(model(status=status).manifest)
    assert list(models.moving()) == ([seen] if moving else [])


def test_a_spec_that_cannot_be_read_is_told_field_by_field() -> None:
    broken = model(spec={"model": {"version": "v1"}, "traffic": {"parentRefs": [{}]}, "serving": {"replicas": 0}})
    with pytest.raises(InvalidSpec) as error:
        _ = broken.spec
    for field in ("spec.model.uri: Field required", "spec.traffic.parentRefs.0.name: ", "spec.serving.replicas: "):
        assert field in str(error.value)


def test_a_status_of_somebody_else_is_told() -> None:
    with pytest.raises(InvalidSpec, match="status cannot be read, and is left as it is"):
        _ = model(status={"phase": "Fine"}).status


def test_a_status_of_a_newer_operator_is_read() -> None:
    assert model(status={"phase": "Stable", "fromTheFuture": 1}).status.phase == "Stable"


@pytest.mark.parametrize(
    ("annotations", "command"),
    [(None, ""), ({}, ""), ({"viridian.dev/command": "abort/iris-2/1"}, "abort/iris-2/1")],
    ids=str,
)
def test_the_command_annotation(annotations: dict[str, str] | None, command: str) -> None:
    seen = model()
    seen.manifest["metadata"]["annotations"] = annotations
    assert seen.command == command
