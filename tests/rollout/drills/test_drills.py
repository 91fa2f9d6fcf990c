"""A drill from its beginning to its end, and what keeps it from beginning."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.drills.exercise import Exercise, at, drilled_spec, due, exercise, failing

from viridian.api.status import DrillResult, DrillStage, Phase
from viridian.rollout.drills import limits
from viridian.rollout.drills.schedule import next_time, wait_for_drill
from viridian.rollout.drills.seen import Preflight, TrafficState, TrafficView
from viridian_shared.drill import DrillKind

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 10 * * 1", "2026-01-01T00:00:00", "2026-01-05T10:00:00"),
        ("*/30 * * * *", "2026-01-01T00:30:00", "2026-01-01T01:00:00"),
    ],
)
def test_cron_says_when_a_drill_is_due(schedule: str, after: str, expected: str):
    assert next_time(schedule, "iris", at(after)) == at(expected)


@pytest.mark.parametrize(("word", "days"), [("weekly", 7), ("monthly", 31)])
def test_words_spread_models_over_an_hour_and_repeat(word: str, days: int):
    # given the drills of many models
    first = {name: next_time(word, name, at("2026-01-01T12:00:00")) for name in map(str, range(200))}

    # then they begin between ten and eleven, at different minutes, and come again
    assert {moment.hour for moment in first.values()} == {10}
    assert len({moment.minute for moment in first.values()}) > 40
    again = next_time(word, "7", first["7"])
    assert first["7"] < again <= first["7"] + timedelta(days=days)


def test_a_model_without_drills_has_no_status_of_them():
    world = Exercise()
    world.settle()
    assert world.status.drill is None
    assert wait_for_drill(world.status.drill, world.now) is None


def test_a_bad_version_that_is_turned_back_in_time_passes_and_leaves_nothing():
    # given a drill that is due
    world = due(exercise())
    assert world.run.stage is DrillStage.STARTING

    # when the twin serves, fails, and is turned back
    failing(world)
    world.is_turned_back(timedelta(seconds=4))
    world.go_on(1)

    # then that is recorded, with its figures
    last = world.last
    assert last.result is DrillResult.PASSED
    assert (last.time_to_safe, last.time_to_verdict) == ("4s", "2s")
    assert (last.requests, last.failed) == (200, 40)
    assert world.drill.passed_at == last.ended_at
    assert "4s after the first bad answer (within the objective of 30s); 40 of 200 requests failed" in last.message

    # and the twin is deleted, and the next drill a week later
    world.go_on(1)
    world.is_gone()
    world.left = True
    world.go_on(2)
    assert world.drill.running is not None
    world.left = False
    world.go_on(2)
    assert (world.drill.running, world.twin) == (None, None)
    assert world.drill.next == at("2026-01-12T10:00:00")


def test_slower_than_the_objective_does_not_pass():
    world = failing(due(exercise()))
    world.is_turned_back(timedelta(seconds=31))
    world.go_on(1)
    assert world.last.result is DrillResult.TOO_SLOW
    assert world.drill.passed_at is None


def test_wrong_answers_that_a_check_finds_meet_no_request():
    world = failing(due(exercise(drill={"schedule": "0 10 * * 1", "kinds": ["Wrong"]})))
    world.is_turned_back(timedelta(seconds=3), checked=True)
    world.go_on(1)
    assert world.last.result is DrillResult.PASSED
    assert (world.last.time_to_safe, world.last.time_to_verdict) == ("0s", "3s")
    assert world.last.message.startswith("no request met it: a check turned it back 3s after it began")


def test_a_bad_version_that_is_promoted_was_not_turned_back():
    world = failing(due(exercise()))
    assert world.twin is not None
    world.twin = replace(world.twin, phase=Phase.STABLE)
    world.go_on(1)
    assert world.last.result is DrillResult.NOT_TURNED_BACK


def test_a_bad_version_that_just_stays_was_not_turned_back():
    world = failing(due(exercise()))
    assert world.twin is not None
    world.twin = replace(world.twin, phase=Phase.BAKING)
    world.now += limits.longest(world.spec)
    world.go_on(1)
    assert world.last.result is DrillResult.NOT_TURNED_BACK


def test_without_a_report_the_time_is_not_known_and_that_is_no_success():
    world = failing(due(exercise()))
    world.is_turned_back(timedelta(seconds=3))
    world.sender = TrafficView(TrafficState.RUNNING, since=world.now)
    world.go_on(1)
    assert world.drill.last is None
    world.now += limits.quiet(DrillKind.FAILING) + limits.REPORT
    world.go_on(1)
    assert world.last.result is DrillResult.COULD_NOT_RUN


def test_a_twin_that_does_not_start_could_not_run_and_says_why():
    world = due(exercise())
    world.go_on(1)
    assert world.twin is not None
    world.twin = replace(world.twin, trouble="exceeded quota: team")
    world.now += limits.starting(world.spec)
    world.go_on(1)
    assert world.last.result is DrillResult.COULD_NOT_RUN
    assert "exceeded quota: team" in world.last.message


def test_a_refused_write_ends_the_drill_and_not_the_model():
    world = due(exercise())
    world.refused_write = "the API server refuses a write of the drill: forbidden"
    world.go_on(1)
    assert world.last.result is DrillResult.COULD_NOT_RUN
    assert "forbidden" in world.last.message
    assert world.status.phase is Phase.STABLE


def test_a_rollout_cancels_the_drill_and_the_twin_goes():
    # given a drill in the middle
    world = failing(due(exercise()))

    # when another version is applied
    world.edit(drilled_spec("v2.0.0"))
    world.go_on(2)

    # then the drill is over, says so, and the rollout goes on
    assert world.last.result is DrillResult.CANCELLED
    assert world.last.message == "cancelled: v2.0.0 is being rolled out"
    assert world.twin is not None
    assert world.twin.going
    assert world.status.candidate is not None


def test_a_twin_that_somebody_deletes_cancels_the_drill():
    world = failing(due(exercise()))
    world.twin = None
    world.go_on(2)
    assert world.last.message == "cancelled: somebody has deleted the twin"
    assert world.drill.running is None


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Preflight(incident="an incident is open: ViridianErrorBudgetBurnsFast fires"), "BurnsFast"),
        (Preflight(room="ResourceQuota team has no room for a twin"), "no room"),
        (Preflight(taken="there is a ModelDeployment iris-drill"), "iris-drill"),
    ],
)
def test_a_drill_that_is_due_waits_within_its_window_and_is_then_left_out(found: Preflight, why: str):
    # given something in the way
    world = exercise()
    world.preflight = found
    due(world)
    assert why in world.drill.waits
    assert world.made == 0

    # when the window is over
    world.now += timedelta(hours=2, seconds=1)
    world.go_on(1)

    # then it is left out until the next time, with the reason
    assert world.last.result is DrillResult.COULD_NOT_RUN
    assert why in world.last.message
    assert (world.drill.waits, world.made) == ("", 0)
    assert world.drill.next == at("2026-01-12T10:00:00")


def test_a_drill_begins_when_what_was_in_the_way_is_gone():
    world = exercise()
    world.preflight = Preflight(incident="an incident is open")
    due(world)
    world.preflight = Preflight()
    world.now += timedelta(minutes=5)
    world.go_on(1)
    assert world.run.stage is DrillStage.STARTING
    assert world.drill.waits == ""


@pytest.mark.parametrize(
    ("changes", "kind", "why"),
    [
        ({"serving": {"replicas": 1}}, "Failing", "too small"),
        ({"guards": {}}, "Slow", "guards.latency"),
        ({"guards": {"latency": [{"percentile": "95", "maxTimesStable": "2"}]}}, "Slow", "guards.latency"),
        ({"checks": {}}, "Wrong", "checks.golden"),
        ({}, "Burning", "no drill of kind Burning"),
    ],
)
def test_a_command_that_cannot_be_obeyed_is_refused_with_the_reason(changes: dict[str, object], kind: str, why: str):
    world = exercise(**changes)
    world.command = f"drill/iris-1:{kind}/x"
    assert why in (world.decide().warning or "")
    world.go_on(2)
    assert world.made == 0


def test_a_command_begins_a_drill_at_once_and_a_second_one_is_refused():
    world = exercise()
    world.command, world.command_by = "drill/iris-1:Crash/x", "ann"
    world.go_on(2)
    assert (world.run.kind, world.run.by) == (DrillKind.CRASH, "ann")
    world.command = "drill/iris-1:Failing/y"
    assert "another one runs" in (world.decide().warning or "")


def test_a_command_works_without_a_schedule_and_does_not_run_twice():
    world = Exercise()
    world.settle()
    world.command = "drill/iris-1:Failing/x"
    world.go_on(3)
    failing(world)
    world.is_turned_back(timedelta(seconds=59))
    world.go_on(2)
    world.is_gone()
    world.go_on(5)
    assert world.last.result is DrillResult.PASSED
    assert (world.drill.running, world.drill.requested, world.made) == (None, None, 1)


def test_kinds_take_turns():
    world = exercise(drill={"schedule": "0 10 * * 1", "kinds": ["Slow", "Crash"]})
    kinds = []
    for _ in range(3):
        due(world)
        kinds.append(world.run.kind)
        failing(world)
        world.is_turned_back(SECOND)
        world.go_on(2)
        world.is_gone()
        world.go_on(2)
    assert kinds == [DrillKind.SLOW, DrillKind.CRASH, DrillKind.SLOW]


def test_a_twin_without_a_drill_is_deleted():
    world = due(exercise())
    world.go_on(1)
    world.status = world.status.model_copy(update={"drill": None})
    world.go_on(1)
    assert world.twin is not None
    assert world.twin.going
