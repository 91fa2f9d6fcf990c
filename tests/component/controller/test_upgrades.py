"""A newer operator, and the older one again: no running pod changes, no rollout starts, and one under way goes on."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.newer import crd_of, newer_operator
from tests.component.harness.pods import wait_for_pods
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.stage import LONG_BAKE, Stage, stage_in
from tests.waiting import eventually, stays

TODAY = REPOSITORY / "operator"
# The timeout is left to its default, which the newer operator has another one of.
SPEC = {"serving": {"replicas": 2}, "revisionHistoryLimit": 4}
BRIEF = {
    "steps": [{"weight": 20, "hold": "1s"}],
    "bake": {"duration": "2s", "holdback": 10},
    "deadline": "30m",
    "drainMax": "5s",
}


@dataclass
class Release:
    """An operator that can be installed, with the CustomResourceDefinition that belongs to it."""

    operator: Path
    crd: dict[str, Any]
    serving_image: str

    def install(self, control_plane: ControlPlane, *stages: Stage) -> None:
        """What an upgrade with Helm does: first the resource, then the operator."""
        for stage in stages:
            stage.operator.stop()
        self.serve(control_plane)
        for stage in stages:
            stage.operator.forked = self.operator == TODAY
            stage.operator.environment["PYTHONPATH"] = str(self.operator)
            stage.operator.environment["VIRIDIAN_SERVING_IMAGE"] = self.serving_image
            stage.operator.start()

    def serve(self, control_plane: ControlPlane) -> None:
        """Let the API server know this release's schema, and wait until it goes by it."""
        control_plane.apply(self.crd)
        version = self.crd["spec"]["versions"][0]
        wanted = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["serving"]["default"]

        def served() -> bool:
            probe = {
                "apiVersion": "viridian.dev/v1alpha1",
                "kind": "ModelDeployment",
                "metadata": {"name": "probe", "namespace": "default"},
                "spec": {
                    "model": {"version": "v1", "uri": "image:///models/probe"},
                    "traffic": {"parentRefs": [{"name": "public"}]},
                },
            }
            made = control_plane.custom.create_namespaced_custom_object(
                "viridian.dev", "v1alpha1", "default", "modeldeployments", probe, dry_run="All"
            )
            return bool(made["spec"]["serving"] == wanted)

        eventually(served, "the API server to go by the schema")


@pytest.fixture(scope="module")
def today() -> Release:
    manifest = yaml.safe_load((REPOSITORY / "crds" / "viridian.dev_modeldeployments.yaml").read_text())
    return Release(TODAY, manifest, "example.com/viridian-serving:1")


@pytest.fixture
def newer(tmp_path: Path, control_plane: ControlPlane, crd: str, today: Release) -> Iterator[Release]:
    operator = newer_operator(tmp_path)
    yield Release(operator, crd_of(operator), "example.com/viridian-serving:2")
    today.serve(control_plane)


@pytest.fixture
def stages(stage: Stage, control_plane: ControlPlane, prometheus: Prometheus, logs: Path) -> Iterator[list[Stage]]:
    """Three models, each in its own namespace."""
    with ExitStack() as stack:
        namespaces = [stack.enter_context(control_plane.fresh_namespace()) for _ in range(2)]
        others = [
            stack.enter_context(stage_in(namespace, control_plane, prometheus, logs / namespace, forked=True))
            for namespace in namespaces
        ]
        yield [stage, *others]


def footprint(stage: Stage) -> dict[str, Any]:
    """All by which one can tell that something was changed or started."""
    apps, core = stage.control_plane.apps, stage.control_plane.core
    return {
        "pods": {pod.metadata.uid for pod in core.list_namespaced_pod(stage.namespace).items},
        "deployments": {
            # Not the generation: that grows with the annotation by which each new leader fences off its predecessor.
            deployment.metadata.name: stage.control_plane.api.sanitize_for_serialization(deployment.spec)
            for deployment in apps.list_namespaced_deployment(stage.namespace).items
        },
        "replica sets": {found.metadata.uid for found in apps.list_namespaced_replica_set(stage.namespace).items},
        "revisions": {
            revision.metadata.name: revision.metadata.resource_version
            for revision in apps.list_namespaced_controller_revision(stage.namespace).items
        },
        "weights": stage.weights,
        "phase": stage.status["phase"],
        "roles": [(stage.status.get(role) or {}).get("revision") for role in ("stable", "candidate")],
        "history": [(entry["revision"], entry["result"]) for entry in stage.status["history"]],
    }


def looked_at(*stages: Stage) -> None:
    """Wait until the operators that run now have made a pass over the models: they answer a command."""
    word = f"retry/iris-99/{time.monotonic_ns()}"
    for stage in stages:
        stage.annotate(command=word)
    eventually(
        lambda: all(stage.status.get("lastCommand") == word for stage in stages), "the operators to look at the models"
    )


def bring_to_rest(stable: Stage, baking: Stage, failed: Stage) -> None:
    """One model at rest, one in the middle of its bake, one whose candidate was rolled back."""
    failed.users.outcome = lambda revision: ("error" if revision == "iris-2" else "ok", 0.02)
    for stage in (stable, baking, failed):
        stage.apply("v1.0.0", **SPEC, rollout=BRIEF)
    for stage in (stable, baking, failed):
        stage.reaches("Stable", "v1.0.0")
    for stage in (baking, failed):
        stage.apply("v2.0.0", **SPEC, rollout=LONG_BAKE)
    baking.reaches("Baking")
    failed.reaches("RolledBack", "v1.0.0")
    eventually(lambda: baking.weights == {"iris-blue": 10, "iris-green": 90}, "the bake's weights")


