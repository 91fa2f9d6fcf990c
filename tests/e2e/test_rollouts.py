"""Rollouts in the local cluster: real models in real Tritons, real requests through a real gateway."""

import re

import pytest
from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually, stays

WALK = [0, 10, 50, 90, 100]
"""The weights of the candidate on its way: the steps, the bake, everything."""


def test_a_model_that_is_available_answers_the_first_request(stage: Stage) -> None:
    # given a model that is new to the gateway
    stage.apply("v1")

    # when kubectl says that it is available
    stage.cluster.kubectl(
        "wait", f"--namespace={stage.namespace}", f"mdep/{NAME}", "--for=condition=Available", "--timeout=180s"
    )

    # then requests through the gateway are answered from the first one on
    assert all(stage.answers() for _ in range(10))


def test_a_better_model_is_promoted_and_no_client_notices(stage: Stage) -> None:
    # given a model that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route, stage.table() as table:
        clients.go_on()

        # when a better version is applied
        stage.apply("v2")
        status = stage.reaches("Stable", "v2")
        after = clients.go_on()

    # then no request failed, and in the end the better version answers all of them, with real predictions
    print(clients)
    assert not clients.failed
    assert {answer.version for answer in after} == {"v2"}
    assert sum(bool(answer.right) for answer in after) > 0.9 * len(after)

    # and its weight went up step by step, each with one write
    assert route.weights("green") == WALK
    assert [written.seq for written in route.writes] == [1, 2, 3, 4, 5]
    assert all(sum(written.weights.values()) == 100 for written in route.writes)

    # and the roles are swapped: the Service leads to it, the old color is empty
    wanted = {"color": "green", "revision": "digits-2", "version": "v2", "weight": 100, "replicas": 1}
    assert wanted.items() <= status["stable"].items()
    assert stage.pods_behind("digits") == {"digits-2"}
    assert stage.deployment("blue")["spec"]["replicas"] == 0
    assert [entry["result"] for entry in status["history"]] == ["Promoted", "Promoted"]
    assert stage.condition("Ready")["status"] == "True"

    # and a person could follow it
    shown = table.output.read_text()
    assert re.match(r"NAME +PHASE +STABLE +CANDIDATE +WEIGHT +STEP +AGE\n", shown)
    for row in (
        r"digits +Starting +v1 +v2 ",
        r"digits +Progressing +v1 +v2 +10 +1/2 ",
        r"digits +Progressing +v1 +v2 +50 +2/2 ",
        r"digits +Baking +v1 +v2 +90 +bake ",
        r"digits +Stable +v2 +\d+s\n",
    ):
        assert re.search(row, shown), f"{row!r} was not shown:\n{shown}"


def test_a_failing_model_is_taken_back_and_stays_away(stage: Stage) -> None:
    # given a model that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()

        # when a version is applied that fails for many real images
        stage.apply("v3")

        # then it is rolled back at its first step, for its errors
        status = stage.reaches("RolledBack", "v1")
        assert route.weights("green") == [0, 10, 0]
        assert status["failed"][0]["reason"] == "GuardBreached"
        assert "requests on the candidate failed" in stage.condition("RolledBack")["message"]
        assert stage.condition("Available")["status"] == "True"
        assert stage.condition("Ready")["reason"] == "RolledBack"

        # and applying the same manifest again, or another number of replicas, changes neither route nor revisions
        before = stage.route, stage.revisions
        stage.apply("v3")
        stage.apply("v3", serving={"replicas": 2})
        eventually(lambda: stage.deployment("blue")["status"].get("readyReplicas") == 2, "stable's second pod")
        stays(lambda: stage.status["phase"] == "RolledBack", "the failed revision to stay away", during=3)
        assert (stage.route, stage.revisions) == before
        assert stage.status["lastRevision"] == 2
        assert stage.deployment("green")["spec"]["replicas"] == 0
        after = clients.go_on()

    # and no client saw any of it: stable answered what the failing version did not
    print(clients)
    assert not clients.failed
    assert {answer.version for answer in clients.answers if answer.rescued} == {"v1"}
    assert clients.by("v3")
    assert {answer.version for answer in after} == {"v1"}
    assert len(route.writes) == 3


