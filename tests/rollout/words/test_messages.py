"""The sentence about a rollout, clause by clause: who, what, how much, and when each is said."""

from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import BLIND, CANDIDATE, ONE, SHADOW, STABLE, look, pods, route, sick, step
from tests.rollout.world import START

from viridian.api.status import (
    BlockedRevision,
    Counted,
    Ending,
    GuardStatus,
    Hold,
    Outage,
    Phase,
    Return,
    WatchStatus,
)
from viridian.guards.shadow_report import ShadowReport
from viridian.rollout.context import RolloutContext
from viridian.rollout.messages import (
    state_message,
)
from viridian_shared.shadow import Shadow

VERIFIED = START + timedelta(seconds=58)
GAP = "stable cannot answer for v2.0.0: feature `age` is new"
RETURNING = Return(instead_of="iris-3", generation=1)
COPIES = str(Shadow("iris-2", 0.5))


# ------------------------------------------------------------------ the sentence


BACK = Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message="7 of 9 failed")
WARMS = BACK.model_copy(update={"warms_since": START})


def guard(verdict: str, *, failing: bool) -> GuardStatus:
    counts = Counted(requests=9, events=7)
    return GuardStatus(
        name="errorRate",
        kind="absolute",
        verdict=verdict,
        evidence="1",
        threshold="9",
        candidate=counts,
        failing=failing,
        message="m",
    )


AT_STEP = "v2.0.0 is at step 1 of 2"
WAITS = f"{AT_STEP}: waiting for requests to be seen split at 10 %"
STARTS = "v2.0.0 starts: 2 of 2 pods ready"
FAILS = {"verdict": "7 of 9 failed", "guards": [guard("NotEnoughData", failing=True)]}
SHADOWED = {"weight": 0, "seen": {"route": route(0, shadow=COPIES)}}


