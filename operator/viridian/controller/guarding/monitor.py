"""What the metrics have shown of each moving model: guards, scrape by scrape, and who still answers requests."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from viridian.api.model_key import ModelKey
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.guards.alpha import allocate_alpha
from viridian.guards.answers.counters import AnswerSnapshot
from viridian.guards.answers.driver import AnswerWindow, advance_answers
from viridian.guards.config import Config
from viridian.guards.driver import Rollout, Window, advance
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.queries import Answers
from viridian.guards.series import PodCounters, Snapshot, align
from viridian.guards.shadow_report import ShadowReport, shadow_report
from viridian.guards.spec import guard_config
from viridian.guards.stable_latency import freeze, resolve
from viridian.guards.state import State, decode, encode
from viridian.metrics.prometheus import Samples
from viridian.rollout.observed import Cover, Evidence

from .pod_reports import PodReports, summarize_reports

LOG = logging.getLogger(__name__)


_BAKES = frozenset({Phase.BAKING, Phase.HELD})
"""Phases in which a revision that nothing is compared with is watched."""


@dataclass(frozen=True)
class Comparison:
    """Whom the guards look at: the candidate against stable, stable against its control, or a first revision alone."""

    candidate: str
    stable: str | None

    @classmethod
    def of(cls, status: ModelDeploymentStatus) -> "Comparison | None":
        """What a status asks the guards to judge, or None."""
        if status.ending is not None or status.returning is not None:
            return None  # what a person brings back was judged before
        if status.watch is not None and status.stable is not None:
            return cls(status.stable.revision, status.watch.control.revision)
        if status.candidate is not None:
            stable = status.stable.revision if status.stable is not None else None
            return cls(status.candidate.revision, stable)
        bakes = status.drain is None or status.phase in _BAKES  # what it replaced may still drain
        if status.stable is not None and status.started_at is not None and bakes:
            return cls(status.stable.revision, None)
        return None


@dataclass
class GuardSession:
    """The guards of one rollout, in memory; `state` alone is needed to go on after a restart."""

    comparison: Comparison
    state: State
    since: datetime
    window: Window | None = None
    judgements: tuple[Judgement, ...] = ()
    weight: int = 0
    weight_since: float = 0.0
    routed: bool = True
    answers: dict[str, Answers] = field(default_factory=dict)
    queries: tuple[Judgement, ...] = ()
    baseline: Snapshot | None = None
    answer_window: AnswerWindow | None = None
    of_answers: tuple[Judgement, ...] = ()
    breached_at: datetime | None = None
    reverted_at: datetime | None = None
    version: str = ""
    reports: PodReports = field(default_factory=PodReports)
    shadow: ShadowReport | None = None

    @property
    def beside(self) -> tuple[Judgement, ...]:
        """Judgements that do not come with the counters of requests."""
        return (*self.of_answers, *self.queries)

    @property
    def rollout(self) -> Rollout:
        """What the guards compare."""
        seen = self.comparison
        return Rollout(seen.candidate, seen.stable, self.weight, self.weight_since, self.routed)


@dataclass
class _TrafficSeen:
    """How many users' requests a model's revisions have answered, and when that last changed.

    `counted` and `counted_at` are the same for those that count for steps: assigned at random, or all without a route.
    """

    answered: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    reporting: dict[str, int] = field(default_factory=dict)
    moved: dict[str, datetime] = field(default_factory=dict)
    counted_at: dict[str, datetime] = field(default_factory=dict)
    fresh_at: datetime | None = None
    seen_at: dict[str, datetime] = field(default_factory=dict)


class GuardMonitor:
    """The evidence on all moving models."""

    def __init__(self, interval: float) -> None:
        """Start with none; `interval` is the time between two scrapes in seconds."""
        self._interval = interval
        self._sessions: dict[ModelKey, GuardSession] = {}
        self._traffic: dict[ModelKey, _TrafficSeen] = {}
        self._troubles: dict[ModelKey, str] = {}

    def sync_session(self, key: ModelKey, status: ModelDeploymentStatus, now: datetime) -> GuardSession | None:
        """The session that fits a status: the one in memory, one taken up after a restart, or a new one."""
        comparison = Comparison.of(status)
        if comparison is None:
            self._sessions.pop(key, None)
            return None
        session = self._sessions.get(key)
        if session is None or session.comparison != comparison:
            session = GuardSession(comparison, read_state(status.guard_state, comparison), now)
            self._sessions[key] = session
        candidate = status.stable if status.watch is not None else status.candidate
        session.version = candidate.version if candidate is not None else ""
        weight = 100 if candidate is None else candidate.weight
        if weight != session.weight:
            session.weight, session.weight_since = weight, now.timestamp()
        return session

    def ingest(
        self,
        key: ModelKey,
        spec: ModelDeploymentSpec,
        samples: Samples,
        now: datetime,
        earlier: Snapshot | None = None,
    ) -> tuple[Judgement, ...]:
        """Advance a model's guards by the newest samples.

        Args:
            key: the model.
            spec: its spec.
            samples: the last samples of all of its pods.
            now: the time, with a zone; what was scraped more than two scrapes ago is no news.
            earlier: after a restart, the counters as they stood when the guards' state was saved.

        Returns:
            The judgements that blame the candidate.
        """
        series = {revision: {uid: pod.counters for uid, pod in pods.items()} for revision, pods in samples.items()}
        session, routed = self._sessions.get(key), spec.has_route
        if session is not None:
            oldest = now.timestamp() - 3 * self._interval
            session.reports = summarize_reports(samples.get(session.comparison.candidate, {}), session.version, oldest)
            session.routed = routed
        blamed = () if session is None else blaming(session.beside)
        snapshot = align(series, self._interval, now=now.timestamp())
        if snapshot is None:
            return blamed
        breaches = () if session is None else self._judge(key, session, spec, samples, snapshot, earlier)
        # Last, so that counts which cannot be judged do not pass for fresh ones: weights stay without those.
        self._record_traffic(key, samples, snapshot, routed)
        return (*breaches, *blamed)

    def ingest_answers(self, key: ModelKey, spec: ModelDeploymentSpec, snapshot: AnswerSnapshot, now: datetime) -> None:
        """Advance a model's guards on answers, and the report of its shadow steps.

        What the guards blame the ticker acts on as on any guard.
        """
        session = self._sessions.get(key)
        if session is None or session.reverted_at is not None or not snapshot.pods:
            return
        config = self.config(key, spec)
        _close_before_edit(config, session)
        session.state, session.answer_window, judgements = advance_answers(
            config, session.state, session.answer_window, snapshot, session.rollout
        )
        session.of_answers = tuple(judgements)
        session.shadow = shadow_report(session.answer_window.latest, session.comparison.candidate) or session.shadow
        if blaming(judgements) and session.breached_at is None:
            session.breached_at = now

    def config(self, key: ModelKey, spec: ModelDeploymentSpec) -> Config:
        """The guards of a model, with stable's percentiles in them as far as those are known."""
        session = self._sessions.get(key)
        return resolve(guard_config(spec), {} if session is None else session.state.of_stable)

    def _judge(
        self,
        key: ModelKey,
        session: GuardSession,
        spec: ModelDeploymentSpec,
        samples: Samples,
        snapshot: Snapshot,
        earlier: Snapshot | None,
    ) -> tuple[Judgement, ...]:
        if session.window is None and earlier is not None:
            session.window = Window.at(earlier)
        if session.baseline is None:
            session.baseline = snapshot
        config, stable = self.config(key, spec), session.comparison.stable
        if config.slower and session.weight and stable is not None:
            session.state = freeze(config, session.state, session.baseline, snapshot, stable)
            config = self.config(key, spec)
        _close_before_edit(config, session)
        state, window, judgements = advance(config, session.state, session.window, snapshot, session.rollout)
        session.state, session.window, session.judgements = state, window, tuple(judgements)
        breaches = blaming(judgements)
        if breaches and session.breached_at is None:
            newest = max(pod.scraped_at for pods in samples.values() for pod in pods.values())
            session.breached_at = datetime.fromtimestamp(newest, UTC)
        return breaches

    def needs_earlier(self, key: ModelKey) -> float | None:
        """The stamp at which counters must be read again before the guards can go on, after a restart."""
        session = self._sessions.get(key)
        return session.state.stamp if session is not None and session.window is None else None

    def note_trouble(self, key: ModelKey, trouble: str) -> bool:
        """Remember why a model cannot be judged (nothing: it can); returns whether that is news."""
        news = self._troubles.get(key, "") != trouble
        self._troubles[key] = trouble
        return news

    def evidence(self, key: ModelKey) -> Evidence:
        """What a decision needs of it."""
        session, traffic = self._sessions.get(key), self._traffic.get(key, _TrafficSeen())
        trouble = self._troubles.get(key, "")
        evidence = Evidence(
            reporting=dict(traffic.reporting),
            moved=dict(traffic.moved),
            counted_at=dict(traffic.counted_at),
            fresh_at=traffic.fresh_at,
            seen_at=dict(traffic.seen_at),
            trouble=trouble,
        )
        if session is None:
            return evidence
        return replace(
            evidence,
            judgements=(*session.judgements, *session.beside),
            requests=_requests(session),
            mirrored=_mirrored(session),
            shadow=session.shadow,
            # Without a weight, users' queries are not asked.
            missing=_missing((*session.judgements, *session.of_answers, *(session.queries if session.weight else ()))),
            stable_breach=_stable_breach(session.judgements),
            state=write_state(session),
            breached_at=session.breached_at,
            reverted_at=session.reverted_at,
            monitored_since=session.since,
            cover=session.reports.cover if _has_help(session) else Cover.UNSAID,
            no_fallback=session.reports.no_fallback if _has_help(session) else "",
            failure=session.reports.failure,
        )

    def judged(self) -> Iterator[tuple[ModelKey, str, tuple[Judgement, ...]]]:
        """What the guards say of each model, with the revision that they judge."""
        for key, session in self._sessions.items():
            yield key, session.comparison.candidate, (*session.judgements, *session.queries)

    def forget(self, key: ModelKey) -> None:
        """The model has settled or is gone."""
        self._sessions.pop(key, None)
        self._traffic.pop(key, None)
        self._troubles.pop(key, None)

    def _record_traffic(self, key: ModelKey, samples: Samples, snapshot: Snapshot, routed: bool) -> None:
        traffic = self._traffic.setdefault(key, _TrafficSeen())
        moment = datetime.fromtimestamp(snapshot.stamp, UTC)
        traffic.fresh_at = moment
        traffic.reporting = {revision: len(snapshot.live(revision)) for revision in samples}
        traffic.seen_at.update({revision: moment for revision, pods in traffic.reporting.items() if pods})
        for revision, pods in samples.items():
            answered = sum(pod.answered for pod in pods.values())
            if traffic.answered.get(revision) != answered:
                traffic.answered[revision] = answered
                traffic.moved[revision] = moment
        for revision, counters in snapshot.pods.items():
            counted = _arrived(counters, routed)
            if traffic.counted.get(revision, 0) != counted:
                traffic.counted[revision] = counted
                traffic.counted_at[revision] = moment


