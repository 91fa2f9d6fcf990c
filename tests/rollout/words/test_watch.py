"""The watch after a promotion: each reason to go back, each end, and the looks just before them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import BLUE, STABLE, STORED, look, pod, pods, route, watching
from tests.rollout.world import START, judgement

from viridian.api.status import Drain, GuardStatus, Outage, Phase, WatchStatus
from viridian.api.status.changes import evolve
from viridian.guards.judge import Verdict
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import Pod
from viridian.rollout.watch import begin_watch, going_back, run_watch

STEPS = [{"weight": 10, "hold": "10s"}]
SPEC = {"rollout": {"steps": STEPS, "bake": {"duration": "20s", "watch": {"duration": "30m", "holdback": 5}}}}
BREACHES = {"judgements": (judgement(Verdict.HEALTHY), judgement(Verdict.BREACH))}
SENTENCE = "after its promotion: 40 of 100 requests on the candidate failed."
OVER = Outage(since=START, failed_over_at=START)
BACK = "after its promotion iris-2 (v2.0.0) was rolled back by command to iris-1 (v1.0.0)"
DIED = "after its promotion pods of iris-2 (v2.0.0) died with an error 2 times or more: exit code 1"


def watched(spec: Mapping[str, Any] | None = SPEC, **parts: Any) -> RolloutContext:
    """v2.0.0 was promoted a minute ago, and v1.0.0 keeps 5 %."""
    return watching(spec, **parts)


def died(revision: str, deaths: int = 2, ago: float = 5, **more: Any) -> Pod:
    return pod(revision, deaths=deaths, death="exit code 1", died_at=START + timedelta(seconds=60 - ago), **more)


@pytest.mark.parametrize(
    ("given", "phase", "reason", "message"),
    [
        (watched(), None, "", ""),
        (watched(says=BREACHES), "RolledBack", "GuardBreached", SENTENCE),
        (watched(says=BREACHES, blue=pods("iris-1", 0)), None, "", ""),  # there is nothing to go back to
        (watched(says=BREACHES, watch=None), None, "", ""),
        # the route was written, and the status was not
        (
            watched(seen={"route": route(0, aborted="iris-2")}),
            "RolledBack",
            "GuardBreached",
            "after its promotion: the guards rolled it back",
        ),
        (
            watched(seen={"route": route(0, aborted="iris-2")}, verdict="9 of 9 failed"),
            "RolledBack",
            "GuardBreached",
            "after its promotion: 9 of 9 failed",
        ),
        (
            watched(seen={"route": route(0, aborted="iris-2")}, blue=pods("iris-1", 0), says=BREACHES),
            "RolledBack",
            "GuardBreached",
            SENTENCE,
        ),
        (watched(seen={"route": route(95, aborted="iris-1")}), None, "", ""),
        (watched(weight=None), None, "", ""),
        # deaths that come together
        (watched(green=pods("iris-2", 3, [died("iris-2")])), "RolledBack", "PodsCrash", DIED),
        (watched(green=pods("iris-2", 3, [died("iris-2", 1), died("iris-2", 1)])), "RolledBack", "PodsCrash", DIED),
        (watched(green=pods("iris-2", 3, [died("iris-2", 1)])), None, "", ""),
        (watched(green=pods("iris-2", 3, [died("iris-9")])), None, "", ""),
        (watched(green=pods("iris-2", 3, [replace(died("iris-2"), deleting=True)])), None, "", ""),
        (watched(green=pods("iris-2", 3, [replace(died("iris-2"), died_at=None)])), None, "", ""),
        (watched(green=pods("iris-2", 3, [died("iris-2", ago=600)])), "RolledBack", "PodsCrash", DIED),
        (watched(green=pods("iris-2", 3, [died("iris-2", ago=601)])), None, "", ""),
        (watched(green=pods("iris-2", 3, [died("iris-2")]), blue=pods("iris-1", 0)), None, "", ""),
        (
            watched(green=pods("iris-2", 3, [died("iris-2")]), blue=pods("iris-1", 3, [died("iris-1", 1)])),
            None,
            "",
            "",
        ),
        (
            watched(green=pods("iris-2", 3, [died("iris-2")]), blue=pods("iris-1", 3, [died("iris-1", ago=601)])),
            "RolledBack",
            "PodsCrash",
            DIED,
        ),
        # a person
        (watched(seen={"command": "abort/iris-2/x"}), "RolledBack", "Aborted", BACK),
        (watched(seen={"command": "rollback/iris-2/x"}), "RolledBack", "RolledBackByCommand", BACK),
        (watched(seen={"command": "approve/iris-2/x"}), None, "", ""),
        (watched(seen={"command": "abort/iris-2/x"}, last_command="abort/iris-2/x"), None, "", ""),
        # the spec
        (
            watched(version="v1.0.0"),
            "Stable",
            "Reverted",
            "the spec asks for v1.0.0 again, which still runs",
        ),
        (
            watched(version="v1.0.0", seen={"revisions": {"iris-2": STORED["iris-2"]}}),
            None,
            "",
            "",
        ),
        (watched(version="v3.0.0"), None, "", ""),  # it comes after the watch
        (
            watched(version="v3.0.0", outage=OVER),
            "Stable",
            "Replaced",
            "replaced by v3.0.0, the version now in the spec, while it had no ready pod",
        ),
        (watched(outage=OVER), None, "", ""),
        (watched(version="v3.0.0", outage=Outage(since=START)), None, "", ""),
        # the breach comes first
        (watched(says=BREACHES, seen={"command": "abort/iris-2/x"}), "RolledBack", "GuardBreached", SENTENCE),
        (watched(green=pods("iris-2", 3, [died("iris-2")]), version="v1.0.0"), "RolledBack", "PodsCrash", DIED),
        (watched(seen={"command": "abort/iris-2/x"}, version="v1.0.0"), "RolledBack", "Aborted", BACK),
    ],
)
def test_why_the_old_version_is_gone_back_to(
    given: RolloutContext, phase: str | None, reason: str, message: str
) -> None:
    ending = going_back(given)
    found = (ending.phase, ending.reason, ending.message) if ending else (None, "", "")
    assert found == (phase, reason, message)


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        (watched(), False),
        (watched(now=1799), False),
        (watched(now=1800), True),
        (watched(now=1800, outage=OVER), False),  # nothing is taken from what answers
        (watched(now=1800, outage=Outage(since=START)), True),
        (watched(None), True),
        (watched(version="v3.0.0"), True),
        (watched(seen={"revisions": {"iris-2": STORED["iris-2"]}}), True),
        (watched(seen={"command": "approve/iris-2/x"}), True),
        (watched(seen={"command": "pause/iris-2/x"}), False),
        (watched(seen={"command": "abort/iris-2/x"}), False),  # that goes back, and does not end
    ],
)
def test_when_the_watch_is_over(given: RolloutContext, ends: bool) -> None:
    after = run_watch(given)
    drain = Drain(color=BLUE, revision="iris-1", since=given.now)
    assert (after.phase, after.drain) == ((Phase.FINISHING, drain) if ends else (Phase.WATCHING, None))
    assert (after.watch is None) is ends


def test_without_a_control_there_is_nothing_to_watch() -> None:
    after = run_watch(watched(watch=None, waited="5s", guard_state="counted"))
    assert (after.phase, after.drain, after.watch) == (Phase.STABLE, None, None)
    assert (after.waited, after.guard_state) == (None, "")


def test_a_watch_begins_with_what_the_guards_have_counted() -> None:
    # given a bake that has passed
    guard = GuardStatus(name="errorRate", kind="absolute", verdict="Healthy", evidence="1", threshold="9", message="m")
    given = look(SPEC, guards=[guard], guard_state="counted", hold=None, waited="5s", phase=Phase.BAKING)
    # when
    begun = begin_watch(given, STABLE)
    # then that stays, and all that was of the rollout goes
    assert begun["phase"] is Phase.WATCHING
    assert begun["watch"] == WatchStatus(since=given.now, control=STABLE)
    assert (begun["started_at"], begun["guards"], begun["guard_state"]) == (START, [guard], "counted")
    after = evolve(given.status, begun)
    assert (after.step, after.waited) == (None, None)
