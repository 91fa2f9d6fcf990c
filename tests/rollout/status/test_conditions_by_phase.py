"""Each condition, in each phase."""

from collections.abc import Callable

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.status.phases import (
    AGAIN,
    GOING_BACK,
    SERVES,
    WHY_BACK,
    at_step,
    first_bakes,
    first_starts,
    said,
    taken_back,
)
from tests.rollout.world import World

from viridian.api.status import Phase

CLEAR = "no obstacle"
NOT_BACK = "the version in the spec was not rolled back"


def drains() -> World:
    world = rolling(Phase.FINISHING)
    while world.status.candidate is not None:
        world.reconcile()
    return world


def paused() -> World:
    world = at_step()
    world.command = "pause/iris-2/a"
    pass_by(world, 2)
    return world


def expired() -> World:
    world = at_step(guards={"metricsMissing": {"after": "1m", "then": "Rollback"}})
    world.metrics = False
    run_until(world, Phase.EXPIRED)
    return world


PAUSED = (
    "v2.0.0 is paused by command, and goes on by `kubectl viridian resume iris` or the annotation"
    " viridian.dev/command=resume/iris-2/ID"
)
BACK = f"v2.0.0 was rolled back: {WHY_BACK} v1.0.0 serves all requests. {AGAIN}"
BLIND = "no metrics for 1m (guards.metricsMissing), so the candidate could not be judged"
OUT_OF_TIME = f"v2.0.0 was rolled back: {BLIND}. v1.0.0 serves all requests. {AGAIN}"
KEPT = ("True", "Kept", "iris-1 (v1.0.0) is stored and can be run again")
BOTH_SERVE = ("True", "Serving", "3 ready pods of v1.0.0 and 2 ready pods of v2.0.0")


@pytest.mark.parametrize(
    ("scene", "ready", "reconciling", "stalled", "available", "rolled_back", "rollback_ready", "settled"),
    [
        (
            first_starts,
            ("False", "Starting", "v1.0.0 starts: 0 of 3 pods ready"),
            ("True", "Starting", "v1.0.0 starts: 0 of 3 pods ready"),
            ("False", "Starting", CLEAR),
            ("False", "NotServing", "no revision has served yet"),
            ("False", "Starting", NOT_BACK),
            ("False", "NoStable", "there is no revision to go back to yet"),
            "False",
        ),
        (
            first_bakes,
            ("False", "Baking", "v1.0.0 serves all requests and is watched for 20s"),
            ("True", "Baking", "v1.0.0 serves all requests and is watched for 20s"),
            ("False", "Baking", CLEAR),
            SERVES,
            ("False", "Baking", NOT_BACK),
            KEPT,
            "False",
        ),
        (
            at_stable,
            ("True", "Stable", "v1.0.0 serves all requests"),
            ("False", "Stable", "v1.0.0 serves all requests; guards are off until the next rollout"),
            ("False", "Stable", CLEAR),
            SERVES,
            ("False", "Stable", NOT_BACK),
            KEPT,
            "True",
        ),
        (
            at_step,
            ("False", "Progressing", "v2.0.0 is at step 1 of 2 with 10 % of the traffic: waiting for 4s more of 10s"),
            ("True", "Progressing", "v2.0.0 is at step 1 of 2 with 10 % of the traffic: waiting for 4s more of 10s"),
            ("False", "Progressing", CLEAR),
            BOTH_SERVE,
            ("False", "Progressing", NOT_BACK),
            KEPT,
            "False",
        ),
        (
            paused,
            ("False", "Held", PAUSED),
            ("True", "Paused", PAUSED),
            ("False", "Paused", PAUSED),
            BOTH_SERVE,
            ("False", "Held", NOT_BACK),
            KEPT,
            "False",
        ),
        (
            lambda: taken_back(settled=False),
            ("False", "RollingBack", GOING_BACK),
            ("True", "RollingBack", GOING_BACK),
            ("False", "RollingBack", CLEAR),
            SERVES,
            ("True", "GuardBreached", GOING_BACK),
            KEPT,
            "False",
        ),
        (
            lambda: taken_back(settled=True),
            ("False", "RolledBack", BACK),
            ("False", "RolledBack", BACK),
            ("True", "GuardBreached", BACK),
            SERVES,
            ("True", "GuardBreached", BACK),
            KEPT,
            "True",
        ),
        (
            expired,
            ("False", "Expired", OUT_OF_TIME),
            ("False", "Expired", OUT_OF_TIME),
            ("True", "MetricsMissing", OUT_OF_TIME),
            SERVES,
            ("False", "Expired", NOT_BACK),
            KEPT,
            "True",
        ),
        (
            drains,
            ("False", "Finishing", "v2.0.0 takes over; the old color drains"),
            ("True", "Finishing", "v2.0.0 takes over; the old color drains"),
            ("False", "Finishing", CLEAR),
            ("True", "Serving", "3 ready pods of v2.0.0"),
            ("False", "Finishing", NOT_BACK),
            (
                "True",
                "Kept",
                "iris-2 (v2.0.0) is stored and can be run again; the command rollback would bring back iris-1 (v1.0.0)",
            ),
            "False",
        ),
    ],
    ids=["first starts", "first bakes", "stable", "step", "paused", "going back", "back", "expired", "drains"],
)
def test_each_condition_in_each_phase(
    scene: Callable[[], World],
    ready: tuple[str, str, str],
    reconciling: tuple[str, str, str],
    stalled: tuple[str, str, str],
    available: tuple[str, str, str],
    rolled_back: tuple[str, str, str],
    rollback_ready: tuple[str, str, str],
    settled: str,
):
    assert {kind: claim for kind, claim in said(scene()).items() if kind != "FallbackReady"} == {
        "Ready": ready,
        "Reconciling": reconciling,
        "Stalled": stalled,
        "Available": available,
        "RolledBack": rolled_back,
        "RollbackReady": rollback_ready,
        "Settled": (settled, ready[1], reconciling[2]),
    }