def _close_before_edit(config: Config, session: GuardSession) -> None:
    """Whichever of two loops meets an edit first: the open blocks of both are not for new and edited guards."""
    if allocate_alpha(config, session.state) is session.state:
        return
    if session.window is not None:
        session.window = Window.at(session.window.latest)
    if session.answer_window is not None:
        session.answer_window = session.answer_window.anew()


def _stable_breach(judgements: Iterable[Judgement]) -> str:
    """What the maximum of errors has against stable alone; one that is only slow is left to the steps."""
    return next((j.stable_breach for j in judgements if j.guard == "errorRate" and j.stable_breach), "")


def _has_help(session: GuardSession) -> bool:
    """Whether stable is meant to answer for the candidate: not for a first revision, nor where no route splits."""
    return session.comparison.stable is not None and session.routed


def _requests(session: GuardSession) -> Mapping[str, int]:
    if session.window is None:
        return {}
    return {revision: _arrived(pods, session.routed) for revision, pods in session.window.latest.pods.items()}


def _mirrored(session: GuardSession) -> Mapping[str, int]:
    """Copies of stable's requests that pods have answered, by revision."""
    if session.window is None:
        return {}
    latest = session.window.latest.pods
    return {revision: sum(pod.mirrored.answered for pod in pods.values()) for revision, pods in latest.items()}


