"""A drill of each kind on the cluster: the plugin starts it, real pods fail on purpose, and no user notices."""

import json
from typing import Any

import pytest
from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

TWIN = f"{NAME}-drill"
SPEC: dict[str, dict[str, Any]] = {
    "serving": {"replicas": 2},
    "guards": {"errorRate": {"max": "10%"}, "latency": [{"percentile": "95", "max": "1s"}]},
    "checks": {"golden": {"minAgreement": "80%"}},
    "drill": {"schedule": "monthly", "objective": "3m"},
}


def run_drill(stage: Stage, kind: str) -> tuple[int, dict[str, Any]]:
    """What the plugin ends with, and the record that it prints."""
    options = ("-n", stage.namespace, "--timeout", "5m", "--output", "json")
    done = stage.cluster.plugin("drill", NAME, "--kind", kind, *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def left_over(stage: Stage) -> list[str]:
    """What is left of the twin, by kind and name."""
    here = f"--namespace={stage.namespace}"
    kinds = "modeldeployments,deployments,services,pods,jobs,controllerrevisions,poddisruptionbudgets,configmaps"
    found = stage.cluster.kubectl("get", kinds, "--output=name", here).split()
    return [name for name in found if f"/{TWIN}" in name]


@pytest.mark.parametrize("kind", ["failing", "slow", "wrong", "crash"])
def test_a_known_bad_version_is_turned_back_and_no_user_notices(stage: Stage, kind: str) -> None:
    # given a model with users
    stage.serve("v1", **SPEC)
    with stage.clients() as clients:
        clients.go_on()

        # when there is a drill
        code, record = run_drill(stage, kind)
        after = clients.go_on()

    # then the bad version was turned back
    assert (code, record["result"], record["kind"]) == (0, "Passed", kind.capitalize()), record
    if kind == "wrong":
        assert record["message"].startswith("no request met it: a check turned it back")
    else:
        assert record["failed"] > 0

    # and no user has noticed, and nothing is left
    assert not clients.failed
    assert {answer.version for answer in after} == {"v1"}
    assert stage.status["phase"] == "Stable"
    eventually(lambda: not left_over(stage), "everything to be deleted")
