"""Guards on what is answered: a model that answers quickly, with 200, and otherwise than stable."""

import pytest
from tests.e2e.harness.stage import Stage

pytestmark = pytest.mark.e2e

HALF = {"steps": [{"weight": 50, "hold": "5m"}], "deadline": "10m"}


def test_labels_that_shift_further_than_allowed_turn_a_version_back(stage: Stage) -> None:
    # given a version that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()

        # when one comes that reads images the wrong way, and the shares of labels may move by a tenth
        stage.apply("v7", rollout=HALF, guards={"predictions": {"maxShift": "10%"}})
        status = stage.reaches("RolledBack", "v1")
        after = clients.go_on()

    # then what it predicts has given it away, though none of its requests has failed
    failed = status["failed"][0]
    print(f"{clients}; {failed['message']}")
    assert failed["reason"] == "GuardBreached"
    assert "guards.predictions.maxShift (10 %)" in failed["message"]
    assert not clients.failed
    assert route.weights("green") == [0, 50, 0]
    assert {answer.version for answer in after} == {"v1"}
