"""What Flux sees: kstatus itself, over everything that a model can go through. No cluster is needed for that.

docs/guides/gitops.md has the table.
"""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from tests.cli.test_verdict import (
    aborted,
    ask_for,
    at_stable,
    breached,
    crashes,
    fails_a_check,
    out_of_time,
    promoted,
    rolled_back_by_command,
)
from tests.component.harness.binaries import tool
from tests.component.harness.control_plane import ControlPlane
from tests.gitops.argocd import resource
from tests.rollout.test_invariants import Rollouts

from viridian.api.status import Phase

Json = dict[str, Any]


def kstatus(resources: list[Json]) -> list[str]:
    """What kstatus calls each of them."""
    lines = "".join(f"{json.dumps(each)}\n" for each in resources)
    done = subprocess.run([tool("kstatus")], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line)["status"] for line in done.stdout.splitlines()]


def expected(obj: Json) -> str:
    """The table of the guide."""
    held = {each["type"] for each in obj["status"].get("conditions", []) if each["status"] == "True"}
    if obj["status"].get("observedGeneration") != obj["metadata"]["generation"] or "Reconciling" in held:
        return "InProgress"
    if "Stalled" in held:
        return "Failed"
    return "Current" if "Ready" in held else "InProgress"


def told() -> Iterator[Json]:
    """Every state of a rollout that ends in each way."""
    for ends in (promoted, breached, fails_a_check, crashes, aborted, out_of_time, rolled_back_by_command):
        world = at_stable()
        ends(world)
        yield from (model.manifest for model in world.models)
    for gate in ("BeforeTraffic", "BeforePromotion"):
        world = at_stable()
        ask_for(world, rollout={**world.spec.rollout.manifest(), "approval": gate})
        world.until(Phase.HELD)
        yield from (model.manifest for model in world.models)


@pytest.fixture(scope="module")
def lives() -> list[Json]:
    """Every state of some random lives, each once."""
    seen: dict[str, Json] = {}

    class Watched(Rollouts):
        @invariant()
        def is_recorded(self) -> None:
            if (world := getattr(self, "world", None)) is not None and world.status.conditions:
                obj = resource(world)
                said = [(each["type"], each["status"], each["reason"]) for each in obj["status"]["conditions"]]
                stale = obj["status"]["observedGeneration"] != obj["metadata"]["generation"]
                seen.setdefault(json.dumps([obj["status"]["phase"], said, stale]), obj)

    run_state_machine_as_test(
        Watched,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return [*told(), *seen.values()]


def test_flux_sees_what_the_guide_says(lives: list[Json]) -> None:
    # given states of most phases
    phases = {obj["status"]["phase"] for obj in lives}
    assert {Phase.STARTING, Phase.PROGRESSING, Phase.HELD, Phase.STABLE, Phase.ROLLED_BACK} <= phases
    # when
    found = kstatus(lives)
    # then
    wrong = [
        (said, expected(obj), obj["status"]["phase"], obj["status"]["conditions"])
        for said, obj in zip(found, lives, strict=True)
        if said != expected(obj)
    ]
    assert wrong == []
    assert {"InProgress", "Failed", "Current"} <= set(found)


def test_a_model_that_no_operator_has_seen_is_not_ready(control_plane: ControlPlane, crd: str, namespace: str) -> None:
    # when a model is new
    control_plane.apply(
        {
            "apiVersion": "viridian.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "iris", "namespace": namespace},
            "spec": {"model": {"version": "v1.0.0", "uri": "image:///models/iris/v1.0.0"}},
        }
    )
    made = control_plane.get(f"/apis/viridian.dev/v1alpha1/namespaces/{namespace}/modeldeployments/iris")
    # then its generation is known not to be observed: without that, kstatus takes it for ready
    assert kstatus([made]) == ["InProgress"]
    assert kstatus([{key: value for key, value in made.items() if key != "status"}]) == ["Current"]
