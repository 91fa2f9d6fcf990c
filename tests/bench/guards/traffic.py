"""Simulated traffic of one rollout: counters of pods, scrape by scrape."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SCRAPE = 15.0
WEIGHT = 0.10
PODS = (2, 3)
"""Of the candidate and of stable."""
HEALTHY_FOR = 120.0
"""Minutes before a late regression."""
INCIDENTS = ("none", "shared", "varying", "clustered", "slow-node", "hostile", "late")

Numbers = NDArray[np.int64]


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
        return "100 %" if np.isinf(self.factor) else "same" if self.healthy else f"{self.factor:g}x"


@dataclass
class Traffic:
    """Cumulative requests and failures by pod, the candidate's pods first, after each scrape."""

    cell: Cell
    rng: np.random.Generator
    requests: Numbers = field(default_factory=lambda: np.zeros(sum(PODS), dtype=np.int64))
    failures: Numbers = field(default_factory=lambda: np.zeros(sum(PODS), dtype=np.int64))
    pinned: int = 0
    minute: float = 0.0
    begun: float = 0.0

    def __post_init__(self) -> None:
        # A shared incident lasts for 10 s.
        self.begun = float(self.rng.uniform(5, max(6.0, self.cell.minutes / 2)))

    @property
    def is_bad(self) -> bool:
        """Whether the candidate is bad by now."""
        return not self.cell.healthy and (self.cell.incident != "late" or self.minute >= HEALTHY_FOR)

    def step(self) -> None:
        """One scrape interval passes."""
        cell, rng = self.cell, self.rng
        share = np.array([WEIGHT / PODS[0]] * PODS[0] + [(1 - WEIGHT) / PODS[1]] * PODS[1])
        arrived = rng.poisson(cell.requests_per_minute * SCRAPE / 60 * share)
        rate = np.full(sum(PODS), cell.base_rate)
        if self.is_bad:
            rate[: PODS[0]] = np.minimum(1.0, cell.base_rate * cell.factor)
        if cell.incident in {"varying", "clustered"}:
            # The rate of all pods together, or of each by itself, varies from scrape to scrape by twice its mean.
            rate = np.minimum(1.0, rate * rng.gamma(0.25, 4.0, size=1 if cell.incident == "varying" else sum(PODS)))
        if cell.incident == "slow-node":
            rate[[0, PODS[0]]] = np.minimum(1.0, 5 * rate[[0, PODS[0]]])
        if cell.incident == "shared" and self.minute <= self.begun < self.minute + SCRAPE / 60:
            rate = rate + (1 - rate) * 0.5 * 10 / SCRAPE
        self.requests = self.requests + arrived
        self.failures = self.failures + rng.binomial(arrived, rate)
        if cell.incident == "hostile":
            self.pinned += int(rng.poisson(cell.requests_per_minute * SCRAPE / 60 * WEIGHT))
        self.minute += SCRAPE / 60

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Requests and failures of the candidate, and of stable, of those assigned at random."""
        n, x = self.requests, self.failures
        c = PODS[0]
        return int(n[:c].sum()), int(x[:c].sum()), int(n[c:].sum()), int(x[c:].sum())
