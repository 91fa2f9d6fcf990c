"""One rollout, from its first pod to its end, over drawn requests."""

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import Phase
from viridian.guards.config import bounds
from viridian.guards.judge import Judgement
from viridian.guards.series import RequestCounts
from viridian.guards.spec import guard_config

from .behavior import Behavior
from .chance import poisson
from .guard_run import GuardRun
from .walk import Rules, Walk

BEGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""When each rollout begins; only differences matter."""

_LOOKS: Final = 200
"""Scrapes of a step after which not every further one is played: its end is then known to the 200th part."""


@dataclass(frozen=True)
class World:
    """What a rollout meets.

    Attributes:
        spec: What is asked for.
        rpm: Requests a minute of all users.
        stable: What serves them.
        interval: Seconds between two scrapes.
        startup: Seconds until a new pod is ready.
    """

    spec: ModelDeploymentSpec
    rpm: float
    stable: Behavior
    interval: float = 15.0
    startup: float = 60.0


@dataclass(frozen=True)
class Played:
    """How one rollout went.

    Attributes:
        phase: Finishing if it was promoted, RolledBack or Expired.
        seconds: How long it took.
        requests: Of users, that the candidate answered.
        failed: Those of them that failed.
        all_requests: Of users, that both versions answered from the first step on.
        all_failed: Those of them that failed.
    """

    phase: Phase
    seconds: float
    requests: int
    failed: int
    all_requests: int
    all_failed: int


@dataclass
class _Source:
    """Draws what a version answers."""

    behavior: Behavior
    per_second: float
    bounds: tuple[float, ...]
    rng: random.Random
    total: RequestCounts = field(default_factory=RequestCounts)
    _shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        self._shares = self.behavior.shares(self.bounds)

    def draw(self, weighted_seconds: float) -> RequestCounts:
        """Return what it answers in a time, given as seconds times its share of the requests."""
        mean = self.per_second * weighted_seconds
        errors = poisson(self.rng, mean * self.behavior.errors)
        within, buckets = 0, {}
        for bound, share in zip((*self.bounds, math.inf), self._shares, strict=True):
            within += poisson(self.rng, mean * share)
            buckets[bound] = within
        requests = within + errors
        if self.bounds:
            buckets[math.inf] = requests
        drawn = RequestCounts(requests, errors, buckets if self.bounds else {})
        self.total = RequestCounts(self.total.requests + requests, self.total.errors + errors)
        return drawn


@dataclass
class _Route:
    """The candidate's weight over time."""

    moves: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])

    def move(self, at: float, weight: int) -> None:
        """From this moment on, in seconds, the candidate has this weight in percent."""
        self.moves.append((at, weight))

    def at(self, moment: float) -> tuple[int, float]:
        """The weight at a moment, and since when."""
        since, weight = next(move for move in reversed(self.moves) if move[0] <= moment)
        return weight, since

    def exposure(self, start: float, end: float) -> float:
        """Seconds of a time, each weighted by the candidate's share of the requests."""
        edges = [*(at for at, _ in self.moves[1:]), math.inf]
        return sum(
            max(0.0, min(end, after) - max(start, at)) * weight / 100
            for (at, weight), after in zip(self.moves, edges, strict=True)
        )


def play(world: World, candidate: Behavior, rng: random.Random) -> Played:
    """Play a rollout to its end.

    Args:
        world: What it meets.
        candidate: What the new version turns out to be.
        rng: The source of chance.
    """
    return _Play(world, candidate, rng).run()


class _Play:
    """A rollout in progress. Counters of a moment are known one interval later, when all pods were scraped."""

    def __init__(self, world: World, candidate: Behavior, rng: random.Random) -> None:
        spec, config = world.spec, guard_config(world.spec)
        grid, per_second = bounds([config]), world.rpm / 60
        self._world, self._rules = world, Rules.of(spec, BEGIN)
        self._guards = GuardRun(config, routed=spec.has_route)
        self._new = _Source(candidate, per_second, grid, rng)
        self._old = _Source(world.stable, per_second, grid, rng)
        self._route = _Route()
        self._pods = self._rules.pods[0]
        # The counters of the first pods have to be known before the first step.
        first = world.startup + world.interval
        self._walk = Walk.begin(self._rules, BEGIN, _moment(first))
        self._counted = (0, 0)
        self._route.move(first, self._rules.weights[0])
        self._stamp = math.floor(first / world.interval) * world.interval

    def run(self) -> Played:
        """Look at each scrape, and in between when a hold is over."""
        now = self._stamp
        while not self._walk.is_over:
            stamp = self._stamp + self._pause()
            now = stamp + self._world.interval
            judgements = self._scrape(stamp, now)
            self._decide(now, judgements)
            end = self._walk.ends_at(self._counted[0], judgements)
            if end is not None and (at := _seconds(end)) < now + self._pause():
                now = max(now, at)
                self._decide(now, judgements)
        seconds = min(now, self._rules.deadline.total_seconds()) if self._walk.phase is Phase.EXPIRED else now
        self._draw(max(seconds, self._stamp))
        new, old = self._new.total, self._old.total
        return Played(
            self._walk.phase,
            seconds,
            new.requests,
            new.errors,
            new.requests + old.requests,
            new.errors + old.errors,
        )

    def _pause(self) -> float:
        """Seconds until the next look: a scrape, and in a step that lasts for hours a small part of its age."""
        age, interval = self._stamp - _seconds(self._walk.step.intended_at), self._world.interval
        return interval * max(1, int(age / (_LOOKS * interval)))

    def _scrape(self, stamp: float, now: float) -> list[Judgement]:
        new, old = self._draw(stamp)
        if new.requests or old.requests:
            self._walk.moved_at = _moment(self._stamp)
        self._counted = (self._counted[0] + new.requests, self._counted[1] + old.requests)
        return self._guards.look(self._stamp, new, old, *self._route.at(now))

    def _draw(self, until: float) -> tuple[RequestCounts, RequestCounts]:
        exposed, seconds = self._route.exposure(self._stamp, until), until - self._stamp
        self._stamp = until
        return self._new.draw(exposed), self._old.draw(seconds - exposed)

    def _decide(self, now: float, judgements: list[Judgement]) -> None:
        number = self._walk.step.index
        self._walk.look(_moment(now), self._route.at(now)[0], self._counted, judgements)
        if self._walk.is_over or self._walk.step.index == number:
            return
        pods = self._rules.pods[self._walk.step.index - 1]
        starts = self._world.startup if pods > self._pods else 0.0
        self._pods = max(self._pods, pods)
        self._route.move(now + starts, self._walk.step.weight)


def _moment(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def _seconds(moment: datetime) -> float:
    return (moment - BEGIN).total_seconds()
