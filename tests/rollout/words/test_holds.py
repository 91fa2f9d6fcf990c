"""Why a rollout stays where it is: each hold with its sentence, and the last moment at which there is none."""

from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import look, pods, step
from tests.rollout.world import START, judgement

from viridian.api.rollout import Approval
from viridian.api.status import Approved, CheckResult, CheckStatus, Hold, Outage, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.context import RolloutContext
from viridian.rollout.holds import check_hold, entry_gate, gate, held, hold_of, paused_hold
from viridian.rollout.observed import Cover

PAUSED = (
    "v2.0.0 is paused by command, and goes on by `kubectl viridian resume iris` or the annotation"
    " viridian.dev/command=resume/iris-2/ID"
)
NONE_READY = "no pod of v1.0.0 is ready"
GONE = pods("iris-1", 0)
OVER = Outage(since=START, failed_over_at=START)
ALONE = (
    f"{NONE_READY}, so v2.0.0 answers all requests; only absolute guards apply. It goes back to its step once v1.0.0 is"
    " ready, and is promoted after 20s without it (rollout.bake.duration)"
)
WAITS = (
    "v2.0.0 was aborted by command, but no pod of v1.0.0 is ready to take its traffic back: it keeps 10 % until one is;"
    " repair v1.0.0, or apply a version that works"
)
NO_TRAFFIC = "no requests reached the candidate for 30s: check the gateway, or send traffic"
NO_METRICS = "no metrics for 30s: "


def guards(kind: str, then: str = "Hold") -> dict[str, Any]:
    return {"guards": {kind: {"after": "30s", "then": then}}}


def approval(gate: str) -> dict[str, Any]:
    rollout = {"steps": [{"weight": 10, "hold": "10s"}], "bake": {"duration": "20s", "holdback": 5}}
    return {"rollout": {**rollout, "approval": gate}}


def awaits(gate: str, what: str = "gets no traffic", since: str = "") -> str:
    return (
        f"v2.0.0 {what} until it is approved (rollout.approval: {gate}){since}: annotate the model with"
        " viridian.dev/command=approve/iris-2/ID"
    )


SHADOWED = {"step": step(weight=0, shadow="50%"), "weight": 0}


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        (look(), None, ""),
        (look(paused="iris-2"), "Paused", PAUSED),
        # a verdict that blames nobody
        (
            look(says={"judgements": (judgement(Verdict.HEALTHY), judgement(Verdict.SHARED_INCIDENT))}),
            "SharedIncident",
            "40 of 100 requests on the candidate failed.",
        ),
        (
            look(says={"judgements": (judgement(Verdict.UNREACHED),)}),
            "CandidateUnreached",
            "40 of 100 requests on the candidate failed.",
        ),
        (look(says={"judgements": (judgement(Verdict.BREACH),)}), None, ""),
        (look(paused="iris-2", says={"judgements": (judgement(Verdict.UNREACHED),)}), "Paused", PAUSED),
        # stable is away
        (look(aborting="iris-2", blue=GONE), "AbortWaits", WAITS),
        (
            look(blue=GONE),
            "StableUnavailable",
            f"{NONE_READY}: v2.0.0 gets all traffic if that lasts for 6 s",
        ),
        (look(blue=GONE, weight=0), None, ""),  # it has no traffic that could be lost
        (
            look(blue=GONE, says={"judgements": (judgement(Verdict.BREACH),)}),
            "StableUnavailable",
            f"{NONE_READY}, and v2.0.0 fails too: repair v1.0.0, or apply a version that works. 40 of 100 requests on"
            " the candidate failed.",
        ),
        (look(blue=GONE, outage=OVER, weight=100), "StableUnavailable", ALONE),
        (
            look(outage=OVER, weight=100),
            "StableUnavailable",
            "v1.0.0 has ready pods again: the split resumes once they have stayed ready for 6 s",
        ),
        (look(outage=OVER, candidate=None), None, ""),
        (look(outage=OVER, stable=None), None, ""),
        # nothing is seen, or nothing comes
        (
            look(guards("metricsMissing"), says={"fresh_at": START + timedelta(seconds=29)}),
            "MetricsMissing",
            f"{NO_METRICS}check that Prometheus scrapes the serving pods",
        ),
        (look(guards("metricsMissing"), says={"fresh_at": START + timedelta(seconds=30)}), None, ""),
        (look(guards("metricsMissing", "Rollback"), says={"fresh_at": START}), None, ""),
        (
            look(guards("metricsMissing"), says={"fresh_at": START, "trouble": "Prometheus is away"}),
            "MetricsMissing",
            f"{NO_METRICS}Prometheus is away",
        ),
        (
            look(guards("metricsMissing"), says={"seen_at": {"iris-1": START + timedelta(seconds=60)}}),
            "MetricsMissing",
            "no metrics of v2.0.0's pods for 30s: check that Prometheus scrapes the serving pods",
        ),
        (look(guards("noTraffic")), "NoTraffic", NO_TRAFFIC),
        (look(guards("noTraffic"), now=30), None, ""),
        (look(guards("noTraffic"), now=31), "NoTraffic", NO_TRAFFIC),
        (look(guards("noTraffic", "Rollback")), None, ""),
        # a shadow step whose stable is gone is not left for users by way of the outage before it is approved
        (look(approval("BeforeTraffic"), **SHADOWED, blue=GONE), "AwaitingApproval", awaits("BeforeTraffic")),
        (look(approval("BeforeTraffic"), **SHADOWED), None, ""),
        (look(approval("BeforeTraffic"), blue=GONE, weight=0), None, ""),
        (look(approval("BeforeTraffic"), step=None, blue=GONE, weight=0), None, ""),
    ],
)
def test_why_weights_stay(given: RolloutContext, reason: str | None, message: str) -> None:
    hold = hold_of(given)
    assert (hold.reason if hold else None, hold.message if hold else "") == (reason, message)


