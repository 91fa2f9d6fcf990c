"""What pods are in trouble, how many are needed, and what a candidate still waits for."""

from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import GREEN, STABLE, look, pod, pods, route, step
from tests.rollout.world import START

from viridian.api.status import (
    CheckResult,
    CheckStatus,
    Condemned,
    Phase,
    Return,
    Shortfall,
)
from viridian.rollout.context import RolloutContext
from viridian.rollout.messages import (
    blindness,
    left_behind,
    pod_trouble,
    required_pods,
    stuck_pod,
    waits_for,
)
from viridian.rollout.observed import Cover
from viridian_shared.shadow import Shadow

VERIFIED = START + timedelta(seconds=58)
SHADOW = {
    "rollout": {
        "steps": [{"shadow": "50%", "hold": "10s"}, {"weight": 50, "hold": "10s"}],
        "bake": {"duration": "20s", "holdback": 5},
    }
}
COPIES = str(Shadow("iris-2", 0.5))


def sick(revision: str = "iris-2", trouble: str = "no such image", **seen: Any) -> Any:
    return pods(revision, 2, [pod(revision, trouble=trouble)], **seen)


# ------------------------------------------------------------------ pods


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


BLIND = "Prometheus has the counters of 1 of the 2 pods that v2.0.0 needs"
ONE = {"reporting": {"iris-2": 1}}


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


# ------------------------------------------------------------------ what is waited for


def check(result: CheckResult) -> CheckStatus:
    return CheckStatus(name="smoke", revision="iris-2", result=result, started_at=START)


CHECKED = {"checks": {"smoke": True}}
RETURNING = Return(instead_of="iris-3", generation=1)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (look(candidate=None), ""),
        (look(green=pods("iris-2", 1)), "2 ready pods of v2.0.0 (1 so far)"),
        (look({"serving": {"replicas": 1}}, green=pods("iris-2", 0)), "1 ready pod of v2.0.0 (0 so far)"),
        (look(shortfall=Shortfall(weight=5)), "its pods to stay ready for 6 s"),
        (look(weight=0), "the route to be written"),
        (look(weight=0, stable=None), "the route to be written"),
        (look(weight=0, blue=pods("iris-1", 0)), "a ready pod of v1.0.0"),
        (look(seen={"route": route(10, shadow="what is of before")}), "the route to be written"),
        (look(), "requests to be seen split at 10 %"),
        (look({"traffic": {}}), "requests to arrive"),
        (
            look(SHADOW, weight=0, step=step(weight=0, shadow="50%"), seen={"route": route(0, shadow=COPIES)}),
            "the first mirrored request to be counted",
        ),
        (look(step=step(verified_at=VERIFIED)), "8s more of 10s"),
        (look(step=step(verified_at=VERIFIED), now=67.6), "1s more of 10s"),
        (look(step=step(verified_at=VERIFIED), now=66.4), "2s more of 10s"),
        (look(step=step(verified_at=VERIFIED), now=68), ""),
        (look(step=step(verified_at=VERIFIED), now=68, says={"missing": ("a", "b")}), "enough requests for a, b"),
        (look(step=step(verified_at=VERIFIED), says={"missing": ("a",)}), "8s more of 10s and enough requests for a"),
    ],
)
def test_what_a_step_waits_for(given: RolloutContext, what: str) -> None:
    assert waits_for(given) == what


def with_requests(**parts: Any) -> dict[str, Any]:
    steps = [{"hold": "2s", "minRequests": 50, **parts}, {"weight": 50, "hold": "10s"}]
    return {"rollout": {"steps": steps, "bake": {"duration": "20s", "holdback": 5}}}


@pytest.mark.parametrize(
    ("requests", "what"),
    [(10, "50 more requests (minRequests)"), (59, "1 more request (minRequests)"), (60, ""), (61, "")],
)
def test_how_many_requests_a_step_lacks(requests: int, what: str) -> None:
    says = {"requests": {"iris-2": requests}, "mirrored": {"iris-2": 999}}
    counted = step(verified_at=VERIFIED, requests_before=10)
    assert waits_for(look(with_requests(weight=10), says=says, step=counted)) == what


@pytest.mark.parametrize(
    ("requests", "what"),
    [(10, "50 more mirrored requests (minRequests)"), (59, "1 more mirrored request (minRequests)"), (60, "")],
)
def test_how_many_copies_a_shadow_step_lacks(requests: int, what: str) -> None:
    says = {"mirrored": {"iris-2": requests}, "requests": {"iris-2": 999}}
    counted = step(weight=0, shadow="50%", verified_at=VERIFIED, requests_before=10)
    seen = {"route": route(0, shadow=COPIES)}
    assert waits_for(look(with_requests(shadow="50%"), says=says, step=counted, seen=seen)) == what


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (look(CHECKED), "its check smoke"),
        (look(CHECKED, checks=[check(CheckResult.RUNNING)]), "its check smoke"),
        (look(CHECKED, checks=[check(CheckResult.PASSED)]), ""),
        (look(), ""),
        (look(says={"reporting": {}}), "Prometheus to have the counters of its pods"),
        (look(says={"reporting": {"iris-2": 1}}), "Prometheus to have the counters of its pods"),
        (look(says={"reporting": {}, "trouble": "Prometheus is away"}), "Prometheus is away"),
        (look(says={"cover": Cover.UNKNOWN}), "its pods to report whether stable can answer for them"),
        (look(blue=pods("iris-1", 0)), "a ready pod of v1.0.0"),
        # a first revision, and one that was judged before, are not judged beside anything
        (look(stable=None, green=pods("iris-2", 3), says={"reporting": {}}), ""),
        (look(returning=RETURNING, green=pods("iris-2", 3), says={"reporting": {}}), ""),
    ],
)
def test_what_a_candidate_waits_for_before_its_first_step(given: RolloutContext, what: str) -> None:
    before = given.status.model_copy(update={"step": None, "phase": Phase.STARTING})
    assert waits_for(RolloutContext(given.name, given.spec, before, given.observed, given.settings, given.now)) == what
