"""Many rollouts, from their first pods to their ends, over drawn requests.

Each has its own clock: what is one element of an array here is one rollout, and those that are over are left out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.config import Config, bounds
from viridian.guards.spec import guard_config

from .behavior import Behavior
from .guard_batch import GuardBatch, Looked
from .tables import ERRORS, SLOW, TOTAL, Array, Requests
from .walk import Counted, Outcome, Rules, Walks

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
        approval: Seconds until a person approves, where one is asked to.
    """

    spec: ModelDeploymentSpec
    rpm: float
    stable: Behavior
    interval: float = 15.0
    startup: float = 60.0
    approval: float = 0.0

    @property
    def config(self) -> Config:
        """What is guarded, with limits that are multiples of stable's as what they come to."""
        config = guard_config(self.spec)
        known = tuple(
            guard.latency(self.stable.latency.within(guard.percentile / 100) * self.stable.slowdown)
            for guard in config.slower
        )
        return replace(config, latencies=(*config.latencies, *known), slower=())


@dataclass(frozen=True)
class Played:
    """How rollouts went: arrays with an element for each.

    Attributes:
        outcome: Numbers of `Outcome`.
        seconds: How long each took.
        requests: Of users, that the candidate answered.
        failed: Those of them that failed.
        all_requests: Of users, that both versions answered from the first step on.
        all_failed: Those of them that failed.
    """

    outcome: Array
    seconds: Array
    requests: Array
    failed: Array
    all_requests: Array
    all_failed: Array

    def __add__(self, other: "Played") -> "Played":
        return Played(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class Moment:
    """The first of some rollouts after a look.

    Attributes:
        seconds: Since it began.
        step: The step that it is at, counted from 0.
        verified: Whether requests are seen to follow that step.
        awaits_approval: Whether a person is waited for.
        weight: The candidate's weight in the route, in percent.
        outcome: How it ended.
        requests: The candidate's so far, of users and copies.
        failed: Those of them that failed.
        stable_requests: Stable's so far.
        stable_failed: Those of them that failed.
        evidence: The e-value of each guard.
    """

    seconds: float
    step: int
    verified: bool
    awaits_approval: bool
    weight: int
    outcome: Outcome
    requests: int
    failed: int
    stable_requests: int
    stable_failed: int
    evidence: tuple[float, ...]


def play(
    world: World,
    candidate: Behavior,
    rollouts: int,
    rng: np.random.Generator,
    watch: Callable[[Moment], None] | None = None,
) -> Played:
    """Play rollouts to their ends.

    Args:
        world: What they meet.
        candidate: What the new version turns out to be.
        rollouts: How many.
        rng: The source of chance.
        watch: Is told of the first of them, look by look.
    """
    return _Play(world, candidate, rollouts, rng, watch).run()


@dataclass
class _Source:
    """Draws what a version answers."""

    behavior: Behavior
    per_second: float
    bounds: tuple[float, ...]
    rng: np.random.Generator
    _shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        self._shares = self.behavior.shares(self.bounds)

    def draw(self, weighted_seconds: Array) -> Array:
        """Return a table of what it answers in some times, given as seconds times its share of the requests."""
        mean = self.per_second * weighted_seconds
        rows = np.zeros((SLOW + len(self.bounds), len(mean)))
        rows[ERRORS] = self.rng.poisson(mean * self.behavior.errors)
        within = [self.rng.poisson(mean * share) for share in self._shares]
        rows[TOTAL] = rows[ERRORS] + sum(within)
        for index in range(len(self.bounds)):
            rows[SLOW + index] = rows[TOTAL] - sum(within[: index + 1])
        return rows


@dataclass
class _Route:
    """The candidate's weight in percent, and the share of stable's requests of which it gets copies, over time.

    A move that is still to come is known with its time: none is decided before the one before it was seen in requests.
    """

    rollouts: int
    weight: Array = field(init=False)
    copies: Array = field(init=False)
    since: Array = field(init=False)
    next: tuple[Array, Array, Array] = field(init=False)

    def __post_init__(self) -> None:
        self.weight, self.copies, self.since = (np.zeros(self.rollouts) for _ in range(3))
        self.next = np.zeros(self.rollouts), np.zeros(self.rollouts), np.full(self.rollouts, np.inf)

    def keep(self, chosen: Array) -> None:
        """Go on with some of the rollouts only."""
        self.weight, self.copies, self.since = self.weight[chosen], self.copies[chosen], self.since[chosen]
        weight, copies, at = self.next
        self.next = weight[chosen], copies[chosen], at[chosen]

    def move(self, chosen: Array, at: Array, weight: Array, copies: Array) -> None:
        """From these moments on, in seconds, some candidates have other weights."""
        old_weight, old_copies, old_at = self.next
        self.next = (
            np.where(chosen, weight, old_weight),
            np.where(chosen, copies, old_copies),
            np.where(chosen, at, old_at),
        )

    def at(self, moment: Array) -> tuple[Array, Array]:
        """The weights at a moment, and since when; not before the last that `pass_to` was told."""
        weight, _, at = self.next
        moved = at <= moment
        return np.where(moved, weight, self.weight), np.where(moved, at, self.since)

    def pass_to(self, start: Array, end: Array) -> tuple[Array, Array]:
        """Seconds of some times, each weighted by the candidate's share of the requests, and by that of copies."""
        weight, copies, at = self.next
        turn = np.clip(at, start, end)
        exposed = (self.weight * (turn - start) + weight * (end - turn)) / 100
        alone = (1 - self.weight / 100) * self.copies * (turn - start) + (1 - weight / 100) * copies * (end - turn)
        moved = at <= end
        self.weight, self.copies = np.where(moved, weight, self.weight), np.where(moved, copies, self.copies)
        self.since = np.where(moved, at, self.since)
        self.next = weight, copies, np.where(moved, np.inf, at)
        return exposed, alone


class _Play:
    """Rollouts in progress. Counters of a moment are known one interval later, when all pods were scraped."""

    def __init__(
        self,
        world: World,
        candidate: Behavior,
        rollouts: int,
        rng: np.random.Generator,
        watch: Callable[[Moment], None] | None,
    ) -> None:
        spec, config = world.spec, world.config
        grid, per_second = bounds([config]), world.rpm / 60
        self._world, self._watch = world, watch
        self._rules = rules = Rules.of(spec, world.approval)
        self._guards = GuardBatch(config, rollouts, routed=spec.has_route, pods=int(rules.pods[0]))
        self._new = _Source(candidate, per_second, grid, rng)
        self._old = _Source(world.stable, per_second, grid, rng)
        self._route = _Route(rollouts)
        self._pods = np.full(rollouts, rules.pods[0])
        waits = world.approval if rules.gates[0] else 0.0
        # The counters of the first pods have to be known before the first step.
        first = np.full(rollouts, world.startup + world.interval + waits)
        self._walks = Walks(rules, first, waits)
        self._route.move(np.ones(rollouts, dtype=bool), first, *self._asked())
        self._stamp = np.floor(first / world.interval) * world.interval
        # Rows as in tables of requests; of stable, of the candidate, and of copies.
        self._totals = np.zeros((3, SLOW + len(grid), rollouts))
        self._number = np.arange(rollouts)
        self._ended = Played(*(np.zeros(rollouts) for _ in range(6)))

    def run(self) -> Played:
        """Look at each scrape, and in between when a hold is over."""
        walks = self._walks
        while self._number.size:
            pause = self._pause()
            stamp = self._stamp + pause
            now = stamp + self._world.interval
            looked = self._scrape(stamp, now)
            self._decide(now, looked)
            end = walks.ends_at(self._counted(), looked.shared, looked.speaks)
            soon = end < now + self._pause()
            if soon.any():
                now = np.where(soon, np.maximum(now, end), now)
                self._decide(now, looked, soon)
            if self._watch is not None and self._number[0] == 0:
                self._watch(self._moment(now, looked))
            self._finish(now)
        return self._ended

    def _asked(self) -> tuple[Array, Array]:
        return self._rules.weights[self._walks.step], self._rules.copies[self._walks.step]

    def _pause(self) -> Array:
        """Seconds until the next look: a scrape, and in a step that lasts for hours a small part of its age."""
        age, interval = self._stamp - self._walks.intended_at, self._world.interval
        pause: Array = interval * np.maximum(1, np.floor(age / (_LOOKS * interval)))
        return pause

    def _scrape(self, stamp: Array, now: Array) -> Looked:
        new, old, copies = self._draw(stamp)
        self._walks.moved_at = np.where(new[TOTAL] + old[TOTAL] > 0, stamp, self._walks.moved_at)
        return self._guards.look(stamp, Requests(new, old, mirrored=copies), *self._route.at(now))

    def _draw(self, until: Array) -> tuple[Array, Array, Array]:
        exposed, copied = self._route.pass_to(self._stamp, until)
        seconds = until - self._stamp
        self._stamp = until
        drawn = self._new.draw(exposed), self._old.draw(seconds - exposed), self._new.draw(copied)
        self._totals = self._totals + np.stack(drawn)
        return drawn

    def _counted(self) -> Counted:
        new, old, copies = self._totals[:, TOTAL]
        return Counted(new, old, copies)

    def _decide(self, now: Array, looked: Looked, asked: Array | None = None) -> None:
        weight, _ = self._route.at(now)
        moved = self._walks.look(now, weight, self._counted(), looked.breach, looked.shared, looked.speaks, asked)
        if not moved.any():
            return
        pods = np.where(moved, self._rules.pods[self._walks.step], self._pods)
        starts = np.where(pods > self._pods, self._world.startup, 0.0)
        self._pods = np.maximum(self._pods, pods)
        self._route.move(moved, now + starts, *self._asked())

    def _finish(self, now: Array) -> None:
        """Note what became of those that are over, and leave them out from now on."""
        walks = self._walks
        over = walks.outcome != Outcome.RUNNING
        if not over.any():
            return
        expired = walks.outcome == Outcome.EXPIRED
        seconds = np.where(expired, np.minimum(now, self._rules.deadline + walks.waited), now)
        stamp = self._stamp
        self._draw(np.where(over, np.maximum(seconds, stamp), stamp))
        new, old, _ = self._totals
        found = (walks.outcome, seconds, new[TOTAL], new[ERRORS], new[TOTAL] + old[TOTAL], new[ERRORS] + old[ERRORS])
        for kept, value in zip(vars(self._ended).values(), found, strict=True):
            kept[self._number[over]] = value[over]
        rest = ~over
        walks.keep(rest)
        self._guards.keep(rest)
        self._route.keep(rest)
        self._stamp, self._pods, self._number = self._stamp[rest], self._pods[rest], self._number[rest]
        self._totals = self._totals[..., rest]

    def _moment(self, now: Array, looked: Looked) -> Moment:
        new, old, copies = self._totals[..., 0]
        walks = self._walks
        return Moment(
            float(now[0]),
            int(walks.step[0]),
            not math.isnan(walks.verified_at[0]),
            not math.isnan(walks.held_since[0]),
            int(self._route.at(now)[0][0]),
            Outcome(int(walks.outcome[0])),
            int(new[TOTAL] + copies[TOTAL]),
            int(new[ERRORS] + copies[ERRORS]),
            int(old[TOTAL]),
            int(old[ERRORS]),
            tuple(looked.evidence[:, 0]),
        )
