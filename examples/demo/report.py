"""What the demonstration found out. Pure: records and timeline in, numbers and sentences out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from .records import Answer
from .timeline import RouteSeen, StatusSeen, Timeline

Seen = TypeVar("Seen", RouteSeen, StatusSeen)


@dataclass(frozen=True)
class Applied:
    """A version that was applied, and when."""

    version: str
    at: float


@dataclass(frozen=True)
class ErrorCounts:
    """What Prometheus knows of a candidate's errors: the raw samples of its pods."""

    scrapes: tuple[float, ...] = ()
    """When the candidate's pods were scraped."""
    last_without_errors: float | None = None
    """The last scrape before the first that showed an error; None when none did."""


@dataclass(frozen=True)
class Failures:
    """Failed requests of one kind."""

    failure: str
    version: str
    """The version whose pod answered; empty when none did."""
    period: str
    count: int


@dataclass(frozen=True)
class Report:
    """The keys of demo-report.json."""

    requests_total: int
    requests_failed_client: int
    requests_rescued: int
    """Requests that stable answered in the candidate's stead."""
    promoted_version: str | None
    promotion_seconds: float | None
    rolled_back_version: str | None
    stopped_version: str | None
    """The version that failed a check, and answered no request."""
    seconds_first_bad_response_to_100_stable: float | None
    reaction_seconds: float | None
    weights_seen: list[int]
    """The candidate's weights in the route, in the order seen: the good one's, the bad one's, the wrong one's."""
    phase_final: str
    stable_version_final: str | None
    failures: list[Failures]

    def document(self) -> dict[str, Any]:
        """The report as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True)
class Rollout:
    """One rollout as the timeline shows it."""

    applied: Applied
    weights: list[tuple[float, int]]
    """When the route gave which weight to this version."""

    @property
    def first_traffic_at(self) -> float | None:
        """When it first had weight."""
        return next((at for at, weight in self.weights if weight > 0), None)

    @property
    def taken_back_at(self) -> float | None:
        """When the route said 100 % stable again."""
        first = self.first_traffic_at
        return next((at for at, weight in self.weights if first and at > first and weight == 0), None)

    def weight_at(self, at: float) -> int:
        """Its weight at this moment."""
        return next((weight for since, weight in reversed(self.weights) if since <= at), 0)


def read_rollout(timeline: Timeline, applied: Applied, until: float) -> Rollout:
    """Pick one rollout out of the timeline.

    Status and route come by two watches and in any order. So the color is looked up in the whole period, not in what
    was known when the route changed.
    """
    roles = (seen.status.role_of(applied.version) for seen in _between(timeline.statuses, applied.at, until))
    color = next((role.color for role in roles if role), None)
    seen_routes = _between(timeline.routes, applied.at, until) if color else []
    return Rollout(applied, [(seen.at, seen.weights.get(color or "", 0)) for seen in seen_routes])


def _between(seen: Sequence[Seen], start: float, end: float) -> list[Seen]:
    return [one for one in seen if start <= one.at < end]


def build_report(
    answers: Sequence[Answer],
    timeline: Timeline,
    good: Applied,
    bad: Applied,
    wrong: Applied,
    errors: ErrorCounts,
) -> Report:
    """Put everything together.

    Args:
        answers: What clients saw.
        timeline: What was seen of the model and its route.
        good: The version that ought to be promoted.
        bad: The version that ought to be rolled back.
        wrong: The version that ought to fail its check, and get no request.
        errors: What Prometheus knows of the bad version's errors.
    """
    good_rollout = read_rollout(timeline, good, bad.at)
    bad_rollout = read_rollout(timeline, bad, wrong.at)
    wrong_rollout = read_rollout(timeline, wrong, float("inf"))
    rollouts = (good_rollout, bad_rollout, wrong_rollout)
    met = wrong_rollout.first_traffic_at is not None or any(answer.version == wrong.version for answer in answers)
    status = timeline.status
    promoted_at = _promoted_at(timeline, good, bad.at)
    taken_back_at = bad_rollout.taken_back_at
    return Report(
        requests_total=len(answers),
        requests_failed_client=sum(bool(answer.failure) for answer in answers),
        requests_rescued=sum(answer.rescued for answer in answers),
        promoted_version=good.version if promoted_at else None,
        promotion_seconds=_seconds(good.at, promoted_at),
        rolled_back_version=bad.version if taken_back_at and bad.version in status.failed_versions else None,
        stopped_version=wrong.version if wrong.version in status.failed_versions and not met else None,
        seconds_first_bad_response_to_100_stable=_seconds(first_bad_at(answers, bad_rollout, errors), taken_back_at),
        reaction_seconds=_seconds(evidence_at(timeline, bad, taken_back_at, errors), taken_back_at),
        weights_seen=[weight for rollout in rollouts for _, weight in rollout.weights],
        phase_final=status.phase,
        stable_version_final=status.stable.version if status.stable else None,
        failures=_group(answers, good_rollout, bad_rollout),
    )


def _seconds(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 3)


def _promoted_at(timeline: Timeline, good: Applied, until: float) -> float | None:
    """When the status first called the good version stable."""
    for seen in _between(timeline.statuses, good.at, until):
        if seen.status.stable and seen.status.stable.version == good.version:
            return seen.at
    return None


def first_bad_at(answers: Sequence[Answer], bad: Rollout, errors: ErrorCounts) -> float | None:
    """When the candidate's model first failed.

    A client that saw it fail tells so to the millisecond. One that stable answered instead tells by its answer's mark
    that it happened after the request was sent; that moment is taken, so that the time that follows from it is never
    too short. Without either the candidate's own counter tells it to one scrape, of which the earlier end is taken.
    """
    seen = [answer.ended_at for answer in answers if answer.failure and answer.version == bad.applied.version]
    seen += [answer.sent_at for answer in answers if answer.rescued and answer.sent_at >= bad.applied.at]
    if seen:
        return min(seen)
    if errors.last_without_errors is None or bad.first_traffic_at is None:
        return None
    return max(errors.last_without_errors, bad.first_traffic_at)


def evidence_at(timeline: Timeline, bad: Applied, taken_back_at: float | None, errors: ErrorCounts) -> float | None:
    """When the scrape was made that completed the evidence against the candidate.

    The operator says so in the status. Should it not, the last scrape before the route changed is the latest that
    it can have been.
    """
    for entry in timeline.status.history:
        if entry.version == bad.version and entry.evidence_at is not None:
            return entry.evidence_at
    earlier = [scrape for scrape in errors.scrapes if taken_back_at and scrape <= taken_back_at]
    return max(earlier, default=None)


def _group(answers: Sequence[Answer], good: Rollout, bad: Rollout) -> list[Failures]:
    groups = Counter(
        (answer.failure, answer.version, _period(answer, good, bad)) for answer in answers if answer.failure
    )
    return [Failures(failure, version, period, count) for (failure, version, period), count in sorted(groups.items())]


def _period(answer: Answer, good: Rollout, bad: Rollout) -> str:
    if answer.sent_at < good.applied.at:
        return f"before {good.applied.version} was applied"
    rollout = good if answer.sent_at < bad.applied.at else bad
    return f"{rollout.applied.version} applied, {rollout.weight_at(answer.sent_at)} % of the traffic on it"


def problems(report: Report, good: Applied, bad: Applied, wrong: Applied) -> list[str]:
    """What went wrong, in sentences; empty when everything ended as it should."""
    found = []
    if report.promoted_version != good.version:
        found.append(f"{good.version} was not promoted, though it is the better model: see its verdict above.")
    if report.rolled_back_version != bad.version:
        found.append(f"{bad.version} was not taken back, though it fails on real images: see its verdict above.")
    if report.stopped_version != wrong.version:
        found.append(f"{wrong.version} was not stopped by its check, though most of its answers are wrong.")
    if report.phase_final != "RolledBack":
        found.append(f"The final phase is {report.phase_final or 'unknown'}; it ought to be RolledBack.")
    if report.stable_version_final != good.version:
        found.append(
            f"The final stable version is {report.stable_version_final or 'unknown'}; it ought to be {good.version}."
        )
    return found


def suffered(report: Report) -> list[str]:
    """What clients saw fail, in sentences; there ought to be nothing, whatever the candidate does."""
    return [
        f"{group.count} requests failed: {group.failure}"
        f"{f' from {group.version}' if group.version else ', no answer of a pod'} ({group.period})."
        for group in report.failures
    ]
