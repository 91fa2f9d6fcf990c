"""The runbook for the worst hour, word for word: a bad candidate, and no operator."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbooks" / "go-back-by-hand.md"
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.mark.alone
def test_all_traffic_is_put_on_stable_by_hand(stage: Stage) -> None:
    # given a candidate that has traffic
    stage.serve("v1")
    stage.apply("v2")
    stage.reaches("Progressing")
    eventually(lambda: _weights(stage) != {(100, 0)}, "the candidate to have traffic")

    # and no operator
    with _no_operator(stage.cluster):
        # when somebody runs what the runbook says, for this model
        script = "".join(text for _, text in BLOCK.findall(RUNBOOK.read_text()))
        script = script.replace("NAMESPACE=ml MODEL=iris", f"NAMESPACE={stage.namespace} MODEL={NAME}")
        assert f"MODEL={NAME}\n" in script
        done = subprocess.run(
            ["bash", "-eu"],
            input=script,
            capture_output=True,
            text=True,
            env={**os.environ, "KUBECONFIG": str(stage.cluster.kubeconfig)},
            check=False,
        )
        assert done.returncode == 0, done.stderr

        # then stable has all of it, in every rule
        assert _weights(stage) == {(100, 0)}
        with stage.clients() as clients:
            answered = clients.go_on()
        assert {answer.version for answer in answered} == {"v1"}

    # and the operator agrees when it is back
    assert stage.reaches("RolledBack")["stable"]["version"] == "v1"
    assert _weights(stage) == {(100, 0)}


def _weights(stage: Stage) -> set[tuple[int, int]]:
    """The weights of blue and green in all rules."""
    return {tuple(ref["weight"] for ref in rule["backendRefs"]) for rule in stage.route["spec"]["rules"]}


@contextmanager
def _no_operator(cluster: Cluster) -> Iterator[None]:
    pod = cluster.operator_pods()[0]
    here = (f"--namespace={pod['metadata']['namespace']}", "deployment/viridian")
    replicas = cluster.read(*here)["spec"]["replicas"]
    cluster.kubectl("scale", *here, "--replicas=0")
    cluster.kubectl(
        "wait", here[0], "pod", "--selector=app.kubernetes.io/name=viridian", "--for=delete", "--timeout=180s"
    )
    try:
        yield
    finally:
        cluster.kubectl("scale", *here, f"--replicas={replicas}")
        cluster.kubectl("rollout", "status", *here, "--timeout=120s")
