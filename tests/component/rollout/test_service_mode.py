"""Without a gateway: the Service NAME is what carries the traffic, and its selector what moves it."""

from kubernetes import client
from tests.component.harness.stage import Stage
from tests.waiting import eventually, stays

ROLLOUT = {"bake": {"duration": "2s"}, "deadline": "2h", "drainMax": "5s"}
LONG_BAKE = {**ROLLOUT, "bake": {"duration": "1h"}}


def has_route(stage: Stage) -> bool:
    try:
        return bool(stage.route)
    except client.ApiException as error:
        if error.status == 404:
            return False
        raise


def test_the_flip_is_the_selector_and_the_roles_swap_after_the_bake(stage: Stage) -> None:
    # given a model without a gateway
    stage.apply("v1.0.0", traffic={}, rollout=ROLLOUT)
    stage.reaches("Stable", "v1.0.0")
    assert stage.selected == "blue"
    assert not has_route(stage)

    # when a better version is applied
    stage.apply("v2.0.0", traffic={}, rollout=LONG_BAKE)

    # then the Service selects it for the bake, with stable as it was, and it takes over
    status = stage.reaches("Baking")
    assert status["stable"]["revision"] == "iris-1"
    eventually(lambda: stage.selected == "green", "the flip")
    assert stage.deployment("blue").spec.replicas == 2
    stage.apply("v2.0.0", traffic={}, rollout=ROLLOUT)
    stage.reaches("Stable", "v2.0.0")
    assert stage.deployment("blue").spec.replicas == 0


def test_a_bad_version_is_flipped_back_by_its_absolute_guard(stage: Stage) -> None:
    stage.apply("v1.0.0", traffic={}, rollout=ROLLOUT)
    stage.reaches("Stable", "v1.0.0")
    stage.users.outcome = lambda revision: ("error" if revision == "iris-2" else "ok", 0.02)
    stage.apply("v2.0.0", traffic={}, rollout=LONG_BAKE)
    status = stage.reaches("RolledBack", "v1.0.0")
    assert stage.selected == "blue"
    assert status["failed"][0]["reason"] == "GuardBreached"
    service = stage.control_plane.core.read_namespaced_service("iris", stage.namespace)
    assert service.metadata.annotations["viridian.dev/aborted"] == "iris-2"
    stays(lambda: stage.selected == "blue", "stable to serve", during=3)

    # and the next version's first write takes the mark away
    stage.users.outcome = lambda _: ("ok", 0.02)
    stage.apply("v3.0.0", traffic={}, rollout=ROLLOUT)
    stage.reaches("Stable", "v3.0.0")
    service = stage.control_plane.core.read_namespaced_service("iris", stage.namespace)
    assert "viridian.dev/aborted" not in (service.metadata.annotations or {})


def test_a_gateway_can_be_named_later_and_taken_away_again(stage: Stage) -> None:
    stage.apply("v1.0.0", traffic={}, rollout=ROLLOUT)
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v1.0.0", rollout={**ROLLOUT, "type": "BlueGreen"})
    eventually(lambda: has_route(stage) and stage.weights == {"iris-blue": 100, "iris-green": 0}, "the route")
    stage.apply("v1.0.0", traffic={}, rollout=ROLLOUT)
    eventually(lambda: not has_route(stage), "the route to go")
    assert stage.status["lastRevision"] == 1
    assert stage.selected == "blue"