def starting(spec: Any = None, ready: int = 2, **parts: Any) -> RolloutContext:
    candidate = CANDIDATE.model_copy(update={"ready": ready})
    given = {"step": None, "phase": Phase.STARTING, "candidate": candidate, "green": pods("iris-2", ready), **parts}
    return look(spec, weight=0, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (look(hold=Hold(reason="Paused", message="it is paused", since=START)), "it is paused"),
        # on the way back
        (look(ending=BACK, weight=0), "v2.0.0 is being rolled back: 7 of 9 failed"),
        (look(ending=BACK), "v2.0.0 is being rolled back: 7 of 9 failed"),
        (
            look(ending=WARMS, weight=40, blue=pods("iris-1", 1)),
            "v2.0.0 is being rolled back: 7 of 9 failed. It keeps 40 % of the traffic until more than 1 of 3 pods of"
            " v1.0.0 are ready",
        ),
        (look(ending=WARMS, weight=0), "v2.0.0 is being rolled back: 7 of 9 failed"),
        (look(ending=WARMS, weight=40, stable=None), "v2.0.0 is being rolled back: 7 of 9 failed"),
        # by command
        (
            look(returning=RETURNING, candidate=CANDIDATE.model_copy(update={"ready": 1}), step=None),
            "v2.0.0 is being restored by command: 1 of 3 pods are ready",
        ),
        # starting
        (starting(), STARTS),
        (starting(ready=1), "v2.0.0 starts: 1 of 2 pods ready"),
        (starting(says={"no_fallback": GAP}), f"{STARTS}; {GAP}"),
        (starting(ready=1, says={"no_fallback": GAP}), f"v2.0.0 starts: 1 of 2 pods ready; {GAP}"),
        (starting(green=sick()), f"{STARTS}; v2.0.0 (green): no such image"),
        (
            starting(says={"reporting": {}}),
            f"{STARTS}; waiting for Prometheus to have the counters of its pods",
        ),
        (starting({"serving": {"replicas": 1}}, ready=0), "v2.0.0 starts: 0 of 1 pod ready"),
        # taking over
        (look(phase=Phase.FINISHING, step=None), "v2.0.0 takes over; the old color drains"),
        # at a step
        (look(), WAITS),
        (look(says={"no_fallback": GAP}), f"{WAITS}; {GAP}"),
        (look(**FAILS), f"{WAITS}. 7 of 9 failed"),
        (look(verdict="7 of 9 failed", guards=[guard("NotEnoughData", failing=False)]), WAITS),
        (look(verdict="7 of 9 failed", guards=[guard("Healthy", failing=True)]), WAITS),
        (look(verdict="7 of 9 failed", guards=[guard("Ignored", failing=True)]), WAITS),
        (look(verdict="", guards=[guard("NotEnoughData", failing=True)]), WAITS),
        (look(version="v3.0.0"), f"{AT_STEP} (v3.0.0 starts after this rollout): {WAITS.partition(': ')[2]}"),
        (look(weight=5), f"{AT_STEP} with 5 % of the traffic instead of 10 %: waiting for the route to be written"),
        (look(step=step(2, 50), weight=50, green=pods("iris-2", 2)), WAITS.replace("1", "2", 1).replace("10", "50")),
        (
            look(
                step=step(3, 95, verified_at=VERIFIED),
                weight=95,
                green=pods("iris-2", 3),
                says={"reporting": {"iris-2": 3}},
            ),
            "v2.0.0 bakes with 95 % of the traffic: waiting for 18s more of 20s",
        ),
        (look(step=step(verified_at=VERIFIED), now=68), f"{AT_STEP} with 10 % of the traffic"),
        (
            look(says={"fresh_at": START, "trouble": "Prometheus is away"}),
            f"{AT_STEP} with 10 % of the traffic, and does not advance: Prometheus is away",
        ),
        (look(says={"trouble": "an old story"}), WAITS),  # the metrics are there
        (look(says=ONE), f"{AT_STEP} with 10 % of the traffic, and does not advance: {BLIND}"),
        (
            look(step=step(lagging_since=START)),
            f"{AT_STEP}: the route gives the candidate 10 %, but it is seen to complete 0 % of the requests, as before"
            " this step: check that the gateway's controller runs, what the status of HTTPRoute iris says, and that"
            " requests reach the candidate's pods",
        ),
        (look(step=step(lagging_since=START), now=5.9), WAITS),
        # in a shadow step
        (
            look(SHADOW, **SHADOWED, step=step(weight=0, shadow="50%")),
            f"{AT_STEP} with shadow 50%: waiting for the first mirrored request to be counted",
        ),
        (
            look(SHADOW, **SHADOWED, step=step(weight=0, shadow="50%"), says={"requests": {"iris-1": 40}}),
            f"{AT_STEP} with shadow 50%: v1.0.0 has answered 40 requests, and no copy has reached the candidate: its"
            " serving image may be an earlier one, which mirrors nothing, or a NetworkPolicy keeps its pods from the"
            " candidate's",
        ),
        (
            look(SHADOW, weight=0, step=step(weight=0, shadow="50%"), says={"requests": {"iris-1": 40}}),
            f"{AT_STEP} with shadow 50%: waiting for the route to be written",
        ),
        (
            look(
                SHADOW,
                **SHADOWED,
                step=step(weight=0, shadow="50%", verified_at=VERIFIED),
                says={"shadow": ShadowReport(agreed=1999, disagreed=1)},
            ),
            f"{AT_STEP} with shadow 50%: waiting for 8s more of 10s; agreed on 99.9 % of 2,000 mirrored requests",
        ),
        (
            look(step=step(verified_at=VERIFIED), says={"shadow": ShadowReport(agreed=1999, disagreed=1)}),
            f"{AT_STEP} with 10 % of the traffic: waiting for 8s more of 10s",
        ),
        (
            look(says={"fresh_at": START, "trouble": "Prometheus is away."}, **FAILS),
            f"{AT_STEP} with 10 % of the traffic, and does not advance: Prometheus is away. 7 of 9 failed",
        ),
        (look(step=None), "v1.0.0 serves all requests; guards are off until the next rollout"),
    ],
)
def test_the_sentence_about_a_candidate(given: RolloutContext, said: str) -> None:
    assert state_message(given) == said


