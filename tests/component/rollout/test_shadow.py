"""Shadow steps by the real operator against a real control plane and a real Prometheus; pods are scripted."""

import random
from typing import Any

from tests.component.harness.stage import Stage
from tests.waiting import eventually

from viridian.traffic.route import shadow_in

SHADOW = {
    "steps": [{"shadow": "50%", "hold": "1s", "minRequests": 20}, {"weight": 20, "hold": "1s"}],
    "bake": {"duration": "1s", "holdback": 10},
}
LONG_SHADOW = {
    **SHADOW,
    "steps": [{"shadow": "50%", "hold": "1h", "minRequests": 20}, {"weight": 20, "hold": "1s"}],
    "deadline": "2h",
}
"""A rollout that stays at its shadow step until another one is applied."""


def told(stage: Stage) -> str | None:
    """What the route has pods mirror."""
    return shadow_in(stage.route["spec"]["rules"][-1]["filters"])


def answered_users(stage: Stage, revision: str) -> bool:
    page = stage.users._target.page()
    return any(f'revision="{revision}"' in line and 'via="split"' in line for line in page.splitlines())


def shadowed(stage: Stage) -> dict[str, Any]:
    """Wait for the shadow step to have been seen; the value is the status."""

    def look() -> dict[str, Any]:
        status = stage.status
        assert (status.get("step") or {}).get("shadow") == "50%", stage.condition("Ready").get("message")
        assert "verifiedAt" in status["step"], stage.condition("Ready").get("message")
        return status

    return eventually(look, "the shadow step")


def test_copies_come_first_and_users_after(stage: Stage) -> None:
    # given a version that serves, and one that agrees with it on four of five requests
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    chance = random.Random(7)
    stage.users.mirrored = lambda _: "agreed" if chance.random() < 0.8 else "disagreed"

    # when that is applied
    stage.apply("v2.0.0", rollout=LONG_SHADOW)
    shadowed(stage)

    # then the route gives it no user, and tells pods what to mirror
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}
    assert told(stage) == "iris-2;share=0.5"
    assert not answered_users(stage, "iris-2")

    # and the status says how both compare, until the end
    stage.apply("v2.0.0", rollout=SHADOW)
    status = stage.reaches("Stable", "v2.0.0")
    assert status["shadow"].startswith("v2.0.0 agreed on ")
    assert told(stage) is None
    assert answered_users(stage, "iris-2")


def test_a_candidate_that_fails_copies_is_taken_back_before_any_user(stage: Stage) -> None:
    # given a version that serves
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.users.mirrored = lambda _: "failed"

    # when one is applied that answers no copy
    stage.apply("v2.0.0", rollout=SHADOW)
    status = stage.reaches("RolledBack", "v1.0.0")

    # then its errors have given it away, no user was its, and nothing is mirrored any more
    assert status["failed"][0]["reason"] == "GuardBreached"
    assert told(stage) is None
    assert not answered_users(stage, "iris-2")


def test_a_candidate_that_answers_otherwise_is_taken_back_where_a_share_of_agreement_is_asked_for(stage: Stage) -> None:
    # given a version that serves, and one that answers every second copy otherwise
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    chance = random.Random(7)
    stage.users.mirrored = lambda _: "agreed" if chance.random() < 0.5 else "disagreed"

    # when that is applied with a guard on agreement
    stage.apply("v2.0.0", rollout=LONG_SHADOW, guards={"agreement": {"min": "90%"}})
    status = stage.reaches("RolledBack", "v1.0.0")

    # then the guard has found it, and no user has met it
    assert status["failed"][0]["reason"] == "GuardBreached"
    assert "were answered otherwise" in status["failed"][0]["message"]
    assert not answered_users(stage, "iris-2")
    assert told(stage) is None
