"""After the promotion, by the real operator against a real control plane and a real Prometheus."""

import random

from tests.component.harness.stage import Stage
from tests.waiting import eventually, stays

ROLLOUT = {
    "steps": [{"weight": 20, "hold": "1s"}],
    "bake": {"duration": "2s", "holdback": 20, "watch": {"duration": "1h", "holdback": 10}},
    "deadline": "1h",
    "drainMax": "5s",
}


def test_a_late_regression_is_taken_back(stage: Stage) -> None:
    # given a version that was healthy up to its promotion
    serving = {"replicas": 3, "timeout": "2s"}
    stage.apply("v1.0.0", serving=serving, rollout=ROLLOUT)
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", serving=serving, rollout=ROLLOUT)
    status = stage.reaches("Watching", "v2.0.0")

    # then it counts as promoted, beside a control on the old version
    assert status["watch"]["control"]["version"] == "v1.0.0"
    assert status["history"][0]["result"] == "Promoted"
    assert stage.weights == {"iris-blue": 10, "iris-green": 90}
    assert stage.selected == "green"
    assert stage.condition("Ready")["status"] == stage.condition("Settled")["status"] == "True"
    eventually(lambda: stage.deployment("blue").spec.replicas == 2, "the control to shrink to what its share needs")
    stays(lambda: stage.status["phase"] == "Watching", "a healthy version to be left alone", during=3)

    # when it begins to fail
    chance = random.Random(7)

    def outcome(revision: str) -> tuple[str, float]:
        return ("error", 0.02) if revision == "iris-2" and chance.random() < 0.4 else ("ok", 0.02)

    stage.users.outcome = outcome

    # then all traffic goes back to the old version, and the new one is blocked
    status = stage.reaches("RolledBack", "v1.0.0")
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}
    assert stage.selected == "blue"
    assert stage.deployment("blue").spec.replicas == 3
    assert stage.deployment("green").spec.replicas == 0
    assert stage.route["metadata"]["annotations"]["viridian.dev/aborted"] == "iris-2"
    assert [(entry["revision"], entry["reason"]) for entry in status["failed"]] == [("iris-2", "GuardBreached")]
    assert [entry["result"] for entry in status["history"][:2]] == ["RolledBack", "Promoted"]
    assert status["history"][0]["evidenceAt"] <= status["history"][0]["revertedAt"]


def test_a_person_ends_a_watch(stage: Stage) -> None:
    # given
    stage.apply("v1.0.0", rollout=ROLLOUT)
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=ROLLOUT)
    stage.reaches("Watching", "v2.0.0")
    # when
    stage.annotate(command="approve/iris-2/1")
    # then
    stage.reaches("Stable", "v2.0.0")
    assert stage.weights == {"iris-blue": 0, "iris-green": 100}
    assert stage.deployment("blue").spec.replicas == 0
