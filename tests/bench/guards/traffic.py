"""Simulated traffic of many rollouts: counters of pods, scrape by scrape."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SCRAPE = 15.0
WEIGHT = 0.10
PODS = (2, 3)
"""Of the candidate and of stable."""
STARTUP = 1.0
"""Minutes in which the candidate's pods start, and guards see stable alone."""
HEALTHY = "same"
"""The candidate that is as good as stable, in a word."""
HEALTHY_FOR = 120.0
"""Minutes before a late regression."""
INCIDENTS = ("none", "shared", "varying", "clustered", "slow-node", "hostile", "late")

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One cell of the table.

    Attributes:
        base_rate: Stable's share of failures.
        requests_per_minute: Of both together.
        factor: How many times as often the candidate fails; infinite for always.
        incident: One of `INCIDENTS`.
        minutes: Length of a rollout.
    """

    base_rate: float
    requests_per_minute: int
    factor: float
    incident: str
    minutes: float

    @property
    def healthy(self) -> bool:
        """Whether the candidate is as good as stable."""
        return self.factor == 1

    @property
    def candidate(self) -> str:
        """The candidate in words."""
        return "100 %" if np.isinf(self.factor) else HEALTHY if self.healthy else f"{self.factor:g}x"


@dataclass
class Traffic:
    """Requests and failures of many rollouts, with the axes pod (the candidate's first) and rollout.

    Attributes:
        cell: What happens.
        rng: Chance.
        rollouts: How many.
        requests: Of each pod in the last scrape interval, as all following.
        failures: Those of them that failed.
        pinned: Requests of pinned clients to the candidate, all of which fail.
        weight: The candidate's, in percent.
        minute: Since the candidate has had its weight.
    """

    cell: Cell
    rng: np.random.Generator
    rollouts: int
    requests: Numbers = field(init=False)
    failures: Numbers = field(init=False)
    pinned: Numbers = field(init=False)
    minute: float = -STARTUP
    weight: float = 0.0

    def __post_init__(self) -> None:
        self.requests, self.failures = (np.zeros((sum(PODS), self.rollouts)) for _ in range(2))
        self.pinned = np.zeros(self.rollouts)
        # A shared incident lasts for 10 s.
        self._begins = self.rng.uniform(5, max(6.0, self.cell.minutes / 2), self.rollouts)

    @property
    def is_bad(self) -> bool:
        """Whether the candidate is bad by now."""
        return not self.cell.healthy and (self.cell.incident != "late" or self.minute > HEALTHY_FOR)

    def step(self) -> None:
        """One scrape interval passes."""
        cell, rng, shape = self.cell, self.rng, (sum(PODS), self.rollouts)
        per_scrape = cell.requests_per_minute * SCRAPE / 60
        self.weight = 0.0 if self.minute < 0 else 100 * WEIGHT
        before, self.minute = self.minute, self.minute + SCRAPE / 60
        share = [self.weight / 100 / PODS[0]] * PODS[0] + [(1 - self.weight / 100) / PODS[1]] * PODS[1]
        rate = np.full(shape, cell.base_rate)
        if self.is_bad:
            rate[: PODS[0]] = min(1.0, cell.base_rate * cell.factor)
        if cell.incident in {"varying", "clustered"}:
            # The rate of all pods together, or of each by itself, varies from scrape to scrape by twice its mean.
            together = (1, self.rollouts)
            rate = np.minimum(1.0, rate * rng.gamma(0.25, 4.0, together if cell.incident == "varying" else shape))
        if cell.incident == "slow-node":
            rate[[0, PODS[0]]] = np.minimum(1.0, 5 * rate[[0, PODS[0]]])
        if cell.incident == "shared":
            hit = (before <= self._begins) & (self._begins < self.minute)
            rate = rate + np.where(hit, (1 - rate) * 0.5 * 10 / SCRAPE, 0.0)
        self.requests = rng.poisson(per_scrape * np.array(share)[:, None], shape).astype(float)
        self.failures = rng.binomial(self.requests.astype(np.int64), rate).astype(float)
        if cell.incident == "hostile":
            self.pinned = rng.poisson(per_scrape * self.weight / 100, self.rollouts).astype(float)

    @property
    def sides(self) -> Numbers:
        """Rows: requests and failures of the candidate, and of stable, of those assigned at random."""
        n, x, c = self.requests, self.failures, PODS[0]
        return np.stack((n[:c].sum(axis=0), x[:c].sum(axis=0), n[c:].sum(axis=0), x[c:].sum(axis=0)))
