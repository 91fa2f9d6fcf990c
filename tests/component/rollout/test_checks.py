"""Checks of a candidate before its traffic, as Jobs that a real API server and the real Job controller look after."""

from typing import Any

from kubernetes import client
from tests.component.harness.pods import cannot_pull, end, wait_for_pods
from tests.component.harness.stage import LONG, Stage
from tests.waiting import eventually, stays

from viridian_shared.pod.exit_codes import CHECK_FAILED

CHECKS = {
    "golden": {"minAgreement": "99%"},
    "jobs": [{"name": "contract", "template": {"command": ["pytest"]}, "configMapRef": "tests", "timeout": "1m"}],
}


def check_pod(stage: Stage, name: str, revision: str) -> Any:
    """The pod of a check, once the Job controller has made it."""
    selector = f"viridian.dev/check={name},viridian.dev/revision={revision}"
    return wait_for_pods(stage.control_plane.core, stage.namespace, selector, 1)[0]


def finish(stage: Stage, name: str, revision: str, exit_code: int = 0, words: str = "") -> Any:
    """A check ends like this; returns its pod."""
    pod = check_pod(stage, name, revision)
    end(stage.control_plane.core, pod, exit_code, words)
    return pod


def results(stage: Stage) -> list[tuple[str, str]]:
    return [(check["name"], check["result"]) for check in stage.status.get("checks", [])]


def serving(stage: Stage) -> None:
    """A first version, checked as well, that serves."""
    stage.keeper.unready.append("viridian.dev/check")
    stage.apply("v1.0.0", checks=CHECKS)
    for name in ("smoke", "golden", "contract"):
        assert not stage.has_route
        finish(stage, name, "iris-1")
    stage.reaches("Stable", "v1.0.0")


def test_a_candidate_gets_traffic_once_all_its_checks_are_passed(stage: Stage) -> None:
    # given a version that serves, which was checked before its route was made
    serving(stage)
    stage.apply("v2.0.0", checks=CHECKS, rollout=LONG)
    # when the next one's checks end well, one after the other
    for name in ("smoke", "golden", "contract"):
        pod = finish(stage, name, "iris-2", words=f"{name}: all is as expected")
        assert stage.weights["iris-green"] == 0
        assert "viridian.dev/model" not in pod.metadata.labels
    # then its first step begins, and status has what was found
    stage.reaches("Progressing")
    eventually(lambda: stage.weights["iris-green"] == 20, "the first step")
    assert results(stage) == [("smoke", "Passed"), ("golden", "Passed"), ("contract", "Passed")]
    golden = stage.status["checks"][1]
    assert golden["message"] == "golden: all is as expected"
    assert golden["startedAt"] <= golden["endedAt"]


def test_a_candidate_that_fails_a_check_is_taken_back_and_no_request_was_its(stage: Stage) -> None:
    serving(stage)
    stage.apply("v2.0.0", checks=CHECKS)
    finish(stage, "smoke", "iris-2")
    finish(stage, "golden", "iris-2", CHECK_FAILED, "27 of 30 answers are as expected, and 0.99 of them must be: row 7")
    # then
    stage.reaches("RolledBack")
    stalled = stage.condition("Stalled")
    assert stalled["reason"] == "ChecksFailed"
    assert "v2.0.0 failed the check golden before any traffic: 27 of 30 answers are as expected" in stalled["message"]
    assert stage.status["history"][0]["checks"] == "smoke passed, golden failed"
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}
    # and the user's suite never ran
    assert results(stage) == [("smoke", "Passed"), ("golden", "Failed")]


def test_a_suite_that_fails_in_its_own_words(stage: Stage) -> None:
    serving(stage)
    stage.apply("v2.0.0", checks=CHECKS)
    finish(stage, "smoke", "iris-2")
    finish(stage, "golden", "iris-2")
    finish(stage, "contract", "iris-2", 2, "FAILED test_prices.py::test_no_price_is_negative")
    stage.reaches("RolledBack")
    assert stage.status["failed"][0]["message"].endswith("FAILED test_prices.py::test_no_price_is_negative")


def test_a_check_that_cannot_run_holds_the_candidate_until_it_can(stage: Stage) -> None:
    serving(stage)
    stage.apply("v2.0.0", checks=CHECKS, rollout=LONG)
    # given a check whose image cannot be pulled
    cannot_pull(stage.control_plane.core, [check_pod(stage, "smoke", "iris-2")])
    eventually(lambda: stage.condition("Stalled").get("reason") == "CheckCannotRun", "the hold")
    assert "is not blamed: container check: ImagePullBackOff" in stage.condition("Stalled")["message"]
    stays(lambda: stage.weights["iris-green"] == 0 and not stage.status.get("failed"), "nothing", during=3)
    # when it can, then the candidate goes on
    for name in ("smoke", "golden", "contract"):
        finish(stage, name, "iris-2")
    stage.reaches("Progressing")


def test_a_check_that_ends_without_a_verdict_blames_nobody_and_runs_again_when_its_job_is_deleted(stage: Stage) -> None:
    serving(stage)
    stage.apply("v2.0.0", checks=CHECKS, rollout=LONG)
    # given a check that could not be made, as often as the Job tries it
    words = "spec.checks.golden: there is no golden.jsonl beside the model"
    finish(stage, "smoke", "iris-2")
    job = check_pod(stage, "golden", "iris-2").metadata.owner_references[0].name
    jobs = client.BatchV1Api(stage.control_plane.api)
    jobs.patch_namespaced_job(job, stage.namespace, {"spec": {"backoffLimit": 0}})
    finish(stage, "golden", "iris-2", 69, words)
    eventually(lambda: stage.condition("Stalled").get("reason") == "CheckCannotRun", "the hold")
    assert f"is not blamed: {words}; delete Job {job} to run it again" in stage.condition("Stalled")["message"]
    # when somebody has put the file there, and deletes the Job
    jobs.delete_namespaced_job(job, stage.namespace, propagation_policy="Background")
    eventually(lambda: stage.condition("Stalled")["status"] == "False", "the hold to end")
    finish(stage, "golden", "iris-2")
    finish(stage, "contract", "iris-2")
    stage.reaches("Progressing")


def test_checks_end_with_the_candidate_that_is_aborted(stage: Stage) -> None:
    serving(stage)
    stage.apply("v2.0.0", checks=CHECKS)
    check_pod(stage, "smoke", "iris-2")
    stage.annotate(command="abort/iris-2/1")
    stage.reaches("RolledBack")
    wait_for_pods(stage.control_plane.core, stage.namespace, "viridian.dev/revision=iris-2", 0)
