"""Each command of a runbook, run by a real kubectl and plugin against a real API server and operator.

There is no kubelet and no metrics-server here. What only they can answer is still checked by the API server: the pods
and their containers must be there. On the whole cluster `tests/e2e/test_runbooks.py` runs the same.
"""

import re
from pathlib import Path

import pytest
from tests.component.harness import chart
from tests.component.harness.shell import Shell
from tests.component.harness.stage import Stage
from tests.monitoring.runbooks import BY_HAND, PAGES, Target, blocks, inline

from viridian_shared.counts.metric_names import DRIFT_BASELINE, DRIFT_OBSERVED

SYSTEM = "viridian-system"
DIGEST = "sha256:" + "0" * 64
NEEDS_A_NODE = re.compile(
    r"does not have a host assigned|Metrics API not available|pod .* is not running|unable to forward port"
    r"|error trying to reach service"
)
STATUSES = {"abort": 1, "retry": 1, "pause": 1}
"""Of commands that a model at rest has no use for: the plugin says so, and changes nothing."""


def lenient(shell: Shell, folder: Path) -> None:
    """Put a kubectl in front of the real one that forgives a missing kubelet, and nothing else."""
    wrapper = folder / "bin" / "kubectl"
    real = wrapper.resolve()
    wrapper.unlink()
    wrapper.write_text(
        f"""#!/bin/bash
said=$(mktemp)
"{real}" "$@" 2> "$said"
status=$?
cat "$said" >&2
if [ $status -ne 0 ] && grep -qE '{NEEDS_A_NODE.pattern}' "$said"; then status=0; fi
rm "$said"
exit $status
"""
    )
    wrapper.chmod(0o755)


def with_drift(stage: Stage) -> None:
    """Let a pod count the values of a feature beside those of its baseline, until Prometheus has both."""
    pod = stage.prometheus.target.pod(stage.namespace, "iris", "iris-1", "uid-of-drift")
    of = f'model_namespace="{stage.namespace}",model="iris",revision="iris-1",pod_uid="uid-of-drift"'
    bins = [f'{{{of},kind="feature",variable="age",bin="{name}"}}' for name in ("18..40", "40..64")]
    pod.more = [(DRIFT_BASELINE, f"{labels} 500") for labels in bins]
    pod.more += [(DRIFT_OBSERVED, f"{labels} 0") for labels in bins]
    stage.prometheus.wait_for_scrape()
    pod.more[2:] = [(DRIFT_OBSERVED, f"{labels} 100") for labels in bins]
    stage.prometheus.wait_for_scrape()


@pytest.fixture
def target(stage: Stage, shell: Shell, tmp_path: Path) -> Target:
    """A model at rest whose files have a digest, and the chart's objects in the namespace that runbooks name."""
    stage.apply("v1.0.0", model={"version": "v1.0.0", "uri": "image:///models/iris/v1.0.0", "digest": DIGEST})
    stage.reaches("Stable", "v1.0.0")
    shell.run("bash", "-c", f"kubectl get namespace {SYSTEM} || kubectl create namespace {SYSTEM}")
    for manifest in chart.render():
        if manifest["kind"] in {"Deployment", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"}:
            manifest["metadata"].setdefault("namespace", SYSTEM)
            stage.control_plane.apply(manifest)
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "viridian"}}
    lease["metadata"]["namespace"] = SYSTEM  # type: ignore[index]
    stage.control_plane.apply(lease)
    claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "models", "namespace": stage.namespace}
    stage.control_plane.apply(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim}
    )
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-of-runbooks"}}
    stage.control_plane.apply(node)
    lenient(shell, tmp_path)
    with_drift(stage)
    pod = shell.run("kubectl", "-n", stage.namespace, "get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    return Target(stage.namespace, "iris", pod, "node-of-runbooks", stage.prometheus.url)


def test_every_command_of_the_runbooks_runs(target: Target, shell: Shell) -> None:
    # given the scripts, and the commands within sentences, for this model
    scripts = [(page.stem, script, 0) for page in PAGES if page != BY_HAND for script in blocks(page)]
    for command in inline():
        verb = command.split()[2] if command.startswith("kubectl viridian") else ""
        if verb not in {"drill", "rollback"}:  # which need pods that answer; end-to-end tests run them
            scripts.append((command, command, STATUSES.get(verb, 0)))
    # when
    failed = {}
    for name, script, status in scripts:
        try:
            shell.run("bash", "-eu", "-o", "pipefail", "-c", target.script(script), status=status)
        except AssertionError as error:
            failed[name] = str(error)
    # then
    assert failed == {}
