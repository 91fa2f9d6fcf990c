"""The CustomResourceDefinition before the only judge there is: a real API server."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from tests.component.harness.control_plane import ControlPlane

from viridian.api.names import GROUP, PLURAL, VERSION
from viridian.api.spec import ModelDeploymentSpec

TABLE = yaml.safe_load((Path(__file__).parent / "admission.yaml").read_text())
# What the server adds when a value is so wrong that it does not even try the CEL rules.
SKIPPED = "some validation rules were not checked"
Manifest = dict[str, Any]


def merge(base: Any, change: Any) -> Any:
    """A manifest with a change: maps are merged, anything else is replaced, null removes."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return copy.deepcopy(change)
    merged = {key: merge(base.get(key), value) for key, value in change.items() if value is not None}
    return {key: value for key, value in base.items() if key not in change} | merged


def create(control_plane: ControlPlane, namespace: str, manifest: Manifest, **options: str) -> Manifest:
    """Create it the way kubectl does: unknown fields are refused."""
    created: Manifest = control_plane.custom.create_namespaced_custom_object(
        GROUP, VERSION, namespace, PLURAL, manifest, field_validation="Strict", **options
    )
    return created


def try_create(control_plane: ControlPlane, manifest: Manifest) -> Manifest:
    """What creating it would give; all of admission takes part, and nothing is stored."""
    return create(control_plane, "default", manifest, dry_run="All")


def test_the_definition_is_structural_and_served(control_plane: ControlPlane, crd: str) -> None:
    # given the committed definition, applied
    # when its conditions are read
    found = client.ApiextensionsV1Api(control_plane.api).read_custom_resource_definition(crd)
    conditions = {condition.type: condition.status for condition in found.status.conditions}

    # then it is established, and nothing is wrong with its schema
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert "KubernetesAPIApprovalPolicyConformant" not in conditions


@pytest.mark.parametrize("row", TABLE["accepted"], ids=lambda row: row["case"])
def test_good_manifests_are_accepted_with_the_defaults_of_the_models(
    control_plane: ControlPlane, crd: str, row: Manifest
) -> None:
    # given a good manifest
    manifest = merge(TABLE["good"], row.get("change", {}))

    # when it is created
    created = try_create(control_plane, manifest)

    # then the server fills in what the models would
    assert created["spec"] == ModelDeploymentSpec.model_validate(manifest["spec"]).manifest()


@pytest.mark.parametrize("row", TABLE["refused"], ids=lambda row: row["case"])
def test_bad_manifests_are_refused_with_a_sentence_that_names_the_field(
    control_plane: ControlPlane, crd: str, row: Manifest
) -> None:
    # given a manifest with one mistake
    manifest = merge(TABLE["good"], row["change"])

    # when somebody tries to create it
    with pytest.raises(client.ApiException) as refused:
        try_create(control_plane, manifest)

    # then the answer names the field and says what is wrong, and speaks of nothing else
    answer = json.loads(refused.value.body)
    assert refused.value.status in {400, 422}
    assert row["field"] in answer["message"]
    assert row["says"] in answer["message"]
    causes = [cause for cause in answer.get("details", {}).get("causes", []) if SKIPPED not in cause["message"]]
    assert all(row["field"].startswith(cause["field"]) for cause in causes)


def test_a_status_does_not_change_the_generation(control_plane: ControlPlane, crd: str, namespace: str) -> None:
    # given a ModelDeployment
    name = create(control_plane, namespace, TABLE["good"])["metadata"]["name"]

    # when its status is written
    written = control_plane.custom.patch_namespaced_custom_object_status(
        GROUP, VERSION, namespace, PLURAL, name, {"status": {"phase": "Pending"}, "spec": {"revisionHistoryLimit": 9}}
    )

    # then only the status changed, and no default claims anything
    assert written["status"] == {"phase": "Pending", "observedGeneration": 0}
    assert written["spec"]["revisionHistoryLimit"] == 5
    assert written["metadata"]["generation"] == 1


def test_what_kubectl_shows(control_plane: ControlPlane, crd: str, namespace: str) -> None:
    # given a ModelDeployment in the middle of a rollout
    name = create(control_plane, namespace, TABLE["good"])["metadata"]["name"]
    role = {"revision": "iris-1", "weight": 75, "replicas": 1, "ready": 1}
    control_plane.custom.patch_namespaced_custom_object_status(
        GROUP,
        VERSION,
        namespace,
        PLURAL,
        name,
        {
            "status": {
                "phase": "Progressing",
                "stable": {"color": "blue", "version": "v1.2.0", **role},
                "candidate": {"color": "green", "version": "v1.3.0", **role, "weight": 25},
                "step": {
                    "index": 2,
                    "count": 3,
                    "progress": "2/3",
                    "weight": 25,
                    "intendedAt": "2026-01-01T00:00:00.000Z",
                },
                "verdict": "nothing speaks against v1.3.0",
            }
        },
    )

    # when it is listed as a table, as kubectl asks for it
    shown = control_plane.get(
        f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}",
        accept="application/json;as=Table;v=v1;g=meta.k8s.io",
    )

    # then there is what the design promises, what is new and the verdict only in the wide table
    columns = [(column["name"], column["priority"]) for column in shown["columnDefinitions"]]
    assert columns == [
        ("Name", 0),
        ("Phase", 0),
        ("Stable", 0),
        ("Candidate", 0),
        ("Weight", 0),
        ("Step", 0),
        ("Age", 0),
        ("Changes", 1),
        ("Verdict", 1),
    ]
    cells = shown["rows"][0]["cells"]
    assert [*cells[:6], cells[8]] == [
        "iris",
        "Progressing",
        "v1.2.0",
        "v1.3.0",
        25,
        "2/3",
        "nothing speaks against v1.3.0",
    ]
