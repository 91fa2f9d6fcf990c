"""Each command of a runbook, run on the local cluster for a model that serves."""

from pathlib import Path

import pytest
from tests.component.harness.shell import Shell
from tests.e2e.harness.stage import NAME, Stage
from tests.monitoring.runbooks import BY_HAND, PAGES, Target, blocks, inline
from tests.waiting import eventually

pytestmark = pytest.mark.alone  # they restart the operator, and forward ports of this machine

SYSTEM = "viridian-system"
OTHERWISE = {
    "ViridianFeatureDrift": "the demonstration's model has no baseline.json",
    "ViridianPredictionDrift": "the demonstration's model has no baseline.json",
    "ViridianModelFetchFails": "the demonstration's model is in its image, so that its pods have no container fetch",
    "ViridianModelFetchDenied": "the demonstration's model is in its image, so that its pods have no container fetch",
    "ViridianModelCacheNearlyFull": "the demonstration's cluster has no cache in a claim",
}
"""Runbooks of which a command cannot succeed for this model, and why. It must fail, or the reason is gone."""
NO_METRICS_SERVER = "Metrics API not available"
STATUSES = {"abort": 1, "retry": 1, "rollback": 1, "pause": 1, "drill": 1}
"""Of commands that a model at rest has no use for, or one pod is too few for."""


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> Shell:
    return Shell(tmp_path, stage.cluster.kubeconfig)


@pytest.fixture
def target(stage: Stage, shell: Shell) -> Target:
    stage.serve("v1")
    pod = stage.read("pods")["items"][0]
    return Target(stage.namespace, NAME, pod["metadata"]["name"], pod["spec"]["nodeName"])


def test_every_script_of_the_runbooks_runs(target: Target, shell: Shell) -> None:
    # when
    results = {
        page.stem: shell.script(target.script(script)) for page in PAGES if page != BY_HAND for script in blocks(page)
    }
    # then
    failed = {name: said for name, (status, said) in results.items() if status and NO_METRICS_SERVER not in said}
    assert failed.keys() == OTHERWISE.keys(), failed


def test_every_command_within_a_sentence_runs(target: Target, shell: Shell, stage: Stage) -> None:
    failed = {}
    for command in inline():
        verb = command.split()[2] if command.startswith("kubectl viridian") else ""
        script = target.script(command)
        if "port-forward" in command:
            script = target.script(f"timeout 5 {command} || [ $? -eq 124 ]")
        elif " delete " in command or " cordon " in command:
            script += " --dry-run=server"  # the pod and the node are others' as well
        status, said = shell.script(script)
        if status != STATUSES.get(verb, 0):
            failed[command] = (status, said)
    assert failed == {}, failed
    # and the operator that was restarted comes back
    status, said = shell.script(f"kubectl -n {SYSTEM} rollout status deployment/viridian --timeout=120s")
    assert status == 0, said
    eventually(stage.answers, "the model to answer")
