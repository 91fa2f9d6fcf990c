"""What a decision shows of the guards, when a status is worth writing, and the time that a person took."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import CANDIDATE, STABLE, STORED, look, pods
from tests.rollout.world import START, judgement, spec_for

from viridian.api.status import (
    BlockedRevision,
    Condition,
    Counted,
    GuardStatus,
    Hold,
    ModelDeploymentStatus,
    Phase,
    WatchStatus,
)
from viridian.guards.counts import Counts
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.shadow_report import ShadowReport
from viridian.rollout.context import RolloutContext
from viridian.rollout.decide import LEISURE, decide, is_worth_writing, limits, show_judgement, summary


def decided(given: RolloutContext) -> ModelDeploymentStatus:
    return decide(given.name, given.spec, given.status, given.observed, given.settings, given.now).status


# ------------------------------------------------------------------ guards


SPEC = spec_for(
    guards={
        "errorRate": {"max": "10%", "worseThanStable": "1.5"},
        "latency": [{"percentile": "95", "max": "200ms"}, {"percentile": "99", "maxTimesStable": "2"}],
        "queries": [{"name": "margin", "query": "sum(margin)", "max": "12.5"}],
    }
)


def test_what_each_guard_allows() -> None:
    allowed = limits(SPEC)
    assert {kind: value for (kind, name), value in allowed.items() if name in {"errorRate", "query-margin"}} == {
        "absolute": pytest.approx(0.1),
        "relative": pytest.approx(1.5),
        "query": 12.5,
    }
    assert {key for key in allowed if "latency" in key[1]} == {("absolute", "latency-p95")}


def seen(kind: str = "relative", **parts: Any) -> Judgement:
    return replace(judgement(Verdict.INCONCLUSIVE), kind=kind, e_value=12.3456, threshold=298.51, **parts)


@pytest.mark.parametrize(
    ("given", "allowed", "expected"),
    [
        (
            seen(),
            {("relative", "errorRate"): 1.5},
            {"limit": "1.5", "failing": True, "stable": Counted(requests=900, events=1)},
        ),
        (seen(), {}, {"limit": ""}),
        (seen(), {("absolute", "errorRate"): 1.5}, {"limit": ""}),
        (seen(), {("relative", "errorRate"): 0.12345678}, {"limit": "0.123457"}),
        (seen(stable=None), {}, {"stable": None}),
        (seen(candidate=Counts(100, 0)), {}, {"failing": False, "candidate": Counted(requests=100, events=0)}),
        (seen(candidate=Counts(100, 1)), {}, {"failing": True}),
        (seen("query"), {}, {"failing": False, "candidate": None, "stable": None}),
    ],
)
def test_a_judgement_in_status(
    given: Judgement, allowed: dict[tuple[str, str], float], expected: dict[str, Any]
) -> None:
    shown = show_judgement(given, allowed)
    same = {
        "name": "errorRate",
        "kind": given.kind,
        "verdict": "Inconclusive",
        "evidence": "12.3",
        "threshold": "299",
        "message": "40 of 100 requests on the candidate failed.",
    }
    assert {name: getattr(shown, name) for name in (*same, *expected)} == {**same, **expected}


def says(verdict: Verdict, sentence: str, kind: str = "relative", events: int = 0, e_value: float = 1.0) -> Judgement:
    return Judgement("g", kind, verdict, e_value, 100.0, Counts(100, events), None, sentence)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # one that decides, however little is to be seen
        *[
            (says(verdict, "this"), says(Verdict.HEALTHY, "that", events=9, e_value=99))
            for verdict in (Verdict.BREACH, Verdict.SHARED_INCIDENT, Verdict.UNREACHED)
        ],
        # one that saw failures
        *[
            (says(verdict, "this", events=1), says(Verdict.HEALTHY, "that", e_value=99))
            for verdict in (Verdict.NOT_ENOUGH_DATA, Verdict.INCONCLUSIVE)
        ],
        # one that has something to say
        *[
            (says(Verdict.HEALTHY, "this"), says(verdict, "that", e_value=99))
            for verdict in (Verdict.NOT_ENOUGH_DATA, Verdict.NO_CONTROL, Verdict.INCONCLUSIVE, Verdict.IGNORED)
        ],
        # a query counts no requests
        (says(Verdict.HEALTHY, "this", e_value=2), says(Verdict.HEALTHY, "that", kind="query", events=9)),
        # the one nearest to its threshold
        (says(Verdict.HEALTHY, "this", e_value=2), says(Verdict.HEALTHY, "that", e_value=1)),
        (
            replace(says(Verdict.HEALTHY, "this", e_value=2), threshold=10.0),
            says(Verdict.HEALTHY, "that", e_value=9),
        ),
    ],
)
def test_the_sentence_for_all_guards_is_that_of_the_one_that_matters(first: Judgement, second: Judgement) -> None:
    assert summary([first, second]) == "this"
    assert summary([second, first]) == "this"


# ------------------------------------------------------------------ what is worth a write


BEFORE = ModelDeploymentStatus(phase=Phase.PROGRESSING, stable=STABLE, candidate=CANDIDATE)
GUARD = GuardStatus(
    name="errorRate", kind="absolute", verdict="Healthy", evidence="1", threshold="9", message="m", failing=False
)
CONDITION = Condition(
    type="Ready", status="True", reason="Stable", message="m", last_transition_time=START, observed_generation=1
)
FULL = BEFORE.model_copy(update={"guards": [GUARD], "conditions": [CONDITION]})


def with_guard(**parts: Any) -> ModelDeploymentStatus:
    return FULL.model_copy(update={"guards": [GUARD.model_copy(update=parts)]})


def with_condition(**parts: Any) -> ModelDeploymentStatus:
    return FULL.model_copy(update={"conditions": [CONDITION.model_copy(update=parts)]})


@pytest.mark.parametrize(
    ("after", "at_once"),
    [
        # numbers and words, which change all the time
        (with_guard(evidence="2"), False),
        (with_guard(message="n", threshold="8"), False),
        (with_condition(message="n"), False),
        (with_condition(observed_generation=2), False),
        (FULL.model_copy(update={"verdict": "n"}), False),
        (FULL.model_copy(update={"power": "n"}), False),
        (FULL.model_copy(update={"shadow": "n"}), False),
        (FULL.model_copy(update={"guard_state": "n"}), False),
        # what turns
        (with_guard(verdict="Breach"), True),
        (with_guard(failing=True), True),
        (with_guard(name="latency-p95"), True),
        (with_guard(kind="relative"), True),
        (with_condition(status="False"), True),
        (with_condition(reason="Watching"), True),
        (with_condition(type="Stalled"), True),
        (FULL.model_copy(update={"guards": []}), True),
        (FULL.model_copy(update={"conditions": []}), True),
        # all else
        (FULL.model_copy(update={"phase": Phase.BAKING}), True),
        (FULL.model_copy(update={"last_command": "pause/iris-2/a"}), True),
        (FULL.model_copy(update={"observed_generation": 2}), True),
    ],
)
def test_when_a_status_is_written(after: ModelDeploymentStatus, at_once: bool) -> None:
    assert is_worth_writing(FULL, after, timedelta(0)) is at_once
    assert is_worth_writing(FULL, after, LEISURE - timedelta(seconds=1)) is at_once
    assert is_worth_writing(FULL, after, LEISURE)


@pytest.mark.parametrize("age", [timedelta(0), LEISURE, timedelta(days=1)])
def test_the_same_status_is_never_written_again(age: timedelta) -> None:
    assert not is_worth_writing(FULL, FULL.model_copy(), age)


# ------------------------------------------------------------------ the time that a person took


def waits(reason: str, since: float) -> Hold:
    return Hold(reason=reason, message="m", since=START + timedelta(seconds=since))


def paused(**parts: Any) -> RolloutContext:
    return look(**{"paused": "iris-2", "hold": waits("Paused", 45), "phase": Phase.HELD, **parts})


@pytest.mark.parametrize(
    ("given", "waited"),
    [
        (paused(), None),  # somebody is still waited for
        (paused(paused=""), "15s"),
        (paused(paused="", waited="5s"), "20s"),
        (paused(paused="", started_at=None), None),
        (look(hold=waits("NoTraffic", 45), phase=Phase.HELD), None),
        (look(), None),
    ],
)
def test_the_deadline_leaves_out_what_a_person_took(given: RolloutContext, waited: str | None) -> None:
    assert decided(given).waited == waited


def test_one_wait_that_follows_another_counts_both() -> None:
    # given a candidate that awaits approval, when somebody pauses it as well
    rollout = {"steps": [{"weight": 10, "hold": "10s"}], "approval": "BeforeTraffic"}
    given = look(
        {"rollout": rollout},
        step=None,
        weight=0,
        phase=Phase.HELD,
        hold=waits("AwaitingApproval", 40),
        paused="iris-2",
    )
    after = decided(given)
    # then the first one is over, and counted
    assert after.hold is not None
    assert (after.hold.reason, after.waited) == ("Paused", "20s")


# ------------------------------------------------------------------ what is noted and shown


def blocked(until: int | None) -> BlockedRevision:
    return BlockedRevision(revision="iris-3", version="v", reason="r", message="m", at=START, until_generation=until)


@pytest.mark.parametrize(("until", "stays"), [(None, True), (3, False), (4, True), (5, True)])
def test_how_long_a_rolled_back_revision_is_blocked(until: int | None, stays: bool) -> None:
    after = decided(look(failed=[blocked(until)], seen={"generation": 4}))
    assert bool(after.failed) is stays
    assert after.observed_generation == 4


def test_what_the_guards_say_is_noted_and_what_they_said_is_kept() -> None:
    # given
    told = {"judgements": (says(Verdict.HEALTHY, "all is well"),), "state": "counters"}
    report = {"shadow": ShadowReport(agreed=10)}
    # then
    after = decided(look(says={**told, **report}))
    assert (after.verdict, after.guard_state, len(after.guards)) == ("all is well", "counters", 1)
    assert after.shadow == "v2.0.0 agreed on 100 % of 10 mirrored requests"
    # and while they say nothing, it is as it was
    kept = decided(look(verdict="old", guard_state="old", guards=[GUARD], shadow="old"))
    assert (kept.verdict, kept.guard_state, kept.guards, kept.shadow) == ("old", "old", [GUARD], "old")


@pytest.mark.parametrize(
    "role",
    [
        lambda status: status.stable,
        lambda status: status.candidate,
    ],
    ids=["stable", "candidate"],
)
def test_what_is_shown_of_a_role(role: Callable[[ModelDeploymentStatus], Any]) -> None:
    shown = role(decided(look()))
    expected = {"iris-1": (90, 3, 3), "iris-2": (10, 2, 2)}[shown.revision]
    assert (shown.weight, shown.replicas, shown.ready) == expected


def test_pods_of_another_revision_are_none_of_a_role_s() -> None:
    after = decided(look(green=pods("iris-9", 2), weight=0, step=None, phase=Phase.STARTING))
    assert after.candidate is not None
    assert (after.candidate.replicas, after.candidate.ready) == (0, 0)


def test_the_version_that_is_shown_is_the_one_that_is_stored() -> None:
    renamed = CANDIDATE.model_copy(update={"version": "what it was called"})
    stored = decided(look(candidate=renamed))
    assert stored.candidate is not None
    assert stored.candidate.version == "v2.0.0"
    lost = {name: revision for name, revision in STORED.items() if name != "iris-2"}
    unknown = decided(look(candidate=renamed, seen={"revisions": lost}))
    assert unknown.candidate is not None
    assert unknown.candidate.version == "what it was called"


def test_the_control_of_a_watch_is_shown_too() -> None:
    bake = {"duration": "20s", "holdback": 5, "watch": {"duration": "10m", "holdback": 5}}
    given = look(
        {"rollout": {"steps": [{"weight": 10, "hold": "10s"}], "bake": bake}},
        stable=CANDIDATE,
        candidate=None,
        step=None,
        phase=Phase.WATCHING,
        weight=95,
        watch=WatchStatus(since=START, control=STABLE),
    )
    control = decided(given).control
    assert control is not None
    assert (control.weight, control.replicas, control.ready) == (5, 3, 3)
