"""A model that is mounted as an image, before a real API server that has image volumes, and one that has not."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.control_plane import ControlPlane
from tests.workloads.children import render

from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.owner import Owner

CASE = yaml.safe_load((REPOSITORY / "tests" / "workloads" / "cases" / "image-volume" / "in.yaml").read_text())
IMAGE = CASE["spec"]["model"]["uri"].removeprefix("oci://")


@pytest.fixture(scope="module")
def with_volumes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane as Kubernetes 1.35 is by default."""
    running = ControlPlane(tmp_path_factory.mktemp("with-volumes"), "ImageVolume")
    yield running
    running.stop()


def stored(control_plane: ControlPlane, namespace: str) -> dict[str, Any]:
    """What the API server makes of the pods of a color: their spec."""
    owner = Owner("iris", namespace, "6a1f0c52-0000-4000-8000-000000000000")
    rendered = render(ModelDeploymentSpec.model_validate(CASE["spec"]), owner)
    # Not read later: its owner is nobody, so that it is collected as garbage.
    stored = control_plane.apply(next(iter(rendered.deployments.values())))
    spec: dict[str, Any] = stored["spec"]["template"]["spec"]
    return spec


def mounting(spec: dict[str, Any]) -> list[str]:
    """The containers that mount the model."""
    containers = (*spec["initContainers"], *spec["containers"])
    return [
        each["name"] for each in containers if any(mount["name"] == "model" for mount in each.get("volumeMounts", []))
    ]


def test_the_volume_is_stored_as_it_was_written(with_volumes: ControlPlane) -> None:
    with with_volumes.fresh_namespace() as namespace:
        spec = stored(with_volumes, namespace)
    volume = next(volume for volume in spec["volumes"] if volume["name"] == "model")
    assert volume == {"name": "model", "image": {"reference": IMAGE, "pullPolicy": "IfNotPresent"}}
    assert mounting(spec) == ["fetch", "triton", "api"]


def test_without_the_feature_volume_and_mounts_are_left_out_without_a_word(
    control_plane: ControlPlane, namespace: str
) -> None:
    # The fetch container says so then: see `locate` in the serving image.
    spec = stored(control_plane, namespace)
    assert mounting(spec) == []
    assert "model" not in {volume["name"] for volume in spec["volumes"]}
