"""The pipeline in `examples/ci`: every step that it names is there, and its manifest has no errors."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from viridian.api.spec import ModelDeploymentSpec

CI = Path(__file__).parents[2] / "examples" / "ci"
STEPS = sorted((CI / "steps").glob("*.sh"))
CALLED = re.compile(r"steps/(\w+\.sh)")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_is_a_script_for_any_posix_shell(step: Path) -> None:
    assert step.read_text().startswith("#!/bin/sh\n")
    assert step.stat().st_mode & 0o111
    subprocess.run(["/bin/sh", "-n", step], check=True)


@pytest.mark.parametrize("page", ["github-workflow.yml", "README.md"])
def test_the_steps_that_are_named_are_those_that_exist(page: str) -> None:
    assert set(CALLED.findall((CI / page).read_text())) == {step.name for step in STEPS}


def test_the_workflow_pastes_no_input_into_a_script() -> None:
    workflow = yaml.safe_load((CI / "github-workflow.yml").read_text())
    scripts = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert len(scripts) > 8
    assert not [script for script in scripts if "${{" in script]


def test_the_manifest_and_its_version_are_valid_together() -> None:
    base, version = (yaml.safe_load((CI / "deploy" / name).read_text()) for name in ("churn.yml", "version.yml"))
    spec = {**base["spec"]}
    for section, fields in version["spec"].items():
        spec[section] = {**spec[section], **fields}
    assert ModelDeploymentSpec.model_validate(spec).model.version == version["spec"]["model"]["version"]
