"""Each condition of a look: whether it holds, why, and in which words."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import CANDIDATE, STABLE, look, pod, pods, route, watching
from tests.rollout.world import START

from viridian.api.status import (
    BlockedRevision,
    Condemned,
    Condition,
    Ending,
    HistoryEntry,
    Hold,
    Outage,
    Phase,
)
from viridian.rollout.conditions import conditions
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import ApplyFailure

GUARDS_OFF = "v1.0.0 serves all requests; guards are off until the next rollout"
AT_STEP = "v2.0.0 is at step 1 of 2: waiting for requests to be seen split at 10 %"
STUCK = "v2.0.0 (green) is waiting: pod x does not go"
AGAIN = "v2.0.0 starts again only by the command retry; a different version in the spec starts at once."
FAILED = BlockedRevision(revision="iris-2", version="v2.0.0", reason="PodsCrash", message="they died", at=START)
BACK = f"v2.0.0 was rolled back: they died. v1.0.0 serves all requests. {AGAIN}"
WATCH = {"rollout": {"steps": [{"weight": 10, "hold": "10s"}], "bake": {"watch": {"duration": "10m", "holdback": 5}}}}


def held(reason: str) -> Hold:
    return Hold(reason=reason, message="so it is", since=START)


def rest(version: str = "v1.0.0", phase: Phase = Phase.STABLE, ready: int = 3, **parts: Any) -> RolloutContext:
    """v1.0.0 serves, and nothing moves."""
    stable = STABLE.model_copy(update={"ready": ready, "replicas": 3})
    given = {"candidate": None, "step": None, "weight": 0, "stable": stable, **parts}
    return look(version=version, phase=phase, **given)


def watched(spec: Any = WATCH, **parts: Any) -> RolloutContext:
    """v2.0.0 was promoted, and v1.0.0 keeps a share."""
    new = CANDIDATE.model_copy(update={"ready": 3, "replicas": 3})
    return watching(spec, **{"stable": new, "green": None, **parts})


def claims(given: RolloutContext) -> dict[str, tuple[str, str, str]]:
    return {each.type: (each.status, each.reason, each.message) for each in conditions(given)}


NO_GATEWAY = {"gateway_problem": "there is no Gateway public"}
TAKEN = {"taken": "the path is another's"}
REFUSES = {"route": route(0, problem="no such listener")}
FAILS = {"apply_failure": ApplyFailure("Refused", "a webhook says no")}
LEFT = {"green": pods("iris-2", 0, [pod("iris-2", stuck="pod x does not go")])}
WATCHES = (
    "v2.0.0 was promoted and is watched for 9m more of 10m: v1.0.0 keeps 5 % of the traffic as a control, and gets all"
    " back in case of a breach"
)
NOT_ACCEPTED = "no gateway has accepted the HTTPRoute yet: waiting for Gateway public"


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        (rest(), ("True", "Stable", "v1.0.0 serves all requests")),
        (rest(ready=2), ("True", "Stable", "v1.0.0 serves all requests with 2 of 3 pods")),
        (rest(ready=4), ("True", "Stable", "v1.0.0 serves all requests")),
        (rest(ready=0), ("False", "PodsNotReady", "no pod of v1.0.0 is ready")),
        (watched(), ("True", "Watching", WATCHES)),
        (
            watched(stable=CANDIDATE.model_copy(update={"ready": 0})),
            ("False", "PodsNotReady", "no pod of v2.0.0 is ready"),
        ),
        (rest(seen=NO_GATEWAY), ("False", "GatewayNotFound", "there is no Gateway public")),
        (rest(seen=TAKEN), ("False", "RouteTaken", "the path is another's")),
        (rest(seen=REFUSES), ("False", "RouteRefused", "no such listener")),
        (rest(seen=FAILS), ("False", "Refused", "a webhook says no")),
        (rest(weight=None), ("False", "NotRouted", "nothing leads to v1.0.0 yet")),
        (rest(seen={"route": route(0, accepted=False)}), ("False", "NotRouted", NOT_ACCEPTED)),
        (rest(version="v3.0.0"), ("False", "Pending", "v3.0.0 is next")),
        (rest(version="v3.0.0", phase=Phase.ROLLED_BACK), ("False", "Pending", "v3.0.0 is next")),
        (rest(version="v2.0.0", failed=[FAILED]), ("False", "Pending", "v2.0.0 stays blocked")),
        (look(), ("False", "Progressing", AT_STEP)),
        (rest(phase=Phase.STABLE, stable=None), ("False", "Pending", "v1.0.0 is next")),
    ],
)
def test_ready(given: RolloutContext, claim: tuple[str, str, str]) -> None:
    assert claims(given)["Ready"] == claim


def test_several_gateways_are_named() -> None:
    parents = {"traffic": {"parentRefs": [{"name": "public"}, {"name": "inner"}]}}
    given = look(parents, candidate=None, step=None, phase=Phase.BAKING, seen={"route": route(0, accepted=False)})
    assert claims(given)["Available"] == ("False", "NotRouted", f"{NOT_ACCEPTED}, inner")


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        (rest(), ("False", "Stable", GUARDS_OFF)),
        (watched(), ("False", "Watching", WATCHES)),
        (look(), ("True", "Progressing", AT_STEP)),
        (look(phase=Phase.HELD, hold=held("Paused")), ("True", "Paused", "so it is")),
        (look(phase=Phase.HELD, hold=held("AwaitingApproval")), ("True", "AwaitingApproval", "so it is")),
        (look(phase=Phase.HELD, hold=held("NoTraffic")), ("False", "Held", "so it is")),
        (look(seen=TAKEN), ("False", "Progressing", AT_STEP)),
        (rest(phase=Phase.PENDING, stable=None), ("True", "Pending", "waiting for the first revision")),
        (rest(version="v3.0.0"), ("True", "Pending", "v3.0.0 is next")),
        (rest(version="v3.0.0", seen=TAKEN), ("False", "Stable", GUARDS_OFF)),
        (rest(version="v2.0.0", phase=Phase.ROLLED_BACK, failed=[FAILED]), ("False", "RolledBack", BACK)),
    ],
)
def test_reconciling(given: RolloutContext, claim: tuple[str, str, str]) -> None:
    assert claims(given)["Reconciling"] == claim


def both_die() -> RolloutContext:
    mine, theirs = (
        pod(name, deaths=2, death="exit code 1", died_at=START + timedelta(seconds=30)) for name in ("iris-2", "iris-1")
    )
    return look(green=pods("iris-2", 2, [mine]), blue=pods("iris-1", 3, [theirs]))


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        (rest(), ("False", "Stable", "no obstacle")),
        (look(), ("False", "Progressing", "no obstacle")),
        # obstacles, in this order
        (look(seen={**NO_GATEWAY, **TAKEN}), ("True", "GatewayNotFound", "there is no Gateway public")),
        (look(seen={**TAKEN, **REFUSES}), ("True", "RouteTaken", "the path is another's")),
        (look(seen={**REFUSES, **FAILS}), ("True", "RouteRefused", "no such listener")),
        (
            look(seen=FAILS, green=pods("iris-9", 0, [pod("iris-9", stuck="pod x does not go")])),
            ("True", "Refused", "a webhook says no"),
        ),
        (
            look(green=pods("iris-9", 0, [pod("iris-9", stuck="pod x does not go"), pod("iris-2", trouble="bad")])),
            ("True", "PodStuckTerminating", STUCK),
        ),
        (
            look(green=pods("iris-2", 2, [pod("iris-2", trouble="no such image")]), hold=held("Paused")),
            ("True", "PodsCannotStart", "v2.0.0 (green): no such image"),
        ),
        # holds: a person is meant to take time over it, a policy is not
        (look(hold=held("Paused")), ("False", "Paused", "so it is")),
        (look(hold=held("AwaitingApproval")), ("False", "AwaitingApproval", "so it is")),
        (look(hold=held("NoTraffic")), ("True", "NoTraffic", "so it is")),
        (
            both_die(),
            (
                "True",
                "SharedIncident",
                "pods of v2.0.0 and of v1.0.0 die at the same time, so v2.0.0 is not blamed: look for what they share,"
                " such as data, network or nodes; exit code 1",
            ),
        ),
        # the end
        (rest(version="v2.0.0", phase=Phase.ROLLED_BACK, failed=[FAILED]), ("True", "PodsCrash", BACK)),
        (rest(version="v2.0.0", phase=Phase.EXPIRED, expired=[FAILED]), ("True", "PodsCrash", BACK)),
        (rest(phase=Phase.ROLLED_BACK), ("True", "RolledBack", GUARDS_OFF)),
        (
            rest(version="v2.0.0", phase=Phase.ROLLED_BACK, failed=[FAILED], **LEFT),
            ("True", "PodStuckTerminating", f"{BACK} But pod x does not go"),
        ),
        (
            rest(version="v2.0.0", phase=Phase.EXPIRED, expired=[FAILED], **LEFT),
            ("True", "PodStuckTerminating", f"{BACK} But pod x does not go"),
        ),
        (rest(**LEFT), ("False", "Stable", "no obstacle")),
    ],
)
def test_stalled(given: RolloutContext, claim: tuple[str, str, str]) -> None:
    assert claims(given)["Stalled"] == claim


def serving(context: RolloutContext) -> RolloutContext:
    """The same with the pods of each role counted, as the decision shows them."""
    status = context.status
    counted = {
        name: role.model_copy(update={"ready": context.serving(role)})
        for name, role in (("stable", status.stable), ("candidate", status.candidate))
        if role is not None
    }
    return replace(context, status=status.model_copy(update=counted))


CONDEMNED = Condemned(revision="iris-1", message="9 of 10 requests failed.")


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        (look(), ("True", "Serving", "3 ready pods of v1.0.0 and 2 ready pods of v2.0.0")),
        (look(weight=0), ("True", "Serving", "3 ready pods of v1.0.0")),
        (look(blue=pods("iris-1", 1), weight=0), ("True", "Serving", "1 ready pod of v1.0.0")),
        (look(stable=None), ("False", "NotServing", "no revision has served yet")),
        (
            look(weight=0, condemned=CONDEMNED),
            ("False", "GuardBreached", "v1.0.0 serves and fails: 9 of 10 requests failed."),
        ),
        (look(condemned=CONDEMNED), ("True", "Serving", "3 ready pods of v1.0.0 and 2 ready pods of v2.0.0")),
        (look(weight=None), ("False", "NotRouted", "nothing leads to v1.0.0 yet")),
        (
            look(weight=0, blue=pods("iris-1", 0)),
            ("False", "StableUnavailable", "no pod of v1.0.0 is ready, so no request is answered"),
        ),
        (
            look(blue=pods("iris-1", 0)),
            ("False", "StableUnavailable", "no pod of v1.0.0 is ready, so 90 % of the requests are not answered"),
        ),
        (
            look(green=pods("iris-2", 0)),
            ("False", "CandidateUnavailable", "no pod of v2.0.0 is ready, so 10 % of the requests are not answered"),
        ),
        (
            look(green=pods("iris-2", 0), weight=100),
            ("False", "CandidateUnavailable", "no pod of v2.0.0 is ready, so no request is answered"),
        ),
        (watched(green=pods("iris-2", 3)), ("True", "Serving", "3 ready pods of v2.0.0 and 0 ready pods of v1.0.0")),
        # a control without pods costs nobody a request: its share goes to stable
        (
            watched(green=pods("iris-2", 3), blue=pods("iris-1", 0)),
            ("True", "Serving", "3 ready pods of v2.0.0 and 0 ready pods of v1.0.0"),
        ),
    ],
)
def test_available(given: RolloutContext, claim: tuple[str, str, str]) -> None:
    assert claims(serving(given))["Available"] == claim


ENDING = Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message="7 of 9 failed")


@pytest.mark.parametrize(
    ("given", "settled", "rolled_back"),
    [
        (rest(), ("True", "Stable"), ("False", "Stable")),
        (watched(), ("True", "Watching"), ("False", "Watching")),
        (look(), ("False", "Progressing"), ("False", "Progressing")),
        (look(hold=held("NoTraffic"), phase=Phase.HELD), ("False", "Held"), ("False", "Held")),
        (look(hold=held("GuardBreached"), phase=Phase.HELD), ("True", "GuardBreached"), ("False", "Held")),
        (rest(version="v3.0.0"), ("False", "Pending"), ("False", "Stable")),
        (
            rest(version="v2.0.0", phase=Phase.ROLLED_BACK, failed=[FAILED]),
            ("True", "RolledBack"),
            ("True", "PodsCrash"),
        ),
        (rest(version="v2.0.0", phase=Phase.EXPIRED, expired=[FAILED]), ("True", "Expired"), ("False", "Expired")),
        (look(phase=Phase.ROLLING_BACK, ending=ENDING), ("False", "RollingBack"), ("True", "RollingBack")),
        (
            look(phase=Phase.ROLLING_BACK, ending=ENDING.model_copy(update={"phase": Phase.EXPIRED})),
            ("False", "RollingBack"),
            ("False", "RollingBack"),
        ),
    ],
)
def test_settled_and_rolled_back(given: RolloutContext, settled: tuple[str, str], rolled_back: tuple[str, str]) -> None:
    found = claims(given)
    assert (found["Settled"][:2], found["RolledBack"][:2]) == (settled, rolled_back)
    if rolled_back[0] == "False":
        assert found["RolledBack"][2] == "the version in the spec was not rolled back"


def served(*numbers: int) -> list[HistoryEntry]:
    return [
        HistoryEntry(
            revision=f"iris-{number}",
            version=f"v{number}.0.0",
            result="Promoted",
            message="m",
            started_at=START,
            ended_at=START,
        )
        for number in numbers
    ]


KEPT = "iris-1 (v1.0.0) is stored and can be run again"
WOULD = f"{KEPT}; the command rollback would bring back"


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        (rest(stable=None), ("False", "NoStable", "there is no revision to go back to yet")),
        (rest(seen={"revisions": {}}), ("False", "RevisionLost", "ControllerRevision iris-1 is missing")),
        (rest(), ("True", "Kept", KEPT)),
        (rest(history=served(1, 2)), ("True", "Kept", f"{WOULD} iris-2 (v2.0.0)")),
        (
            rest(history=served(1, 3, 2)),
            ("True", "Kept", f"{WOULD} iris-3 (v3.0.0), and rollback/iris-1:REVISION/ID one of iris-2 (v2.0.0)"),
        ),
    ],
)
def test_what_can_be_gone_back_to(given: RolloutContext, claim: tuple[str, str, str]) -> None:
    assert claims(given)["RollbackReady"] == claim


def test_a_stable_that_failed_over_is_served_by_what_it_replaced() -> None:
    given = serving(look(blue=pods("iris-1", 0), weight=100, outage=Outage(since=START, failed_over_at=START)))
    assert claims(given)["Available"] == ("True", "Serving", "2 ready pods of v2.0.0")


def test_a_condition_is_new_when_its_status_is_another() -> None:
    # given conditions of before, one of which has turned
    before = [
        Condition(type=kind, status=value, reason="r", message="m", last_transition_time=START, observed_generation=0)
        for kind, value in (("Stalled", "False"), ("Ready", "True"))
    ]
    # when
    found = {each.type: each for each in conditions(look(conditions=before, seen={"generation": 7}))}
    # then
    assert found["Stalled"].last_transition_time == START
    assert found["Ready"].last_transition_time == START + timedelta(seconds=60)
    assert {each.observed_generation for each in found.values()} == {7}