OLD = BlockedRevision(revision="iris-2", version="v2.0.0", reason="r", message="7 of 9 failed.", at=START)
AGAIN = "v2.0.0 starts again only by the command retry; a different version in the spec starts at once."
HOLDBACK = {
    "rollout": {
        "steps": [{"weight": 10, "hold": "10s"}],
        "bake": {"duration": "20s", "watch": {"duration": "10m", "holdback": 5}},
    }
}


def settled(spec: Any = None, phase: Phase = Phase.STABLE, **parts: Any) -> RolloutContext:
    return look(spec, **{"candidate": None, "step": None, "phase": phase, "weight": 0, **parts})


def watching(spec: Any = HOLDBACK, weight: int = 95, now: float = 60, **parts: Any) -> RolloutContext:
    """v2.0.0 was promoted, and v1.0.0 is to keep a share."""
    watch = WatchStatus(since=START, control=STABLE)
    return settled(spec, Phase.WATCHING, **{"stable": CANDIDATE, "watch": watch, "weight": weight, "now": now, **parts})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            settled(phase=Phase.ROLLED_BACK, failed=[OLD]),
            f"v2.0.0 was rolled back: 7 of 9 failed. v1.0.0 serves all requests. {AGAIN}",
        ),
        (
            settled(phase=Phase.EXPIRED, expired=[OLD]),
            f"v2.0.0 was rolled back: 7 of 9 failed. v1.0.0 serves all requests. {AGAIN}",
        ),
        (
            settled(phase=Phase.ROLLED_BACK, failed=[OLD], stable=None),
            f"v2.0.0 was rolled back: 7 of 9 failed. Nothing serves. {AGAIN}",
        ),
        (
            settled(phase=Phase.ROLLED_BACK, failed=[OLD], blue=pods("iris-1", 0)),
            f"v2.0.0 was rolled back: 7 of 9 failed. No pod of v1.0.0 is ready, but all requests go to it. {AGAIN}",
        ),
        (settled(failed=[OLD]), "v1.0.0 serves all requests; guards are off until the next rollout"),
        (
            settled(phase=Phase.ROLLED_BACK),
            "v1.0.0 serves all requests; guards are off until the next rollout",
        ),
        (settled(phase=Phase.FINISHING), "v1.0.0 takes over; the old color drains"),
        (settled(phase=Phase.BAKING), "v1.0.0 serves all requests and is watched for 20s"),
        (settled(phase=Phase.BAKING, stable=None), "waiting for the first revision"),
        (settled(phase=Phase.STALLED, stable=None, seen={"taken": "the path is another's"}), "the path is another's"),
        (settled(phase=Phase.STALLED, stable=None), "waiting for the first revision"),
        (
            settled(phase=Phase.PENDING, stable=None, seen={"taken": "the path is another's"}),
            "waiting for the first revision",
        ),
        # a promoted version that is watched
        (
            watching(),
            "v2.0.0 was promoted and is watched for 9m more of 10m: v1.0.0 keeps 5 % of the traffic as a control, and"
            " gets all back in case of a breach",
        ),
        (
            watching(weight=100, blue=pods("iris-1", 1)),
            "v2.0.0 was promoted and is watched for 9m more of 10m: v1.0.0 is to keep 5 % of the traffic as a control,"
            " and has 1 of 2 pods ready",
        ),
        (
            watching(now=700),
            "v2.0.0 was promoted and is watched for 1s more of 10m: v1.0.0 keeps 5 % of the traffic as a control, and"
            " gets all back in case of a breach",
        ),
        (
            watching(outage=Outage(since=START, failed_over_at=START)),
            "no pod of v2.0.0 is ready, so v1.0.0, which it replaced, answers all requests",
        ),
        (watching(None), "the watch of v2.0.0 ends"),
        (watching(version="v3.0.0"), "the watch of v2.0.0 ends"),
        (
            settled(phase=Phase.WATCHING, watch=None),
            "v1.0.0 serves all requests; guards are off until the next rollout",
        ),
    ],
)
def test_the_sentence_where_there_is_no_candidate(given: RolloutContext, said: str) -> None:
    assert state_message(given) == said
