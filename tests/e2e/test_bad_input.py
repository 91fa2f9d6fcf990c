"""Bad input in the local cluster: who made the mistake reads where it is, and nobody else notices."""

from typing import Any

import pytest
from tests.e2e.harness.clients import Clients
from tests.e2e.harness.cluster import KubectlError
from tests.e2e.harness.route import RouteLog
from tests.e2e.harness.stage import Stage

STEP = {"weight": 10, "hold": "5s"}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "the version latest": (
        {"model": {"version": "latest"}},
        "spec.model.version",
        "must be a semantic version such as v1.3.0 or a commit hash",
    ),
    "weights that do not increase": (
        {"rollout": {"steps": [STEP, STEP]}},
        "spec.rollout.steps",
        "the weights must increase from step to step",
    ),
    "a weight over 100": (
        {"rollout": {"steps": [{"weight": 101, "hold": "5s"}]}},
        "spec.rollout.steps[0].weight",
        "should be less than or equal to 100",
    ),
    "a last step above what the bake leaves": (
        {"rollout": {"steps": [{"weight": 95, "hold": "5s"}]}},
        "spec.rollout.steps",
        "a step may not be above 100 minus bake.holdback",
    ),
    "a negative hold": (
        {"rollout": {"steps": [{"weight": 10, "hold": "-5s"}]}},
        "spec.rollout.steps[0].hold",
        "is not a duration: write whole numbers with units and no sign, such as 500ms, 90s or 1h30m",
    ),
    "a bound that is no duration": (
        {"guards": {"latency": [{"percentile": "95", "max": "fast"}]}},
        "spec.guards.latency[0].max",
        "must be a duration from 1ms to 60s, such as 200ms",
    ),
    "a field that does not exist": (
        {"serving": {"replica": 2}},
        "spec.serving.replica",
        "",
    ),
}


@pytest.mark.parametrize("server_side", [False, True], ids=["kubectl apply", "kubectl apply --server-side"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_with_a_sentence_that_names_the_field(
    stage: Stage, case: str, server_side: bool
) -> None:
    # given a manifest with one mistake
    change, field, sentence = REFUSED[case]
    manifest = stage.manifest("v1", **change)

    # when somebody applies it
    with pytest.raises(KubectlError) as refused:
        stage.cluster.apply(manifest, *(["--server-side"] if server_side else []))

    # then kubectl says where it is and what would be right
    print(refused.value)
    assert field in str(refused.value)
    assert sentence in str(refused.value)


def test_an_image_that_cannot_be_pulled_is_named_and_disturbs_nobody(stage: Stage) -> None:
    # given a model that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        # when a version is applied whose image nobody has
        missing = "registry.invalid/nothing:1.0.0"
        stage.apply("v2", serving={"image": missing})

        # then its owner reads which
        message = stage.says("Stalled", "PodsCannotStart")
        print(message)
        assert "spec.serving.image" in message
        assert missing in message
        assert stage.condition("Available")["status"] == "True"

        # and going back clears it
        stage.apply("v1")
        status = stage.reaches("Stable", "v1")
        assert stage.condition("Stalled")["status"] == "False"
        assert status["history"][0]["result"] == "Reverted"
    assert_nobody_noticed(clients, route)


def test_a_model_that_triton_cannot_load_is_taken_back_before_any_traffic(stage: Stage) -> None:
    # given a model that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        # when a version is applied whose files are not where the manifest says
        stage.apply("v2", model={"uri": "image:///models/digits/nowhere"})

        # then it is rolled back for its crashes, with the sentence of the pod that died
        status = stage.reaches("RolledBack", "v1")
        message = stage.says("Stalled", "PodsCrash")
        print(message)
        assert status["failed"][0]["revision"] == "digits-2"
        assert "/models/digits/nowhere" in message
        assert stage.condition("Available")["status"] == "True"
    assert_nobody_noticed(clients, route)


def test_an_unknown_gateway_is_named(stage: Stage) -> None:
    # when a model is applied for a gateway that is not there
    stage.apply("v1", traffic={"parentRefs": [{"name": "missing", "namespace": "gateways"}]})

    # then its owner reads which
    message = stage.says("Stalled", "GatewayNotFound")
    print(message)
    assert "spec.traffic.parentRefs[0]: there is no Gateway missing in namespace gateways" in message

    # and naming the right one is all that it takes
    stage.serve("v1")
    assert stage.condition("Stalled")["status"] == "False"


def assert_nobody_noticed(clients: Clients, route: RouteLog) -> None:
    """No request failed, stable answered all of them, and the candidate never had any weight."""
    print(clients)
    assert clients.answers
    assert not clients.failed
    assert {answer.version for answer in clients.answers} == {"v1"}
    assert route.weights("green") == [0]
