"""Checks before traffic on the cluster: what a bad version would have answered, no user has seen."""

import pytest
from tests.e2e.harness.stage import AT_ONCE, NAME, Stage

pytestmark = pytest.mark.e2e

GOLDEN = {"checks": {"golden": {"minAgreement": "80%"}}}
SUITE = """
import json, os, sys, urllib.request
headers = {"Content-Type": "application/json", "Viridian-Via": "check"}
blank = json.dumps({"X": [0.0] * 64}).encode()
request = urllib.request.Request(os.environ["VIRIDIAN_CANDIDATE_URL"] + "/predict", data=blank, headers=headers)
with urllib.request.urlopen(request, timeout=20) as answer:
    version = json.load(answer)["version"]
assert version == os.environ["VIRIDIAN_MODEL_VERSION"], version
sys.exit(f"{version} does not know what a blank image is" if version == "v2" else 0)
"""


def results(stage: Stage) -> dict[str, str]:
    return {check["name"]: check["result"] for check in stage.status.get("checks", [])}


def test_a_model_that_answers_wrongly_meets_no_user(stage: Stage) -> None:
    # given a version that has passed golden requests and a load before it served
    load = {"load": {"requests": 40, "rate": 10, "p99": "5s", "maxErrors": "5%"}}
    stage.serve("v1", checks={**GOLDEN["checks"], **load})
    assert results(stage) == {"smoke": "Passed", "golden": "Passed", "load": "Passed"}
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()

        # when a version comes that answers with 200, quickly, and wrongly
        stage.apply("v7", **GOLDEN)
        status = stage.reaches("RolledBack")
        after = clients.go_on()
        # and a good one is promoted
        stage.apply("v2", rollout=AT_ONCE, **GOLDEN)
        stage.reaches("Stable", "v2")

    # then its golden answers have given it away, and no user's request was its
    assert not clients.failed
    assert {answer.version for answer in after} == {"v1"}
    assert "failed the check golden before any traffic: " in status["failed"][0]["message"]
    assert "of 40 answers are as expected" in status["checks"][1]["message"]
    assert route.weights("green")[:2] == [0, 10]


def test_a_suite_of_the_user_decides(stage: Stage) -> None:
    # given a test script in a ConfigMap
    metadata = {"name": "suite", "namespace": stage.namespace}
    stage.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"suite.py": SUITE}})
    job = {"name": "blank", "configMapRef": "suite", "timeout": "1m"}
    job |= {"template": {"command": ["python3", "/etc/viridian/check/suite.py"]}}
    # when a version passes it, then it serves; when one fails, its words are told
    stage.serve("v1", checks={"jobs": [job]})
    stage.apply("v2", checks={"jobs": [job]})
    stage.reaches("RolledBack", "v1")
    assert stage.says("Stalled", "ChecksFailed").find("v2 does not know what a blank image is") > 0


def test_a_check_that_cannot_run_blames_nobody(stage: Stage) -> None:
    stage.serve("v1")
    # given a suite whose image nobody has
    missing = {"image": "registry.invalid/suite:1"}
    stage.apply("v2", checks={"jobs": [{"name": "suite", "template": missing}]})
    assert "is not blamed" in stage.says("Stalled", "CheckCannotRun")
    # when the check is taken back, then the version goes on, and is promoted
    with stage.clients() as clients:
        clients.go_on()
        stage.apply("v2", rollout=AT_ONCE, checks={})
        stage.reaches("Stable", "v2")
    assert stage.read("jobs")["items"][0]["metadata"]["name"] == f"{NAME}-2-smoke"
    assert len(stage.read("jobs")["items"]) == 1
