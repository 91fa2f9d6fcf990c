"""What receivers are notified of: read from a status, with names that stay the same however often it is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from viridian.api.notify import NotifyEvent
from viridian.api.status import HistoryEntry, ModelDeploymentStatus, Phase, cut

from .cost import Amount

_NAMES = frozenset(event.value for event in NotifyEvent)
_ENDINGS = {Phase.ROLLED_BACK: NotifyEvent.ROLLED_BACK, Phase.EXPIRED: NotifyEvent.EXPIRED}


@dataclass(frozen=True)
class Notification:
    """One turn of a rollout.

    Attributes:
        id: Stays the same when it is sent again, and no other turn of any model has it.
        event: What happened.
        reason: Why, in one word for programs.
        message: Why, in a sentence for people.
        revision: The revision that it is about; empty where it is about the model.
        version: Its `spec.model.version`.
        at: When it happened.
        started_at: When the rollout began.
        evidence_at: The scrape that completed the evidence against the candidate.
        reverted_at: When all traffic was on stable again.
        cost: What the rollout cost on top; None where that is not known.
    """

    id: str
    event: NotifyEvent
    reason: str
    message: str
    revision: str
    version: str
    at: datetime
    started_at: datetime | None = None
    evidence_at: datetime | None = None
    reverted_at: datetime | None = None
    cost: Amount | None = None

    @property
    def text(self) -> str:
        """The message as it is sent: not too long, and with the cost where that is known."""
        return cut(self.message) + (f" (cost on top: {self.cost})" if self.cost is not None else "")


def news(uid: str, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Notification]:
    """Return what a status says that the one before it did not."""
    known = {each.id for each in notifications(uid, before)}
    return [each for each in notifications(uid, after) if each.id not in known]


def notifications(uid: str, status: ModelDeploymentStatus) -> list[Notification]:
    """Return all that a status says of its model, the latest last; `uid` is the model's."""
    ended = (_of_history(uid, entry) for entry in reversed(status.history) if entry.result in _NAMES)
    found = {each.id: each for each in ended}
    found.update({each.id: each for each in _of_today(uid, status)})
    return sorted(found.values(), key=lambda each: each.at)


def _of_history(uid: str, entry: HistoryEntry) -> Notification:
    event = NotifyEvent(entry.result)
    return Notification(
        _id(uid, entry.revision, event, entry.started_at),
        event,
        entry.result,
        entry.message,
        entry.revision,
        entry.version,
        entry.ended_at,
        entry.started_at,
        entry.evidence_at,
        entry.reverted_at,
    )


def _of_today(uid: str, status: ModelDeploymentStatus) -> Iterator[Notification]:
    candidate, started, ending = status.candidate, status.started_at, status.ending
    if candidate is not None and started is not None:
        about = candidate.revision, candidate.version
        event = NotifyEvent.ROLLOUT_STARTED
        text = f"{candidate.revision} ({candidate.version}) starts"
        yield Notification(_id(uid, candidate.revision, event, started), event, event, text, *about, started, started)
        if ending is not None and (ended := _ENDINGS.get(ending.phase)) is not None:
            # Its history entry, which comes when its pods are gone, has the same name.
            name, at = _id(uid, candidate.revision, ended, started), ending.reverted_at or started
            times = started, ending.evidence_at, ending.reverted_at
            yield Notification(name, ended, ending.reason, ending.message, *about, at, *times)
    yield from _of_waiting(uid, status)
    yield from _of_drills(uid, status)


def _of_waiting(uid: str, status: ModelDeploymentStatus) -> Iterator[Notification]:
    """What keeps a rollout from going on, or the operator from looking after the model."""
    candidate, hold = status.candidate, status.hold
    about = (candidate.revision, candidate.version) if candidate is not None else ("", "")
    if hold is not None:
        awaits = hold.reason == NotifyEvent.AWAITING_APPROVAL
        event = NotifyEvent.AWAITING_APPROVAL if awaits else NotifyEvent.HELD
        name = _id(uid, about[0], f"{event}/{hold.reason}", hold.since)
        yield Notification(name, event, hold.reason, hold.message, *about, hold.since, status.started_at)
        return
    ended = {each.reason for each in (*status.failed, *status.expired)}
    for condition in status.conditions:
        if condition.type == "Stalled" and condition.status == "True" and condition.reason not in ended:
            event, since = NotifyEvent.STALLED, condition.last_transition_time
            name = _id(uid, about[0], f"{event}/{condition.reason}", since)
            yield Notification(name, event, condition.reason, condition.message, *about, since, status.started_at)


def _of_drills(uid: str, status: ModelDeploymentStatus) -> Iterator[Notification]:
    last = status.drill.last if status.drill is not None else None
    if last is None:
        return
    event, text = NotifyEvent.DRILL_ENDED, f"drill of kind {last.kind}: {last.message}"
    name, reason = _id(uid, "", f"{event}/{last.kind}", last.ended_at), f"Drill{last.result}"
    times = last.ended_at, last.started_at, last.evidence_at, last.safe_at
    yield Notification(name, event, reason, text, "", last.version, *times)


def _id(uid: str, revision: str, event: str, at: datetime) -> str:
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "/".join(part for part in (uid, revision, event, moment) if part)
