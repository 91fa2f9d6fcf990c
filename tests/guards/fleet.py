"""A fleet of pods that answers requests and publishes its counters, for tests."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from viridian.guards import Config, Judgement, PodCounters, RequestCounts, Rollout, Snapshot, State, Window, advance
from viridian.guards.state import decode, encode

INTERVAL = 2.0


@dataclass
class Pod:
    """One pod's cumulative counters."""

    requests: int = 0
    errors: int = 0
    slow: int = 0
    pinned: RequestCounts = field(default_factory=RequestCounts)

    def serve(self, requests: int, errors: int = 0, slow: int = 0) -> None:
        self.requests += requests
        self.errors += errors
        self.slow += slow

    def counters(self, stamp: float, bound: float = 0.2) -> PodCounters:
        buckets = {bound: self.requests - self.slow, math.inf: self.requests}
        return PodCounters(stamp, RequestCounts(self.requests, self.errors, buckets), self.pinned)


@dataclass
class Fleet:
    """Two revisions of pods behind a splitting route."""

    config: Config
    candidate: list[Pod] = field(default_factory=lambda: [Pod(), Pod()])
    stable: list[Pod] = field(default_factory=lambda: [Pod(), Pod(), Pod()])
    weight: int = 10
    weight_since: float = -1000.0
    now: float = 0.0
    state: State = field(default_factory=State)
    window: Window | None = None
    judgements: Sequence[Judgement] = ()

    def snapshot(self) -> Snapshot:
        pods = {"c": self.candidate, "s": self.stable}
        return Snapshot(
            self.now,
            {name: {f"{name}{i}": pod.counters(self.now) for i, pod in enumerate(some)} for name, some in pods.items()},
        )

    def look(self) -> Sequence[Judgement]:
        """Scrapes once, as the operator's ticker does."""
        rollout = Rollout("c", "s", self.weight, self.weight_since)
        self.state, self.window, self.judgements = advance(
            self.config, self.state, self.window, self.snapshot(), rollout
        )
        return self.judgements

    def set_weight(self, weight: int) -> None:
        self.weight, self.weight_since = weight, self.now

    def tick(self, candidate: tuple[int, ...], stable: tuple[int, ...]) -> Sequence[Judgement]:
        """Serves (requests, errors, slow) on each side, spread over its pods' first, then scrapes."""
        self.candidate[0].serve(*candidate)
        self.stable[0].serve(*stable)
        self.now += INTERVAL
        return self.look()

    def pin(self, requests: int, errors: int = 0) -> None:
        """Clients send so many requests to the candidate by choice; the next tick scrapes them."""
        self.candidate[0].pinned += RequestCounts(requests, errors)

    def random_tick(
        self, rng: random.Random, per_minute: float, p_candidate: float, p_stable: float
    ) -> Sequence[Judgement]:
        """Serves about so many requests, split by weight, each failing with its side's probability."""
        for _ in range(poisson(rng, per_minute * INTERVAL / 60)):
            mine = rng.random() < self.weight / 100
            pod = rng.choice(self.candidate if mine else self.stable)
            pod.serve(1, int(rng.random() < (p_candidate if mine else p_stable)))
        self.now += INTERVAL
        return self.look()

    def restart(self, start: Snapshot) -> None:
        """What a restart of the operator leaves: the state from status, and the counters as they stood then."""
        self.state = decode(json.loads(json.dumps(encode(self.state))))
        self.window = Window.at(start)

    def verdicts(self) -> list[str]:
        return [str(judgement.verdict) for judgement in self.judgements]


def seeded(seed: int) -> random.Random:
    """A source of chance that repeats itself."""
    return random.Random(seed)


def poisson(rng: random.Random, mean: float) -> int:
    """A Poisson-distributed number, for means of up to some hundred."""
    limit, product, n = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        n += 1
    return n
