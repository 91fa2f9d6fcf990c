"""v1alpha1 only grows: what a released version had, every later one has, with the same type and the same default.

A changed default would change models that nobody touched. A new field is added to `frozen.yaml` when it is released.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from viridian.api.generators.structural import structural_schema
from viridian.api.spec import ModelDeploymentSpec

FROZEN = yaml.safe_load(Path(__file__).with_name("frozen.yaml").read_text())


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path, type and default of every field that holds no other fields, items of lists included."""
    for name, field in schema.get("properties", {}).items():
        yield from fields(field, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")
    if "properties" not in schema:
        kind = schema.get("type", "int-or-string")
        yield path, {"type": kind, **({"default": schema["default"]} if "default" in schema else {})}


TODAY = dict(fields(structural_schema(ModelDeploymentSpec), "spec"))


@pytest.mark.parametrize("path", FROZEN)
def test_a_released_field_keeps_its_type_and_its_default(path: str) -> None:
    assert TODAY.get(path) == FROZEN[path]


def required(schema: dict[str, Any], path: str) -> set[str]:
    """Fields without which a manifest is refused."""
    inner = [(field, f"{path}.{name}") for name, field in schema.get("properties", {}).items()]
    inner += [(schema["items"], f"{path}[]")] if "items" in schema else []
    return {f"{path}.{name}" for name in schema.get("required", [])}.union(*(required(*one) for one in inner))


def test_no_released_manifest_lacks_a_field_that_is_required_today() -> None:
    # A new field of a new section may be required; one of a section that was there before may not.
    sections = {path.rpartition(".")[0] for path in FROZEN}
    asked = {path for path in required(structural_schema(ModelDeploymentSpec), "spec") if path not in FROZEN}
    assert {path for path in asked if path.rpartition(".")[0] in sections and path not in sections} == set()
