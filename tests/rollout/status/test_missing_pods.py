"""Pods that are wanted and do not come: what status says."""

from dataclasses import replace

import pytest
from tests.rollout.scenes import at_stable, at_step, decided, message

from viridian.api.names import Color

BLUE, GREEN = Color.BLUE, Color.GREEN
QUOTA = "pods is forbidden: exceeded quota: compute"
REFUSED = f"Kubernetes refuses to create its pods, and keeps retrying: {QUOTA}"


@pytest.mark.parametrize(
    ("color", "role"), [(BLUE, "v1.0.0 (blue)"), (GREEN, "v2.0.0 (green)")], ids=["stable", "the candidate"]
)
def test_pods_that_kubernetes_refuses_to_create_are_told_in_its_own_words(color, role):
    world = at_step()
    world.refused[color] = QUOTA
    stalled = next(c for c in decided(world).status.conditions if c.type == "Stalled")
    assert (stalled.status, stalled.reason, stalled.message) == ("True", "PodsCannotStart", f"{role}: {REFUSED}")


def test_what_a_pod_says_itself_comes_first():
    world = at_step()
    world.refused[GREEN] = QUOTA
    world.pods[GREEN][0] = replace(world.pods[GREEN][0], trouble="no room on any node")
    assert message(decided(world), "Stalled") == "v2.0.0 (green): no room on any node"


def test_the_empty_color_of_another_revision_is_in_the_way_of_nothing():
    world = at_stable()
    world.refused[GREEN] = QUOTA
    assert message(decided(world), "Stalled") == "no obstacle"


def test_a_stable_that_gets_only_some_of_its_pods_is_not_simply_ready():
    # given a stable at rest that has one of three pods
    world = at_stable()
    world.pods[BLUE] = world.pods[BLUE][:1]
    # when nobody says why, then status says how many it has
    assert message(decided(world), "Ready") == "v1.0.0 serves all requests with 1 of 3 pods"
    # and when Kubernetes does, it is not ready, but available
    world.refused[BLUE] = QUOTA
    found = {c.type: (c.status, c.reason) for c in decided(world).status.conditions}
    assert found["Ready"] == ("False", "PodsCannotStart")
    assert found["Available"] == ("True", "Serving")