def test_an_upgrade_and_the_way_back_change_no_pod_and_start_no_rollout(
    control_plane: ControlPlane, stages: list[Stage], today: Release, newer: Release
) -> None:
    # given models at rest, in the bake, and rolled back, by today's operator
    bring_to_rest(*stages)
    before = [footprint(stage) for stage in stages]

    for release in (newer, today):
        # when another release is installed, with another rendering, another default and a grown (or shrunk) schema
        release.install(control_plane, *stages)
        looked_at(*stages)

        # then each model is looked after, and stays exactly as it was
        stays(lambda: [footprint(stage) for stage in stages] == before, "all three models", during=4)
        for stage in stages:
            assert stage.condition("Stalled")["reason"] in {"Stable", "Baking", "GuardBreached"}

    # and the rollout under way is finished by an operator that did not begin it
    _, baking, _ = stages
    newer.install(control_plane, baking)
    baking.apply("v2.0.0", **SPEC, rollout=BRIEF)
    status = baking.reaches("Stable", "v2.0.0")
    assert status["stable"]["revision"] == "iris-2"
    assert [(entry["revision"], entry["result"]) for entry in status["history"]] == [
        ("iris-2", "Promoted"),
        ("iris-1", "Promoted"),
    ]


def test_a_newer_operator_scales_and_edits_without_touching_a_running_pod(
    control_plane: ControlPlane, stage: Stage, newer: Release
) -> None:
    # given a model that today's operator brought to rest
    stage.apply("v1.0.0", **SPEC, rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    before = footprint(stage)
    template = before["deployments"]["iris-blue"]["template"]

    # when under a newer one it is scaled, and something is edited that makes no revision
    newer.install(control_plane, stage)
    stage.apply("v1.0.0", serving={"replicas": 3}, revisionHistoryLimit=3, rollout=BRIEF)
    wait_for_pods(control_plane.core, stage.namespace, "viridian.dev/color=blue", 3)

    # then there is one more pod of the very same template
    after = footprint(stage)
    assert before["pods"] < after["pods"]
    assert after["deployments"]["iris-blue"]["template"] == template
    assert after["replica sets"] == before["replica sets"]
    assert after["revisions"] == before["revisions"]
    stays(lambda: stage.status["phase"] == "Stable", "the model to rest", during=2)

    # and the next version of the model is the first to be rendered by it
    stage.apply("v2.0.0", serving={"replicas": 3, "threads": 8}, rollout=BRIEF)
    stage.reaches("Stable", "v2.0.0")
    names = {variable.name for variable in stage.deployment("green").spec.template.spec.containers[0].env}
    assert "VIRIDIAN_NEWER" in names


@pytest.mark.parametrize("schema", ["goes back too", "stays"])
def test_a_revision_of_a_newer_operator_is_run_by_the_older_one(
    control_plane: ControlPlane, stage: Stage, today: Release, newer: Release, schema: str
) -> None:
    # given a model that a newer operator rolled out, with a field that today's does not know
    newer.install(control_plane, stage)
    stage.apply("v1.0.0", serving={"replicas": 2, "threads": 8}, rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    before = footprint(stage)
    template = before["deployments"]["iris-blue"]["template"]

    # when today's operator comes back, with its schema or without
    back = today if schema == "goes back too" else replace(today, crd=newer.crd)
    back.install(control_plane, stage)
    looked_at(stage)

    # then all stays as it is, and the model can be scaled
    stays(lambda: footprint(stage) == before, "the model", during=3)
    assert stage.condition("Ready")["status"] == "True"
    stage.patch({"spec": {"serving": {"replicas": 3}}})
    wait_for_pods(control_plane.core, stage.namespace, "viridian.dev/color=blue", 3)
    after = footprint(stage)
    assert before["pods"] < after["pods"]
    assert after["deployments"]["iris-blue"]["template"] == template
    assert after["revisions"] == before["revisions"]


def test_a_model_that_was_stored_before_a_field_existed_is_not_rolled_out_for_its_default(
    control_plane: ControlPlane, stage: Stage, newer: Release
) -> None:
    # given a model that was stored, and made into a revision, when there was no such field
    stage.apply("v1.0.0", **SPEC, rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    assert "threads" not in stage.model["spec"]["serving"]
    before = footprint(stage)

    # when the schema has grown by it, so that the API server fills its default into what it reads
    newer.install(control_plane, stage)
    assert stage.model["spec"]["serving"]["threads"] == 4
    looked_at(stage)

    # then that is the same model; also when a person writes the default out
    stays(lambda: footprint(stage) == before, "the model", during=3)
    stage.apply("v1.0.0", serving={"replicas": 2, "threads": 4}, revisionHistoryLimit=4, rollout=BRIEF)
    looked_at(stage)
    stays(lambda: footprint(stage) == before, "the model", during=3)

    # and another value is another revision
    stage.apply("v1.0.0", serving={"replicas": 2, "threads": 8}, revisionHistoryLimit=4, rollout=BRIEF)
    status = stage.reaches("Stable", "v1.0.0")
    eventually(lambda: stage.status["stable"]["revision"] == "iris-2", "the second revision")
    assert status["lastRevision"] <= 2