def test_a_version_that_fails_after_its_promotion_is_taken_back(stage: Stage) -> None:
    # given a version that fails for dark images, promoted while clients send light ones, and a watch
    bake = {"duration": "8s", "holdback": 10, "watch": {"duration": "1h", "holdback": 10}}
    stage.serve("v1")
    with stage.clients(lightest=0.1) as clients:
        clients.go_on()
        stage.apply("v3", rollout={"bake": bake})
        status = stage.reaches("Watching", "v3")
        clients.go_on()
    print(clients)
    assert not clients.failed
    assert status["watch"]["control"]["version"] == "v1"
    assert stage.condition("Ready")["status"] == "True"
    assert stage.pods_behind("digits") == {"digits-2"}

    # when they send all images
    with stage.clients() as clients, stage.route_log() as route:
        # then all traffic goes back to the old version, and the new one is blocked
        status = stage.reaches("RolledBack", "v1")
        after = clients.go_on()
    print(clients)
    assert status["failed"][0]["reason"] == "GuardBreached"
    assert [entry["result"] for entry in status["history"]] == ["RolledBack", "Promoted", "Promoted"]
    assert route.weights("green")[-1] == 0
    assert stage.pods_behind("digits") == {"digits-1"}
    assert stage.deployment("green")["spec"]["replicas"] == 0
    assert {answer.version for answer in after} == {"v1"}
    assert not [answer for answer in after if answer.failure]


@pytest.mark.alone
def test_a_slow_model_is_taken_back(stage: Stage) -> None:
    # given a model that serves with a bound on its latency, on less than a core, so that nobody else is slowed down
    guards = {"errorRate": {"max": "10%"}, "latency": [{"percentile": "95", "max": "100ms"}]}
    rollout = {"steps": [{"weight": 5, "hold": "1m"}]}
    serving = {"triton": {"resources": {"requests": {"cpu": "150m", "memory": "64Mi"}, "limits": {"cpu": "700m"}}}}
    stage.serve("v1", guards=guards, serving=serving)
    with stage.clients(rate=60) as clients, stage.route_log() as route:
        clients.go_on()

        # when a version is applied that crawls on many real images
        stage.apply("v4", guards=guards, serving=serving, rollout=rollout)

        # then it is rolled back for its latency, and no request failed
        status = stage.reaches("RolledBack", "v1")
        clients.go_on()
    print(clients)
    assert status["failed"][0]["reason"] == "GuardBreached"
    assert "took longer than 100 ms" in status["failed"][0]["message"]
    assert route.weights("green") == [0, 5, 0]
    assert not clients.failed


def test_a_candidate_that_never_gets_ready_expires_and_can_be_tried_again(stage: Stage) -> None:
    # given a model that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        # when a version is applied that no node has room for, with little patience
        rollout = {"steps": [{"weight": 10, "hold": "1s"}], "bake": {"duration": "1s"}, "deadline": "15s"}
        huge = {"resources": {"requests": {"cpu": "1000"}}}
        stage.apply("v2", serving={"triton": huge}, rollout=rollout)

        # then its owner reads why, and then that its time is over
        assert "no node has room" in stage.says("Stalled", "PodsCannotStart")
        message = stage.says("Stalled", "DeadlineExceeded")
        print(message)
        assert "not promoted within 15s (rollout.deadline): v2 (green): no node has room" in message
        status = stage.reaches("Expired", "v1")
        assert [pin["revision"] for pin in status["expired"]] == ["digits-2"]
        assert status["failed"] == []
        assert stage.condition("Available")["status"] == "True"

        # and it starts again on the word of a person only
        stage.command("retry", "digits-2")
        eventually(lambda: (stage.status.get("candidate") or {}).get("revision") == "digits-3", "the retry")
        assert stage.status["expired"] == []
        clients.go_on()

    # and no client noticed any of it
    print(clients)
    assert not clients.failed
    assert {answer.version for answer in clients.answers} == {"v1"}
    assert route.weights("green") == [0]


@pytest.mark.alone
def test_the_operator_killed_in_the_middle_of_a_rollout_goes_on(stage: Stage) -> None:
    # given a rollout under way, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()
        stage.apply("v2")
        for phase in ("Progressing", "Baking"):
            stage.reaches(phase)

            # when the operator is killed
            stage.cluster.kill_operator()

        # then the rollout ends where it would have ended
        status = stage.reaches("Stable", "v2")
        after = clients.go_on()

    # and no client noticed
    print(clients)
    assert not clients.failed
    assert {answer.version for answer in after} == {"v2"}
    assert route.weights("green") == WALK
    assert status["lastRevision"] == 2
    assert [entry["result"] for entry in status["history"]] == ["Promoted", "Promoted"]
