"""Every manifest in examples/ is one that the API would take."""

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import yaml
from examples.demo.settings import BAD, BASELINE, GOOD, WRONG
from examples.demo.story import manifest_for
from pydantic import BaseModel

from viridian.api.names import API_VERSION, KIND
from viridian.api.spec import ModelDeploymentSpec

EXAMPLES = Path(__file__).parents[2] / "examples"
MANIFESTS = sorted(path for path in EXAMPLES.rglob("*.yaml") if path.parent.name != "authentication")
"""What a user applies; the one folder left out has a gateway's own configuration."""


def spec_of(manifest: dict[str, Any]) -> ModelDeploymentSpec:
    assert manifest["apiVersion"] == API_VERSION
    assert manifest["kind"] == KIND
    return ModelDeploymentSpec.model_validate(manifest["spec"])


def fields_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """The paths of all fields that a manifest may have, without those of lists' items being numbered."""
    paths = set()
    for field in model.model_fields.values():
        path = f"{prefix}.{field.alias}"
        paths.add(path)
        for nested in models_in(field.annotation):
            paths |= fields_of(nested, path)
    return paths


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (list, Union, UnionType):
        return [model for argument in get_args(annotation) if argument is not NoneType for model in models_in(argument)]
    return []


def paths_in(value: Any, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        return {
            path for key, item in value.items() for path in ({f"{prefix}.{key}"} | paths_in(item, f"{prefix}.{key}"))
        }
    if isinstance(value, list):
        return {path for item in value for path in paths_in(item, prefix)}
    return set()


def models_of(path: Path) -> list[dict[str, Any]]:
    return [manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest["kind"] == KIND]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_is_valid(path: Path) -> None:
    for manifest in models_of(path):
        spec_of(manifest)


def test_every_field_there_is_has_an_example() -> None:
    shown = [paths_in(manifest["spec"]) for path in MANIFESTS for manifest in models_of(path)]
    missing = fields_of(ModelDeploymentSpec) - set().union(*shown)
    # A store has one example, of a model's; and the operator alone writes what makes a model fail on purpose.
    assert {each for each in missing if not each.startswith((".checks.replay.store", ".serving.drill"))} == set()


@pytest.mark.parametrize("version", [BASELINE, GOOD, BAD, WRONG])
def test_the_demonstration_asks_for_its_version(version: str) -> None:
    spec = spec_of(manifest_for(version, "dev/digits:abc"))
    assert (spec.model.version, spec.model.uri) == (version, f"image:///models/digits/{version}")
    assert spec.serving.image == "dev/digits:abc"
    assert spec.guards.latency
