"""What is said of pods: which one is in the way, and how many there should be."""

import pytest
from tests.rollout.words.looks import BLIND, GREEN, ONE, SHADOW, STABLE, look, pod, pods, sick, step

from viridian.api.status import Condemned, Return
from viridian.rollout.context import RolloutContext
from viridian.rollout.messages import blindness, left_behind, pod_trouble, required_pods, stuck_pod


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (look(), ""),
        (look(green=sick()), "v2.0.0 (green): no such image"),
        (look(blue=sick("iris-1")), "v1.0.0 (blue): no such image"),
        (look(green=sick("iris-9")), ""),  # nobody's pod
        (
            look(green=pods("iris-2", 2, refusal="exceeded quota: pods")),
            "v2.0.0 (green): Kubernetes refuses to create its pods, and keeps retrying: exceeded quota: pods",
        ),
        (look(green=pods("iris-9", 2, refusal="exceeded quota: pods")), ""),  # of another revision
        (look(green=sick(refusal="exceeded quota: pods")), "v2.0.0 (green): no such image"),
        (look(candidate=None, green=sick()), ""),
        (look(stable=None, blue=sick("iris-1")), ""),
        (
            look(green=pods("iris-9", 0, [pod("iris-9", stuck="pod x does not go"), pod("iris-2", trouble="bad")])),
            "v2.0.0 (green) is waiting: pod x does not go",
        ),
    ],
)
def test_what_keeps_pods_from_starting(given: RolloutContext, said: str) -> None:
    assert pod_trouble(given) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (look(), ""),
        (
            look(green=pods("iris-9", 0, [pod("iris-9", stuck="pod x does not go")])),
            "v2.0.0 (green) is waiting: pod x does not go",
        ),
        (
            look(blue=pods("iris-9", 0, [pod("iris-9"), pod("iris-9", stuck="pod y does not go")])),
            "v1.0.0 (blue) is waiting: pod y does not go",
        ),
        # one of its own is gone by itself, and one beside which it runs already keeps it from nothing
        (look(green=pods("iris-9", 0, [pod("iris-2", stuck="pod x does not go")])), ""),
        (look(green=pods("iris-2", 0, [pod("iris-9", stuck="pod x does not go")])), ""),
    ],
)
def test_which_pod_keeps_a_color_from_being_used(given: RolloutContext, said: str) -> None:
    assert stuck_pod(given) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (look(), ""),
        (look(green=pods("iris-2", 0, [pod("iris-2"), pod("iris-2", stuck="pod x stays")])), "pod x stays"),
        (look(blue=pods("iris-1", 0, [pod("iris-1", stuck="pod x stays")])), ""),  # stable's own
        (look(stable=None, blue=pods("iris-1", 0, [pod("iris-1", stuck="pod x stays")])), "pod x stays"),
        (look(stable=None, green=pods("iris-2", 0, [pod("iris-2", stuck="pod x stays")])), "pod x stays"),
        (
            look(
                stable=STABLE.model_copy(update={"color": GREEN}),
                blue=pods("iris-1", 0, [pod("iris-1", stuck="pod x stays")]),
            ),
            "pod x stays",
        ),
    ],
)
def test_which_pod_of_what_was_rolled_back_is_left(given: RolloutContext, said: str) -> None:
    assert left_behind(given) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (look(says=ONE), BLIND),
        (look(says={**ONE, "trouble": "the clock is wrong"}), f"{BLIND}: the clock is wrong"),
        (look(says={"reporting": {"iris-2": 2}}), ""),
        (look(says=ONE, green=pods("iris-2", 1)), ""),  # that one is missing is said elsewhere
        (look(says={**ONE, "fresh_at": None}), ""),
        (look(says=ONE, candidate=None), ""),
        (look(says=ONE, step=None), ""),
        (
            look(says=ONE, step=step(weight=100), green=pods("iris-2", 3)),
            "Prometheus has the counters of 1 of the 3 pods that v2.0.0 needs",
        ),
    ],
)
def test_of_how_many_pods_the_metrics_do_not_tell(given: RolloutContext, said: str) -> None:
    assert blindness(given) == said


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        (look(), 2),
        (look(step=step(weight=90)), 3),
        (look(SHADOW, step=step(weight=0, shadow="90%")), 3),
        (look(step=None), 2),
        (look(step=None, stable=None), 3),
        (look(step=None, returning=Return(instead_of="iris-3", generation=1)), 3),
        (look(step=None, condemned=Condemned(revision="iris-1", message="fails")), 3),
        (look({"rollout": {"steps": [{"weight": 90, "hold": "1s"}]}}, step=None), 3),
        (look({"rollout": {"steps": [{"weight": 5, "hold": "1s"}, {"weight": 90, "hold": "1s"}]}}, step=None), 2),
    ],
)
def test_how_many_pods_the_next_weight_needs(given: RolloutContext, needed: int) -> None:
    assert required_pods(given) == needed
