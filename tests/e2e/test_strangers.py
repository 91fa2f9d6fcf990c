"""Strangers' requests decide no rollout: neither a good one's nor a bad one's, and they end no container."""

from tests.e2e.harness.stage import NAME, RATE, Stage
from tests.e2e.harness.strangers import INFER, PREDICT, Strangers

SHARE = 0.2
"""Of all requests."""


def assert_refused(strangers: Strangers) -> None:
    """Every kind was sent, and refused as the client's fault."""
    print(strangers)
    assert {kind for kind, _ in strangers.answers} == {*INFER, *PREDICT}
    assert not strangers.faults
    assert {status // 100 for _, status in strangers.answers} <= {0, 4}
    answered = sum(count for (_, status), count in strangers.answers.items() if status)
    assert answered > 0.9 * strangers.answers.total()


def restarts(stage: Stage) -> dict[str, int]:
    """Containers that were started again."""
    return {
        f"{pod['metadata']['name']}/{container['name']}": container["restartCount"]
        for pod in stage.read("pods")["items"]
        for container in pod["status"].get("containerStatuses", [])
        if container["restartCount"]
    }


def test_a_good_model_is_promoted_whatever_strangers_send(stage: Stage) -> None:
    # given a model that serves, clients, and strangers
    stage.serve("v1")
    with stage.clients() as clients, Strangers(stage.url, NAME, RATE * SHARE / (1 - SHARE)) as strangers:
        clients.go_on()

        # when a better version is applied
        stage.apply("v2")
        stage.reaches("Baking", "v1")
        while_baking = restarts(stage)
        stage.reaches("Stable", "v2")
        clients.go_on()

    # then it is promoted, no client has noticed, and no container has ended
    print(clients)
    assert not clients.failed
    assert (while_baking, restarts(stage)) == ({}, {})
    assert_refused(strangers)


def test_a_bad_model_is_taken_back_whatever_strangers_send(stage: Stage) -> None:
    # given the same
    stage.serve("v1")
    with stage.clients() as clients, Strangers(stage.url, NAME, RATE * SHARE / (1 - SHARE)) as strangers:
        clients.go_on()

        # when a version is applied that fails for many real images
        stage.apply("v3")

        # then it is rolled back for its own errors
        status = stage.reaches("RolledBack", "v1")
        assert status["failed"][0]["reason"] == "GuardBreached"
        assert restarts(stage) == {}
        after = clients.go_on()
    assert not [answer for answer in after if answer.failure]
    assert_refused(strangers)
