"""What a candidate still waits for."""

from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import SHADOW, look, pods, route, step
from tests.rollout.world import START

from viridian.api.status import (
    CheckResult,
    CheckStatus,
    Phase,
    Return,
    Shortfall,
)
from viridian.rollout.context import RolloutContext
from viridian.rollout.messages import (
    waits_for,
)
from viridian.rollout.observed import Cover
from viridian_shared.shadow import Shadow

VERIFIED = START + timedelta(seconds=58)
COPIES = str(Shadow("iris-2", 0.5))


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
