"""What a person decides: approval, pause, going back after the promotion, and who is pinned to the candidate."""

from tests.component.harness.stage import LONG, Stage
from tests.waiting import eventually, stays

BRIEF = {
    "steps": [{"weight": 20, "hold": "1s"}],
    "bake": {"duration": "2s", "holdback": 10},
    "deadline": "1h",
    "drainMax": "5s",
}
BETA = {"matches": [{"headers": [{"name": "x-user-group", "value": "beta"}]}]}


def test_a_rollout_waits_for_approval_and_goes_on_with_it(stage: Stage) -> None:
    # given a version that wants to be approved before it gets traffic
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout={**BRIEF, "approval": "BeforeTraffic"})
    stage.reaches("Held")
    assert stage.condition("Stalled")["reason"] == "AwaitingApproval"
    stays(lambda: stage.weights == {"iris-blue": 100, "iris-green": 0}, "no traffic on the candidate", during=3)

    # when a person approves, for the wrong revision first
    stage.annotate(command="approve/iris-1/slip")
    eventually(lambda: stage.status["lastCommand"] == "approve/iris-1/slip", "the refusal")
    assert stage.status["phase"] == "Held"
    stage.annotate(command="approve/iris-2/yes")

    # then it goes its way
    stage.reaches("Stable", "v2.0.0")


def test_a_person_does_not_wait_for_the_holds(stage: Stage) -> None:
    # given a version at a step that takes an hour
    stage.apply("v1.0.0", rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    slow = {"steps": [{"weight": 20, "hold": "1h"}], "bake": {"duration": "1h", "holdback": 10}, "deadline": "3h"}
    stage.apply("v2.0.0", rollout={**BRIEF, **slow})
    stage.reaches("Progressing")

    # when a person promotes it
    stage.annotate(command="promote/iris-2/now")

    # then it serves, and the history says why so soon
    stage.reaches("Stable", "v2.0.0")
    assert stage.status["history"][0]["message"].startswith("Promoted by command")


def test_a_candidate_that_stable_cannot_answer_for_waits_for_a_person_and_a_verdict_says_what_failed(
    stage: Stage,
) -> None:
    # given a version with another feature, whose owner wants to be asked then
    stage.users.fallback = lambda revision: ("self", "") if revision == "iris-1" else ("none", "feature 'age' is new")
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout={**BRIEF, "approval": "WithoutFallback"})

    # then it waits, and says why
    stage.reaches("Held")
    why = "stable cannot answer for v2.0.0: feature 'age' is new"
    assert f"(rollout.approval: WithoutFallback), since {why}: annotate" in stage.status["hold"]["message"]
    found = stage.condition("FallbackReady")
    assert (found["status"], found["reason"], found["message"]) == ("False", "NoFallback", why)
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}

    # when it is approved, and fails
    stage.users.outcome = lambda revision: ("error" if revision == "iris-2" else "ok", 0.02)
    stage.annotate(command="approve/iris-2/yes")

    # then what it failed with is told as long as anybody may ask
    stage.reaches("RolledBack", "v1.0.0")
    said = "Mostly 500 model-failed: \"KeyError: 'age'\"."
    assert stage.status["history"][0]["message"].endswith(said)
    assert said.removesuffix(".") in stage.condition("RolledBack")["message"]
    events = stage.control_plane.core.list_namespaced_event(stage.namespace).items
    assert [event.reason for event in events if event.message == why] == ["NoFallback"]
    assert any(event.reason == "GuardBreached" and event.message.endswith(said) for event in events)


def test_a_paused_rollout_keeps_its_weights_until_it_is_resumed(stage: Stage) -> None:
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=LONG)
    stage.reaches("Progressing")
    stage.annotate(command="pause/iris-2/lunch")
    stage.reaches("Held")
    assert stage.condition("Stalled")["reason"] == "Paused"
    weights = stage.weights
    stage.apply("v2.0.0", rollout=BRIEF)
    stays(lambda: stage.weights == weights, "the weights", during=3)
    stage.annotate(command="resume/iris-2/back")
    status = stage.reaches("Stable", "v2.0.0")
    assert "waited" not in status


def test_after_the_promotion_a_person_can_go_back_and_the_spec_waits(stage: Stage) -> None:
    # given a version that was promoted
    stage.apply("v1.0.0", rollout=BRIEF)
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=BRIEF)
    stage.reaches("Stable", "v2.0.0")

    # when a person goes back
    stage.annotate(command="rollback/iris-2/oh-no")

    # then the earlier revision serves again, as it was stored, and the same manifest changes nothing
    status = stage.reaches("RolledBack", "v1.0.0")
    assert (status["stable"]["revision"], status["stable"]["color"]) == ("iris-1", "blue")
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}
    assert stage.selected == "blue"
    assert status["lastRevision"] == 2
    stage.apply("v2.0.0", rollout=BRIEF)
    stays(lambda: stage.status["phase"] == "RolledBack", "the rolled back version to stay away", during=3)

    # and another version is rolled out like any
    stage.apply("v3.0.0", rollout=BRIEF)
    stage.reaches("Stable", "v3.0.0")


def test_pinned_users_see_the_candidate_and_are_taken_back_with_everybody(stage: Stage) -> None:
    # given a model with pinned users
    traffic = {"parentRefs": [{"name": "public"}], "path": "/iris", "pins": [BETA]}
    stage.apply("v1.0.0", traffic=traffic)
    stage.reaches("Stable", "v1.0.0")
    assert stage.rules == [{"iris-blue": 100, "iris-green": 0}] * 2

    # when a candidate gets its first weight
    stage.apply("v2.0.0", traffic=traffic, rollout=LONG)
    stage.reaches("Progressing")

    # then the pinned users are all on it, by the same write
    eventually(lambda: stage.weights == {"iris-blue": 80, "iris-green": 20}, "the first step")
    assert stage.rules == [{"iris-blue": 0, "iris-green": 100}, {"iris-blue": 80, "iris-green": 20}]

    # and when the pins are edited away, only the route changes
    pods = {pod.metadata.uid for pod in stage.control_plane.core.list_namespaced_pod(stage.namespace).items}
    stage.apply("v2.0.0", traffic={"parentRefs": [{"name": "public"}], "path": "/iris"}, rollout=LONG)
    eventually(lambda: len(stage.rules) == 1, "the pins to go")
    assert stage.weights == {"iris-blue": 80, "iris-green": 20}
    stage.apply("v2.0.0", traffic=traffic, rollout=LONG)
    eventually(lambda: len(stage.rules) == 2, "the pins to come back")

    # and when the candidate fails, all rules are rolled back at once
    stage.users.outcome = lambda revision: ("error" if revision == "iris-2" else "ok", 0.02)
    stage.reaches("RolledBack", "v1.0.0")
    assert stage.rules == [{"iris-blue": 100, "iris-green": 0}] * 2
    assert {pod.metadata.uid for pod in stage.control_plane.core.list_namespaced_pod(stage.namespace).items} <= pods