def _arrived(pods: Mapping[str, PodCounters], routed: bool) -> int:
    """Requests that pods have answered, of those that count for steps: assigned at random, or all without a route."""
    return sum((pod.comparable if routed else pod.direct).answered for pod in pods.values())


def blaming(judgements: Iterable[Judgement]) -> tuple[Judgement, ...]:
    """Those of the judgements that blame the candidate."""
    return tuple(judgement for judgement in judgements if judgement.verdict is Verdict.BREACH)


def _missing(judgements: Iterable[Judgement]) -> tuple[str, ...]:
    """Guards that cannot speak yet: absolute ones with the number of requests that is missing, and users' queries."""
    return tuple(
        f"{judgement.guard} ({_how_many(judgement.requests_missing)})"
        if judgement.kind == "absolute"
        else f"{judgement.guard} (no number within its maximum)"
        for judgement in judgements
        if (judgement.kind == "absolute" and judgement.requests_missing != 0)
        or (judgement.kind == "query" and judgement.verdict in {Verdict.NOT_ENOUGH_DATA, Verdict.INCONCLUSIVE})
    )


def _how_many(missing: int | None) -> str:
    return "too close to its maximum to tell" if missing is None else f"about {missing:,} more"


def read_state(text: str, comparison: Comparison) -> State:
    """Take up the guards' state from a status; a state of another rollout is of no use."""
    owner, _, rest = text.partition(" ")
    if owner != comparison.candidate or not rest:
        return State()
    try:
        return decode(rest)
    except ValueError:
        LOG.exception("the guards' state of %s in the status cannot be read, so its evidence is gathered anew", owner)
        return State()


def write_state(session: GuardSession) -> str:
    """The guards' state for the status, with the revision that it speaks of."""
    return f"{session.comparison.candidate} {encode(session.state)}"
