"""A candidate that answers nothing costs its users nothing: stable answers, and the guards count."""

import re
from typing import Any

import pytest
from tests.e2e.harness.stage import Stage

BRIDLED = {"timeout": "4s", "triton": {"resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "500m"}}}}
"""A model that hangs must leave the others a share of the machine, and is found out at the timeout."""


@pytest.mark.parametrize(
    ("version", "serving"), [pytest.param("v5", {}, id="fails-always"), pytest.param("v6", BRIDLED, id="hangs")]
)
def test_a_candidate_that_answers_nothing_costs_no_client_an_answer(
    stage: Stage, version: str, serving: dict[str, Any]
) -> None:
    # given a model that serves, and clients
    stage.serve("v1", serving=serving)
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()

        # when a version is applied that gives no real image an answer
        rollout = {"steps": [{"weight": 10, "hold": "30s"}]}
        stage.apply(version, serving=serving, rollout=rollout)

        # then it is rolled back for all that it was asked
        message = stage.reaches("RolledBack", "v1")["failed"][0]["message"]
        counted = re.match(r"([\d,]+) of ([\d,]+) requests on the candidate failed \(100\.0 %\), 0 of ", message)
        assert counted, message
        assert counted[1] == counted[2]
        after = clients.go_on()

    # and each of its clients got stable's answer
    print(clients)
    rescued = [answer for answer in clients.answers if answer.rescued]
    assert not clients.failed
    assert {answer.version for answer in clients.answers} == {"v1"}
    assert len(rescued) >= int(counted[1].replace(",", ""))
    assert not any(answer.rescued for answer in after)
    assert route.weights("green") == [0, 10, 0]