@pytest.mark.parametrize(
    ("given", "waits"),
    [
        (look(), False),
        (look(paused="iris-2"), True),
        (look(paused="iris-1"), False),  # an earlier candidate
        (look(paused="iris-2", candidate=None), False),
    ],
)
def test_a_pause_is_of_one_candidate(given: RolloutContext, waits: bool) -> None:
    assert (paused_hold(given) is not None) is waits


APPROVED = Approved(revision="iris-2", gate=Approval.BEFORE_TRAFFIC, at=START)


@pytest.mark.parametrize(
    ("given", "asked", "message"),
    [
        (look(approval("BeforeTraffic")), Approval.BEFORE_TRAFFIC, awaits("BeforeTraffic")),
        (look(approval("BeforeTraffic")), Approval.BEFORE_PROMOTION, None),
        (look(approval("BeforeTraffic"), candidate=None), Approval.BEFORE_TRAFFIC, None),
        (
            look(approval("BeforePromotion")),
            Approval.BEFORE_PROMOTION,
            awaits("BeforePromotion", "has baked and is not promoted"),
        ),
        (look(approval("BeforeTraffic"), approved=APPROVED), Approval.BEFORE_TRAFFIC, None),
        (
            look(approval("BeforeTraffic"), approved=APPROVED.model_copy(update={"revision": "iris-1"})),
            Approval.BEFORE_TRAFFIC,
            awaits("BeforeTraffic"),
        ),
        (
            look(approval("BeforePromotion"), approved=APPROVED),
            Approval.BEFORE_PROMOTION,
            awaits("BeforePromotion", "has baked and is not promoted"),
        ),
        (
            look(approval("WithoutFallback"), says={"cover": Cover.NONE, "no_fallback": "`age` is new"}),
            Approval.WITHOUT_FALLBACK,
            awaits("WithoutFallback", since=", since `age` is new"),
        ),
        (look(approval("WithoutFallback"), says={"cover": Cover.ALL}), Approval.WITHOUT_FALLBACK, None),
        (
            look(approval("BeforeTraffic"), says={"cover": Cover.NONE, "no_fallback": "`age` is new"}),
            Approval.BEFORE_TRAFFIC,
            awaits("BeforeTraffic"),
        ),
    ],
)
def test_who_is_approved_for_what(given: RolloutContext, asked: Approval, message: str | None) -> None:
    hold = gate(given, asked)
    assert (hold.message if hold else None) == message
    assert hold is None or hold.reason == "AwaitingApproval"


@pytest.mark.parametrize(
    ("spec", "waits"),
    [("BeforeTraffic", True), ("WithoutFallback", True), ("BeforePromotion", False), ("None", False)],
)
def test_which_approvals_come_before_the_first_request(spec: str, waits: bool) -> None:
    without = {"cover": Cover.NONE, "no_fallback": "`age` is new"}
    assert (entry_gate(look(approval(spec), says=without)) is not None) is waits


def checked(name: str, result: CheckResult) -> CheckStatus:
    return CheckStatus(name=name, revision="iris-2", result=result, message="no room for its pod", started_at=START)


CHECKS = {"checks": {"smoke": True, "golden": {"from": "Model"}}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            look(CHECKS, step=None, phase=Phase.STARTING, checks=[checked("smoke", CheckResult.CANNOT_RUN)]),
            "the check smoke of v2.0.0 cannot run, so the candidate gets no traffic and is not blamed: no room for its"
            " pod",
        ),
        (look(CHECKS, step=None, phase=Phase.STARTING, checks=[checked("smoke", CheckResult.RUNNING)]), None),
        (
            look(
                CHECKS,
                step=None,
                phase=Phase.STARTING,
                checks=[checked("smoke", CheckResult.PASSED), checked("golden", CheckResult.CANNOT_RUN)],
            ),
            "the check golden of v2.0.0 cannot run, so the candidate gets no traffic and is not blamed: no room for its"
            " pod",
        ),
        (look(CHECKS, step=None, phase=Phase.STARTING), None),
        (look(CHECKS, checks=[checked("smoke", CheckResult.CANNOT_RUN)]), None),  # it has had a step
    ],
)
def test_a_check_that_cannot_run_holds_what_it_is_to_check(given: RolloutContext, message: str | None) -> None:
    hold = check_hold(given)
    assert (hold.message if hold else None) == message
    assert hold is None or hold.reason == "CheckCannotRun"


@pytest.mark.parametrize(("reason", "since"), [("Paused", 5.0), ("NoTraffic", 60.0)])
def test_a_hold_is_as_old_as_its_reason(reason: str, since: float) -> None:
    before = Hold(reason="Paused", message="earlier words", since=START + timedelta(seconds=5))
    hold = held(look(hold=before), reason, "new words")
    assert hold == Hold(reason=reason, message="new words", since=START + timedelta(seconds=since))
    assert held(look(), reason, "new words").since == START + timedelta(seconds=60)
