"""What the metrics have shown of each moving model: guards, scrape by scrape, and who still answers requests."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from viridian.api.quantities import parse_decimal, parse_duration, parse_percent
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.guards.config import Config, LatencyGuard
from viridian.guards.driver import Rollout, Window, advance
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.queries import Answers
from viridian.guards.series import PodCounters, Snapshot, align
from viridian.guards.state import State, decode, encode
from viridian.metrics.prometheus import ModelKey, Samples
from viridian.rollout.observed import Cover, Evidence

from .pod_reports import Heard, hear

_log = logging.getLogger(__name__)


def guard_config(spec: ModelDeploymentSpec) -> Config:
    """The guards of a spec as plain numbers."""
    return Config(
        error_rate_max=parse_percent(spec.guards.error_rate.max),
        worse_than_stable=parse_decimal(spec.guards.error_rate.worse_than_stable),
        latencies=tuple(
            LatencyGuard(float(guard.percentile), parse_duration(guard.max).total_seconds())
            for guard in spec.guards.latency
        ),
        request_timeout=parse_duration(spec.serving.timeout).total_seconds(),
    )


_BAKES = frozenset({Phase.BAKING, Phase.HELD})
"""Phases in which a revision that nothing is compared with is watched."""


@dataclass(frozen=True)
class Comparison:
    """Whom the guards look at: the candidate against stable, or a first revision alone."""

    candidate: str
    stable: str | None

    @classmethod
    def of(cls, status: ModelDeploymentStatus) -> "Comparison | None":
        """What a status asks the guards to watch, or None."""
        if status.ending is not None or status.returning is not None:
            return None  # what a person brings back was judged before
        if status.candidate is not None:
            stable = status.stable.revision if status.stable is not None else None
            return cls(status.candidate.revision, stable)
        bakes = status.drain is None or status.phase in _BAKES  # what it replaced may still drain
        if status.stable is not None and status.started_at is not None and bakes:
            return cls(status.stable.revision, None)
        return None


@dataclass
class Watch:
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
    breached_at: datetime | None = None
    reverted_at: datetime | None = None
    version: str = ""
    heard: Heard = field(default_factory=Heard)


@dataclass
class _Flow:
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


class EvidenceBook:
    """The evidence on all moving models."""

    def __init__(self, interval: float) -> None:
        """Start with none; `interval` is the time between two scrapes in seconds."""
        self._interval = interval
        self._watches: dict[ModelKey, Watch] = {}
        self._flows: dict[ModelKey, _Flow] = {}
        self._troubles: dict[ModelKey, str] = {}

    def watch(self, key: ModelKey, status: ModelDeploymentStatus, now: datetime) -> Watch | None:
        """The watch that fits a status: the one in memory, one taken up after a restart, or a new one."""
        comparison = Comparison.of(status)
        if comparison is None:
            self._watches.pop(key, None)
            return None
        watch = self._watches.get(key)
        if watch is None or watch.comparison != comparison:
            watch = Watch(comparison, read_state(status.guard_state, comparison), now)
            self._watches[key] = watch
        candidate = status.candidate
        watch.version = candidate.version if candidate is not None else ""
        weight = 100 if candidate is None else candidate.weight
        if weight != watch.weight:
            watch.weight, watch.weight_since = weight, now.timestamp()
        return watch

    def take_in(
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
        watch, routed = self._watches.get(key), spec.has_route
        if watch is not None:
            oldest = now.timestamp() - 3 * self._interval
            watch.heard = hear(samples.get(watch.comparison.candidate, {}), watch.version, oldest)
            watch.routed = routed
        blamed = () if watch is None else blaming(watch.queries)
        snapshot = align(series, self._interval, now=now.timestamp())
        if snapshot is None:
            return blamed
        breaches = () if watch is None else self._judge(watch, spec, samples, snapshot, earlier)
        # Last, so that counts which cannot be judged do not pass for fresh ones: weights stay without those.
        self._note_flow(key, samples, snapshot, routed)
        return (*breaches, *blamed)

    def _judge(
        self,
        watch: Watch,
        spec: ModelDeploymentSpec,
        samples: Samples,
        snapshot: Snapshot,
        earlier: Snapshot | None,
    ) -> tuple[Judgement, ...]:
        if watch.window is None and earlier is not None:
            watch.window = Window.at(earlier)
        rollout = Rollout(
            watch.comparison.candidate, watch.comparison.stable, watch.weight, watch.weight_since, watch.routed
        )
        state, window, judgements = advance(guard_config(spec), watch.state, watch.window, snapshot, rollout)
        watch.state, watch.window, watch.judgements = state, window, tuple(judgements)
        breaches = blaming(judgements)
        if breaches and watch.breached_at is None:
            newest = max(pod.scraped_at for pods in samples.values() for pod in pods.values())
            watch.breached_at = datetime.fromtimestamp(newest, UTC)
        return breaches

    def needs_earlier(self, key: ModelKey) -> float | None:
        """The stamp at which counters must be read again before the guards can go on, after a restart."""
        watch = self._watches.get(key)
        return watch.state.stamp if watch is not None and watch.window is None else None

    def note_trouble(self, key: ModelKey, trouble: str) -> bool:
        """Remember why a model cannot be judged (nothing: it can); returns whether that is news."""
        news = self._troubles.get(key, "") != trouble
        self._troubles[key] = trouble
        return news

    def evidence(self, key: ModelKey) -> Evidence:
        """What a decision needs of it."""
        watch, flow = self._watches.get(key), self._flows.get(key, _Flow())
        trouble = self._troubles.get(key, "")
        evidence = Evidence(
            reporting=dict(flow.reporting),
            moved=dict(flow.moved),
            counted_at=dict(flow.counted_at),
            fresh_at=flow.fresh_at,
            seen_at=dict(flow.seen_at),
            trouble=trouble,
        )
        if watch is None:
            return evidence
        return replace(
            evidence,
            judgements=(*watch.judgements, *watch.queries),
            requests=_requests(watch),
            missing=_missing((*watch.judgements, *watch.queries)),
            stable_breach=_stable_breach(watch.judgements),
            state=write_state(watch),
            breached_at=watch.breached_at,
            reverted_at=watch.reverted_at,
            watched_since=watch.since,
            cover=watch.heard.cover if _has_help(watch) else Cover.UNSAID,
            no_fallback=watch.heard.no_fallback if _has_help(watch) else "",
            failure=watch.heard.failure,
        )

    def forget(self, key: ModelKey) -> None:
        """The model has settled or is gone."""
        self._watches.pop(key, None)
        self._flows.pop(key, None)
        self._troubles.pop(key, None)

    def _note_flow(self, key: ModelKey, samples: Samples, snapshot: Snapshot, routed: bool) -> None:
        flow = self._flows.setdefault(key, _Flow())
        moment = datetime.fromtimestamp(snapshot.stamp, UTC)
        flow.fresh_at = moment
        flow.reporting = {revision: len(snapshot.live(revision)) for revision in samples}
        flow.seen_at.update({revision: moment for revision, pods in flow.reporting.items() if pods})
        for revision, pods in samples.items():
            answered = sum(pod.answered for pod in pods.values())
            if flow.answered.get(revision) != answered:
                flow.answered[revision] = answered
                flow.moved[revision] = moment
        for revision, counters in snapshot.pods.items():
            counted = _arrived(counters, routed)
            if flow.counted.get(revision, 0) != counted:
                flow.counted[revision] = counted
                flow.counted_at[revision] = moment


def _stable_breach(judgements: Iterable[Judgement]) -> str:
    """What the maximum of errors has against stable alone; one that is only slow is left to the steps."""
    return next((j.stable_breach for j in judgements if j.guard == "errorRate" and j.stable_breach), "")


def _has_help(watch: Watch) -> bool:
    """Whether stable is meant to answer for the candidate: not for a first revision, nor where no route splits."""
    return watch.comparison.stable is not None and watch.routed


def _requests(watch: Watch) -> Mapping[str, int]:
    if watch.window is None:
        return {}
    return {revision: _arrived(pods, watch.routed) for revision, pods in watch.window.latest.pods.items()}


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
        _log.exception("the guards' state of %s in the status cannot be read, so its evidence is gathered anew", owner)
        return State()


def write_state(watch: Watch) -> str:
    """The guards' state for the status, with the revision that it speaks of."""
    return f"{watch.comparison.candidate} {encode(watch.state)}"
