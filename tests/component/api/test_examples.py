"""Every example is a complete manifest that a real API server takes as it is."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, utils
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.control_plane import ControlPlane

from viridian.api.spec import ModelDeploymentSpec

EXAMPLES = sorted(path for path in (REPOSITORY / "examples").glob("**/*.yaml") if path.parent.name != "authentication")


def models(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document["kind"] == "ModelDeployment"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_accepted_word_for_word(
    control_plane: ControlPlane, crd: str, namespace: str, path: Path
) -> None:
    assert models(path), f"{path} has no ModelDeployment"
    for document in models(path):
        document["metadata"]["namespace"] = namespace
        created = control_plane.custom.create_namespaced_custom_object(
            "viridian.dev", "v1alpha1", namespace, "modeldeployments", document, field_validation="Strict"
        )
        assert created["spec"] == ModelDeploymentSpec.model_validate(document["spec"]).manifest()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_what_stands_beside_a_model_in_an_example_is_accepted_too(
    control_plane: ControlPlane, namespace: str, path: Path
) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] != "ModelDeployment":
            created = utils.create_from_dict(
                control_plane.api, document, namespace=namespace, field_validation="Strict"
            )
            assert created


def test_a_misspelt_field_in_an_example_would_be_noticed(control_plane: ControlPlane, crd: str, namespace: str) -> None:
    document = models(EXAMPLES[0])[0]
    document["metadata"]["namespace"] = namespace
    document["spec"]["rollout"] = {"stepz": []}
    with pytest.raises(client.ApiException, match="stepz"):
        control_plane.custom.create_namespaced_custom_object(
            "viridian.dev", "v1alpha1", namespace, "modeldeployments", document, field_validation="Strict"
        )
