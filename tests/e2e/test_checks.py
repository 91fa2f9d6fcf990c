"""Checks before traffic on the cluster: what a bad version would have answered, no user has seen."""

from typing import Any

import pytest
from tests.e2e.harness.stage import AT_ONCE, NAME, Stage
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

GOLDEN = {"minAgreement": "80%"}
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


LOAD = {"requests": 40, "rate": 10, "maxErrors": "5%"}


def results(stage: Stage) -> dict[str, str]:
    return {check["name"]: check["result"] for check in stage.status.get("checks", [])}


def turned_back(stage: Stage, version: str, **checks: Any) -> str:
    """Apply a version with checks that it fails; the value is why it was turned back."""
    stage.apply(version, checks=checks)

    def look() -> str:
        failed = {entry["version"]: entry["message"] for entry in stage.reaches("RolledBack", "v1")["failed"]}
        assert version in failed, failed
        return str(failed[version])

    return eventually(look, f"{version} to be turned back")


def test_a_model_that_fails_a_check_meets_no_user(stage: Stage) -> None:
    # given a version that has passed golden requests and a load before it served
    stage.serve("v1", checks={"golden": GOLDEN, "load": {**LOAD, "p99": "5s"}})
    assert results(stage) == {"smoke": "Passed", "golden": "Passed", "load": "Passed"}
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()

        # when a version comes that fails for what stable answers, one that answers with 200, quickly, and wrongly, and
        # one that cannot be as quick as it must be
        fails = turned_back(stage, "v5")
        wrong = turned_back(stage, "v7", golden=GOLDEN)
        compared = results(stage)
        slow = turned_back(stage, "v2", load={**LOAD, "p99": "1ms"})
        after = clients.go_on()
        # and that one once more, with an objective that can be kept
        stage.apply("v2", rollout=AT_ONCE, checks={"golden": GOLDEN, "load": {**LOAD, "p99": "5s"}})
        stage.command("retry", f"{NAME}-4")
        stage.reaches("Stable", "v2")

    # then a check has given each of them away, and no user's request was theirs
    print(clients, fails, wrong, slow, sep="\n")
    assert not clients.failed
    assert {answer.version for answer in after} == {"v1"}
    assert "failed the check smoke before any traffic: " in fails
    assert "is answered with status 500" in fails
    assert "failed the check golden before any traffic: " in wrong
    assert "of 40 answers are as expected" in wrong
    assert compared == {"smoke": "Passed", "golden": "Failed"}
    assert "failed the check load before any traffic: " in slow
    assert "above 1 ms" in slow
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
