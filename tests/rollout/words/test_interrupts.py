"""Reasons to take a candidate back: each with its sentence, its order, and the last look without it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import BLUE, GREEN, died, look, pod, pods, route, step
from tests.rollout.world import START, judgement

from viridian.api.status import (
    BlockedRevision,
    CheckResult,
    CheckStatus,
    Ending,
    Hold,
    Phase,
    Return,
    Shortfall,
)
from viridian.guards.judge import Verdict
from viridian.rollout.context import RolloutContext
from viridian.rollout.interrupts import (
    breach_of,
    interrupt,
    stable_is_gone,
)
from viridian.rollout.observed import RouteFacts

SENTENCE = "40 of 100 requests on the candidate failed."
BREACHES = {"judgements": (judgement(Verdict.HEALTHY), judgement(Verdict.BREACH))}
WHY = "most are 500 model-failed."
RETURNING = Return(instead_of="iris-3", generation=1)
ABORTED = "iris-2 (v2.0.0) was aborted by command"
ABORTS = {"aborting": "iris-2"}


def checked(result: CheckResult) -> CheckStatus:
    return CheckStatus(name="smoke", revision="iris-2", result=result, message="3 of 5 differ", started_at=START)


def policy(kind: str, then: str = "Rollback") -> dict[str, Any]:
    return {"guards": {kind: {"after": "30s", "then": then}}}


DIED = "pods of iris-2 (v2.0.0) died with an error 2 times or more: exit code 1"
EXPIRES = "not promoted within 10m (rollout.deadline)"
LATE = 600


@pytest.mark.parametrize(
    ("given", "phase", "reason", "message"),
    [
        (look(), None, "", ""),
        # guards
        (look(says=BREACHES), "RolledBack", "GuardBreached", SENTENCE),
        (look(says={**BREACHES, "failure": WHY}), "RolledBack", "GuardBreached", f"{SENTENCE} {WHY}"),
        (look(says={"judgements": (judgement(Verdict.HEALTHY),)}), None, "", ""),
        (look(seen={"route": route(0, aborted="iris-2")}), "RolledBack", "GuardBreached", "the guards rolled it back"),
        (
            look(seen={"route": route(0, aborted="iris-2")}, verdict="9 of 9 failed"),
            "RolledBack",
            "GuardBreached",
            "9 of 9 failed",
        ),
        (look(seen={"route": route(10, aborted="iris-1")}), None, "", ""),
        (look(weight=None), None, "", ""),
        # checks, before traffic alone
        (
            look(step=None, weight=0, phase=Phase.STARTING, checks=[checked(CheckResult.FAILED)]),
            "RolledBack",
            "ChecksFailed",
            "v2.0.0 failed the check smoke before any traffic: 3 of 5 differ",
        ),
        (look(step=None, weight=0, phase=Phase.STARTING, checks=[checked(CheckResult.CANNOT_RUN)]), None, "", ""),
        (look(checks=[checked(CheckResult.FAILED)]), None, "", ""),
        # deaths
        (look(green=pods("iris-2", 2, [died("iris-2", 2)])), "RolledBack", "PodsCrash", DIED),
        (
            look(green=pods("iris-2", 2, [pod("iris-2"), died("iris-2"), died("iris-2")])),
            "RolledBack",
            "PodsCrash",
            DIED,
        ),
        (look(green=pods("iris-2", 2, [died("iris-2")])), None, "", ""),
        (look(green=pods("iris-2", 2, [died("iris-9", 2)])), None, "", ""),
        # a person
        (look(**ABORTS), "RolledBack", "Aborted", ABORTED),
        (look(seen={"command": "abort/iris-2/x"}), "RolledBack", "Aborted", ABORTED),
        (look(aborting="iris-1"), None, "", ""),
        (look(seen={"command": "pause/iris-2/x"}), None, "", ""),
        (look(seen={"command": "abort/iris-2/x"}, last_command="abort/iris-2/x"), None, "", ""),
        # the spec
        (look(version="v1.0.0"), "Stable", "Reverted", "the spec asks for v1.0.0, the stable version, again"),
        (look(version="v3.0.0"), "Stable", "Replaced", "replaced by v3.0.0, the version now in the spec"),
        (look(version="v3.0.0", phase=Phase.BAKING), None, "", ""),
        (look(version="v3.0.0", phase=Phase.FINISHING, step=None), None, "", ""),
        (
            look(
                version="v3.0.0", phase=Phase.BAKING, shortfall=Shortfall(weight=0), green=pods("iris-2", 0), weight=0
            ),
            "Stable",
            "Replaced",
            "replaced by v3.0.0, the version now in the spec",
        ),
        (look(version="v3.0.0", phase=Phase.BAKING, shortfall=Shortfall(weight=5)), None, "", ""),
        (look(version="v3.0.0", phase=Phase.BAKING, green=pods("iris-2", 0), weight=0), None, "", ""),
        # policies
        (
            look(policy("metricsMissing"), says={"fresh_at": START + timedelta(seconds=29)}),
            "Expired",
            "MetricsMissing",
            "no metrics for 30s (guards.metricsMissing), so the candidate could not be judged",
        ),
        (
            look(policy("metricsMissing"), says={"fresh_at": START, "trouble": "Prometheus is away"}),
            "Expired",
            "MetricsMissing",
            "no metrics for 30s (guards.metricsMissing), so the candidate could not be judged: Prometheus is away",
        ),
        (
            look(policy("metricsMissing"), says={"seen_at": {"iris-2": START + timedelta(seconds=60)}}),
            "Expired",
            "MetricsMissing",
            "no metrics of v1.0.0's pods for 30s (guards.metricsMissing), so the candidate could not be judged",
        ),
        (look(policy("metricsMissing"), says={"fresh_at": START + timedelta(seconds=30)}), None, "", ""),
        (look(policy("metricsMissing", "Hold"), says={"fresh_at": START}), None, "", ""),
        (
            look(policy("noTraffic")),
            "Expired",
            "NoTraffic",
            "no requests for 30s (guards.noTraffic), so the candidate could not be judged",
        ),
        (look(policy("noTraffic"), now=30), None, "", ""),
        (look(policy("noTraffic", "Hold")), None, "", ""),
        # the deadline
        (
            look(now=LATE),
            "Expired",
            "DeadlineExceeded",
            f"{EXPIRES}: still waiting for requests to be seen split at 10 %",
        ),
        (look(now=LATE - 1), None, "", ""),
        (
            look(now=LATE, hold=Hold(reason="NoTraffic", message="nothing comes", since=START)),
            "Expired",
            "DeadlineExceeded",
            f"{EXPIRES}: nothing comes",
        ),
        (
            look(now=LATE, green=pods("iris-2", 2, [pod("iris-2", trouble="no such image")])),
            "Expired",
            "DeadlineExceeded",
            f"{EXPIRES}: v2.0.0 (green): no such image",
        ),
        (
            look(now=LATE, says={"reporting": {}}),
            "Expired",
            "DeadlineExceeded",
            f"{EXPIRES}: Prometheus has the counters of 0 of the 2 pods that v2.0.0 needs",
        ),
        (
            look(now=LATE, step=step(verified_at=START)),
            "Expired",
            "DeadlineExceeded",
            EXPIRES,
        ),
        (look(now=LATE, phase=Phase.FINISHING, step=None), None, "", ""),
        (look(now=LATE, stable=None, weight=0, step=None, phase=Phase.STARTING), None, "", ""),
    ],
)
def test_why_a_candidate_goes_back(given: RolloutContext, phase: str | None, reason: str, message: str) -> None:
    ending = interrupt(given)
    found = (ending.phase, ending.reason, ending.message) if ending else (None, "", "")
    assert found == (phase, reason, message)


def test_a_lag_is_what_the_deadline_names() -> None:
    ending = interrupt(look(now=LATE, step=step(lagging_since=START)))
    assert ending is not None
    assert ending.message.startswith(f"{EXPIRES}: the route gives the candidate 10 %, but it is seen to complete 0 %")


LOST = (
    "iris-2 (v2.0.0) cannot come back: its ControllerRevision is gone, and no Deployment runs it; apply the version"
    " that is wanted"
)


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        (look(returning=RETURNING), None, ""),
        (look(returning=RETURNING, seen={"revisions": {}}), "RevisionLost", LOST),
        (look(returning=RETURNING, says=BREACHES), None, ""),  # it is wanted whatever the guards say
        (look(returning=RETURNING, checks=[checked(CheckResult.FAILED)], step=None), None, ""),
        (look(returning=RETURNING, green=pods("iris-2", 2, [died("iris-2", 2)])), "PodsCrash", DIED),
        (look(returning=RETURNING, **ABORTS), "Aborted", ABORTED),
        (look(returning=RETURNING, version="v1.0.0"), None, ""),  # the spec counts again when it is edited
        (
            look(returning=RETURNING, version="v1.0.0", seen={"generation": 2}),
            "Reverted",
            "the spec asks for v1.0.0, the stable version, again",
        ),
        (look(returning=RETURNING, version="v3.0.0"), None, ""),
        (
            look(returning=RETURNING, version="v3.0.0", seen={"generation": 2}),
            "Replaced",
            "replaced by v3.0.0, the version now in the spec",
        ),
        (
            look(returning=RETURNING, now=LATE, step=None, weight=0, green=pods("iris-2", 3)),
            "DeadlineExceeded",
            f"{EXPIRES}",
        ),
        (look(policy("noTraffic"), returning=RETURNING), None, ""),
        (look(policy("metricsMissing"), returning=RETURNING, says={"fresh_at": START}), None, ""),
    ],
)
def test_why_what_a_person_brings_back_goes_again(given: RolloutContext, reason: str | None, message: str) -> None:
    ending = interrupt(given)
    assert (ending.reason if ending else None, ending.message if ending else "") == (reason, message)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (look(candidate=None, says=BREACHES), None),
        (look(ending=Ending(phase=Phase.EXPIRED, reason="r", message="m"), says=BREACHES), None),
        # a first revision that serves has nothing to go back to
        (look(stable=None, weight=100, says=BREACHES), None),
        (look(stable=None, weight=0, says=BREACHES), "GuardBreached"),
        # while stable is away, going back would help nobody; a mark that is in the route already is kept to
        (look(blue=pods("iris-1", 0), says=BREACHES), None),
        (look(blue=pods("iris-1", 0), seen={"route": route(10, aborted="iris-2")}), "GuardBreached"),
        (look(blue=pods("iris-1", 0), weight=0, says=BREACHES), "GuardBreached"),
        # the breach comes first
        (look(says=BREACHES, **ABORTS), "GuardBreached"),
        (look(green=pods("iris-2", 2, [died("iris-2", 2)]), **ABORTS), "PodsCrash"),
        (look(version="v1.0.0", **ABORTS), "Aborted"),
    ],
)
def test_who_is_asked_and_what_comes_first(given: RolloutContext, reason: str | None) -> None:
    ending = interrupt(given)
    assert (ending.reason if ending else None) == reason


def blocked(revision: str) -> BlockedRevision:
    return BlockedRevision(revision=revision, version="v", reason="r", message="m", at=START)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        # named, but not stored yet: it would be rendered from this very spec
        (look(seen={"revisions": {}}), None),
        (look(version="v3.0.0", seen={"revisions": {}}), None),
        (look(failed=[blocked("iris-2")]), None),  # it runs by the command retry
    ],
)
def test_a_candidate_is_replaced_by_what_the_spec_asks_for_alone(given: RolloutContext, reason: str | None) -> None:
    ending = interrupt(given)
    assert (ending.reason if ending else None) == reason


def test_a_candidate_that_is_lost_and_whose_spec_is_blocked_is_replaced() -> None:
    # given a spec that asks for what failed before, and a candidate that nothing is stored of
    given = look(version="v3.0.0", failed=[blocked("iris-3")])
    stored = {name: revision for name, revision in given.observed.revisions.items() if name != "iris-2"}
    ending = interrupt(look(version="v3.0.0", failed=[blocked("iris-3")], seen={"revisions": stored}))
    assert ending is not None
    assert ending.reason == "Replaced"


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ({}, None),
        ({"judgements": (judgement(Verdict.HEALTHY),)}, None),
        ({"judgements": (judgement(Verdict.HEALTHY),), "failure": WHY}, None),
        (BREACHES, SENTENCE),
        ({**BREACHES, "failure": WHY}, f"{SENTENCE} {WHY}"),
    ],
)
def test_what_failed_is_said_with_the_breach(says: dict[str, Any], sentence: str | None) -> None:
    assert breach_of(look(says=says)) == sentence


def test_what_failed_says_nothing_of_a_query() -> None:
    query = replace(judgement(Verdict.BREACH), kind="query")
    assert breach_of(look(says={"judgements": (query,), "failure": WHY})) == SENTENCE


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        (look(), False),
        (look(blue=pods("iris-1", 0)), True),
        (look(blue=pods("iris-1", 1)), False),
        (look(blue=pods("iris-1", 0), stable=None), False),
        (look(blue=pods("iris-1", 0), green=pods("iris-2", 0)), False),
        (look(blue=pods("iris-1", 0), green=pods("iris-2", 1)), True),
        (look(blue=pods("iris-1", 0), weight=0), False),
        (look(blue=pods("iris-1", 0), candidate=None), False),
        # pinned users are on it, too
        (
            look(
                blue=pods("iris-1", 0),
                seen={"route": RouteFacts(rules=({BLUE: 0, GREEN: 100}, {BLUE: 100, GREEN: 0}))},
            ),
            True,
        ),
    ],
)
def test_when_going_back_would_help_nobody(given: RolloutContext, gone: bool) -> None:
    assert stable_is_gone(given) is gone
