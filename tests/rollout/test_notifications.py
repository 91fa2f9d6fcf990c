"""What receivers are notified of: each turn once, by a name that stays the same."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from viridian.api.names import Color
from viridian.api.notify import NotifyEvent
from viridian.api.status import (
    BlockedRevision,
    ColorStatus,
    Condition,
    Ending,
    HistoryEntry,
    Hold,
    ModelDeploymentStatus,
    Phase,
)
from viridian.api.status.changes import evolve
from viridian.rollout.reporting.notifications import news, notifications

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
REST = ModelDeploymentStatus(phase=Phase.STABLE)
ROLLING = ModelDeploymentStatus(
    phase=Phase.PROGRESSING,
    candidate=ColorStatus(color=Color.GREEN, revision="iris-2", version="v2"),
    started_at=NOW,
)
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "notifications.md"


def entry(result: str) -> HistoryEntry:
    return HistoryEntry(revision="iris-2", version="v2", result=result, message="so", started_at=NOW, ended_at=LATER)


def stalled(reason: str) -> Condition:
    return Condition(type="Stalled", status="True", reason=reason, message="why", last_transition_time=LATER)


def test_a_start_is_told_by_the_revision() -> None:
    [told] = news("uid", REST, ROLLING)
    assert (told.event, told.id) == (NotifyEvent.ROLLOUT_STARTED, "uid/iris-2/RolloutStarted/2026-01-01T12:00:00.123Z")


def test_a_name_is_the_same_when_the_status_is_read_again() -> None:
    # given a status in memory, whose times are more precise than they are written
    ending = Ending(phase=Phase.EXPIRED, reason="DeadlineExceeded", message="late", reverted_at=LATER)
    status = evolve(ROLLING, ending=ending, hold=None)
    # when it is written and read
    read = ModelDeploymentStatus.model_validate(status.manifest())
    # then nothing in it is news
    assert news("uid", status, read) == []


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.EXPIRED])
def test_an_end_is_told_when_the_traffic_is_back_and_not_again_when_the_pods_are_gone(phase: Phase) -> None:
    # given a rollout that ends
    ending = Ending(phase=phase, reason="GuardBreached", message="bad", reverted_at=LATER)
    ended = evolve(ROLLING, phase=Phase.ROLLING_BACK, ending=ending)
    over = evolve(REST, phase=phase, history=[entry(phase.value)])
    # then it is told once, with its reason
    assert [(told.event, told.reason) for told in news("uid", ROLLING, ended)] == [(phase.value, "GuardBreached")]
    assert news("uid", ended, over) == []


@pytest.mark.parametrize("result", ["Promoted", "Restored", "TookOver", "Replaced", "Reverted", "GuardBreached"])
def test_other_ends_are_told_when_they_enter_the_history(result: str) -> None:
    [told] = news("uid", ROLLING, evolve(REST, history=[entry(result)]))
    assert (told.event, told.version, told.at) == (result, "v2", LATER)


def test_a_result_that_a_newer_operator_wrote_is_left_out() -> None:
    assert notifications("uid", evolve(REST, history=[entry("Somehow")])) == []


@pytest.mark.parametrize(("reason", "event"), [("AwaitingApproval", "AwaitingApproval"), ("MetricsMissing", "Held")])
def test_a_hold_is_told_once_and_its_condition_is_not(reason: str, event: str) -> None:
    # given a rollout that waits, which is a condition as well
    held = evolve(ROLLING, hold=Hold(reason=reason, message="why", since=NOW), conditions=[stalled(reason)])
    # then that is told once, and not again when only the message changes
    assert [told.event for told in news("uid", ROLLING, held)] == [event]
    other = evolve(held, hold=Hold(reason=reason, message="other words", since=NOW))
    assert news("uid", held, other) == []


def test_a_model_that_cannot_be_looked_after_is_told_of() -> None:
    [told] = news("uid", REST, evolve(REST, conditions=[stalled("InvalidSpec")]))
    assert (told.event, told.reason, told.revision) == ("Stalled", "InvalidSpec", "")


def test_stalled_after_a_rollback_says_nothing_new() -> None:
    blocked = BlockedRevision(revision="iris-2", version="v2", reason="GuardBreached", message="bad", at=LATER)
    status = evolve(REST, phase=Phase.ROLLED_BACK, failed=[blocked], conditions=[stalled("GuardBreached")])
    assert notifications("uid", status) == []


def test_a_retry_of_the_same_revision_is_another_rollout() -> None:
    first, second = evolve(REST, history=[entry("Promoted")]), evolve(ROLLING, started_at=LATER)
    assert len(news("uid", first, second)) == 1
    assert not {each.id for each in notifications("uid", ROLLING)} & {each.id for each in notifications("uid", second)}


def test_the_guide_lists_every_event() -> None:
    table = GUIDE.read_text().partition("## Events\n")[2].partition("\n\nA CloudEvent")[0]
    rows = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {event.value for event in NotifyEvent}


def test_every_result_of_a_rollout_is_an_event() -> None:
    described = HistoryEntry.model_fields["result"].description or ""
    assert set(re.findall(r"[A-Z]\w+", described)) <= {event.value for event in NotifyEvent}
