"""`kubectl viridian` as people and pipelines run it: a real kubectl, API server and operator; pods are scripted."""

import itertools
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.shell import Shell
from tests.component.harness.stage import LONG, LONG_BAKE, Stage
from tests.waiting import DEADLINE, eventually

STEPS = REPOSITORY / "examples" / "ci" / "steps"


def write_pipeline(shell: Shell, folder: Path, manifest: dict[str, Any]) -> None:
    """A repository with the example's folder `deploy` for this model, and an origin to push to."""
    shutil.copytree(REPOSITORY / "examples" / "ci" / "deploy", folder / "deploy")
    (folder / "deploy" / "churn.yml").write_text(yaml.safe_dump(manifest))
    for version in ("v1.0.0", "v2.0.0"):
        (folder / "iris" / version).mkdir(parents=True)
        (folder / "iris" / version / "model.onnx").write_text(version)
    shell.run("git", "init", "--quiet", "--bare", "origin.git")
    shell.run("git", "init", "--quiet")
    shell.run("git", "remote", "add", "origin", "origin.git")
    shell.run("git", "config", "user.name", "tests")
    shell.run("git", "config", "user.email", "tests@example.com")


def test_the_pipeline_of_the_examples_ends_with_the_verdict_on_its_own_version(
    stage: Stage, shell: Shell, tmp_path: Path
) -> None:
    # given
    write_pipeline(shell, tmp_path, {**stage.manifest("v0.0.0"), "metadata": {"name": "iris"}})
    image = "registry.example.com/models/iris:1.0.0"

    # when a first version is proposed and deployed, it is promoted
    shell.run(STEPS / "propose.sh", "iris", "v1.0.0", image, "the first model")
    assert "iris-v1.0.0" in shell.run("git", "-C", "origin.git", "branch", "--list")
    assert "iris v1.0.0 was promoted" in shell.run(STEPS / "deploy.sh", "iris")
    assert stage.model["spec"]["model"]["digest"] in (tmp_path / "deploy" / "version.yml").read_text()

    # when the next one fails its users, the job fails with its own status, and says why
    stage.users.outcome = lambda revision: ("error" if revision == "iris-2" else "ok", 0.02)
    shell.run(STEPS / "propose.sh", "iris", "v2.0.0", image, 'retrained on "October" data')
    said = shell.run(STEPS / "deploy.sh", "iris", status=3)
    assert "iris v2.0.0 was turned back (GuardBreached)" in said
    stage.reaches("RolledBack", "v1.0.0")

    # then it can be read, and what is new is in the history
    in_namespace = ("-n", stage.namespace)
    assert 'changes: retrained on "October" data' in shell.run("kubectl", "viridian", "history", "iris", *in_namespace)
    assert "What to do (GuardBreached)" in shell.run("kubectl", "viridian", "explain", "iris", *in_namespace)
    assert "stable v1.0.0 (iris-1" in shell.run("kubectl", "viridian", "status", "iris", *in_namespace)
    assert "RolledBack" in shell.run("kubectl", "viridian", "list", "-A")
    # and the same manifest again has the same verdict at once
    assert "was turned back" in shell.run(STEPS / "deploy.sh", "iris", status=3)


def test_commands_are_obeyed_or_refused_and_it_is_said(stage: Stage, shell: Shell) -> None:
    def viridian(*arguments: str, status: int = 0) -> str:
        return shell.run("kubectl", "viridian", *arguments, "-n", stage.namespace, status=status)

    # given a rollout that stays at its first step
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=LONG)
    stage.reaches("Progressing")

    # when it is paused and goes on, the operator obeys
    assert "iris: the rollout of iris-2 is paused" in viridian("pause", "iris")
    assert "AwaitingApproval" not in viridian("explain", "iris")
    assert "iris: the rollout of iris-2 goes on" in viridian("resume", "iris")
    # when it waits for nobody, approval is refused in the operator's own words
    refused = viridian("approve", "iris", status=1)
    assert "The operator refused: nothing to approve: rollout.approval is None" in refused
    # when nobody wants to wait for the hour of its step, the operator goes on; another version is what comes next
    assert "iris: iris-2 goes on to full traffic" in viridian("promote", "iris")
    stage.reaches("Stable", "v2.0.0")
    assert "Promoted by command" in viridian("history", "iris")
    assert '"result": "Promoted"' in viridian("receipt", "iris", "v2.0.0")
    stage.apply("v3.0.0", rollout=LONG)
    stage.reaches("Progressing")
    # when it is aborted and tried again
    assert "iris: iris-3 is being taken back" in viridian("abort", "iris")
    stage.reaches("RolledBack", "v2.0.0")
    assert "iris: iris-3 is not blocked any more" in viridian("retry", "iris")
    stage.apply("v3.0.0", rollout=LONG_BAKE)
    stage.reaches("Baking")
    # then each command has the name of who gave it
    who = stage.model["metadata"]["annotations"]["viridian.dev/command-by"]
    assert who == shell.run("kubectl", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    # and a time that is over has its own status
    assert "has not ended in time; it is Baking" in viridian("wait", "iris", "--timeout", "2s", status=124)
    eventually(lambda: "evidence" in viridian("status", "iris"), "the guards to be shown")


def test_a_plan_is_made_of_measured_traffic_and_a_rollout_keeps_to_it(
    stage: Stage, shell: Shell, tmp_path: Path
) -> None:
    # given a version that serves, and a Prometheus that has watched it for a while
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    numbers = itertools.count()
    stage.users.outcome = lambda _: ("error" if next(numbers) % 50 == 0 else "ok", 0.02)
    file = tmp_path / "iris.yaml"
    file.write_text(yaml.safe_dump(stage.manifest("v1.0.0")))
    ask = ["kubectl", "viridian", "plan", "-f", file, "-n", stage.namespace, "--prometheus", stage.prometheus.url]
    ask += ["--window", "10s", "--scrape-interval", "1s", "--startup", "2s", "--rollouts", "40", "-o", "json"]

    def measured() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(shell.run(*ask))
        assert found["errorRate"] == pytest.approx(0.02, abs=0.005)
        assert found["requestsPerMinute"] == pytest.approx(60 * stage.users.rate, rel=0.35)
        return found

    # when
    said = eventually(measured, "a window of requests with errors")
    # then nothing had to be assumed
    assert said["assumed"] == []
    # and a rollout is promoted, or turned back, within the time that was said, give or take this machine's pods
    healthy = said["candidates"][0]
    assert healthy["promoted"]["chance"] == 1.0
    started = time.monotonic()
    stage.apply("v2.0.0")
    stage.reaches("Stable", "v2.0.0")
    took = time.monotonic() - started
    assert took < healthy["promoted"]["seconds"]["p95"] + DEADLINE
