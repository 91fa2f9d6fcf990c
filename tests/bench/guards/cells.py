"""The cells of the grid, and what becomes of the rollouts in each."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from tests.bench.guards import answers, silence
from tests.bench.guards.rules import LATENCY, REJECTED, RULES, RULES_OF_ALL, Rule
from tests.bench.guards.traffic import HEALTHY, HEALTHY_FOR, INCIDENTS, Cell, Numbers, Traffic

FACTORS = (1.0, 1.5, 2.0, 5.0, math.inf)
NEVER, EARLY = -1, -2
"""Instead of a number of requests: the candidate was not rolled back, or before it turned bad."""

TOGETHER = 2000
"""Rollouts that are simulated at once."""
SLOW_SHARE, REJECTED_SHARE = 0.025, 0.01
"""Of stable's requests, for the guards on latency (5 % are allowed) and on rejected requests."""

Row = dict[str, Any]


class Task(Protocol):
    """Something to be simulated, and kept when it is done."""

    @property
    def name(self) -> str:
        """Its name as a file."""
        ...

    def rows(self, rollouts: int) -> list[Row]:
        """Simulate so many rollouts; a row of the report for each rule."""
        ...


@dataclass(frozen=True)
class Requests:
    """A cell that several rules look at."""

    cell: Cell
    rules: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name as a file."""
        return _slug(self.rules[0], self.cell)

    def rows(self, rollouts: int) -> list[Row]:
        """Simulate so many rollouts; a row of the report for each rule."""
        parts = [
            run(self.cell, min(TOGETHER, rollouts - first), _chance(self.name, first), self.rules)
            for first in range(0, rollouts, TOGETHER)
        ]
        return [row(rule, self.cell, np.concatenate([part[rule] for part in parts])) for rule in self.rules]


@dataclass(frozen=True)
class OneByOne:
    """A cell that one of our guards looks at, one rollout at a time.

    Attributes:
        rule: The guard's name in the report.
        cell: What happens.
        candidate: In words.
        simulate: One rollout.
    """

    rule: str
    cell: Cell
    candidate: str
    simulate: Callable[[np.random.Generator], int | None]

    @property
    def name(self) -> str:
        """Its name as a file."""
        return _slug(f"{self.rule} {self.candidate}", self.cell)

    def rows(self, rollouts: int) -> list[Row]:
        """Simulate so many rollouts; one row."""
        found = [self.simulate(_chance(self.name, number)) for number in range(rollouts)]
        requests = np.array([NEVER if each is None else each for each in found])
        return [{**row(self.rule, self.cell, requests), "candidate": self.candidate}]


@dataclass(frozen=True)
class _OfAnswers:
    number: int
    cell: Cell

    def __call__(self, rng: np.random.Generator) -> int | None:
        return answers.rolled_back_after(answers.CASES[self.number], self.cell, rng)


@dataclass(frozen=True)
class _OfSilence:
    cell: Cell

    def __call__(self, rng: np.random.Generator) -> int | None:
        return silence.rolled_back_after(self.cell, rng)


def tasks(bases: Sequence[float], rates: Sequence[int], minutes: float) -> Iterator[Task]:
    """Yield what is to be simulated: our guard on errors beside the rules of others, then each other guard of ours."""
    for cell in cells(bases, rates, minutes):
        yield Requests(cell, tuple(RULES))
    for rate in rates:
        for rule, share in ((LATENCY, SLOW_SHARE), (REJECTED, REJECTED_SHARE)):
            for cell in cells([share], [rate], minutes):
                if cell.incident != "hostile":
                    yield Requests(cell, (rule,))
    for rate in rates:
        for factor, candidate in ((1.0, HEALTHY), (math.inf, "silent")):
            cell = Cell(0.0, rate, factor, "none", minutes)
            yield OneByOne("viridian answers", cell, candidate, _OfSilence(cell))
        for number, case in enumerate(answers.CASES):
            cell = Cell(0.0, rate, 1.0 if case.candidate == HEALTHY else math.inf, case.incident, minutes)
            yield OneByOne(case.rule, cell, case.candidate, _OfAnswers(number, cell))


def cells(bases: Sequence[float], rates: Sequence[int], minutes: float) -> Iterator[Cell]:
    """Yield the cells: all candidates in quiet times, a healthy one in every incident, and a late regression."""
    for base in bases:
        for rate in rates:
            for incident in INCIDENTS:
                factors = FACTORS if incident == "none" else (5.0,) if incident == "late" else (1.0,)
                longer = HEALTHY_FOR if incident == "late" else 0.0
                yield from (Cell(base, rate, factor, incident, minutes + longer) for factor in factors)


def run(cell: Cell, rollouts: int, rng: np.random.Generator, names: Sequence[str]) -> dict[str, Numbers]:
    """Return, for each rule and rollout, the candidate's requests until it was rolled back; or `NEVER`, or `EARLY`.

    All rules see the same traffic. Of a late regression, requests count from when it began; a rule that rolled back
    before has rolled back a healthy candidate.
    """
    rules: dict[str, Rule] = {name: RULES_OF_ALL[name](rollouts) for name in names}
    traffic, answered = Traffic(cell, rng, rollouts), np.zeros(rollouts)
    found = {name: np.full(rollouts, float(NEVER)) for name in rules}
    while traffic.minute < cell.minutes:
        traffic.step()
        if cell.incident != "late" or traffic.is_bad:
            answered += traffic.sides[0]
        for name, rule in rules.items():
            if (found[name] != NEVER).all():
                continue
            new = rule(traffic) & (found[name] == NEVER)
            found[name][new] = answered[new] if traffic.is_bad or cell.healthy else EARLY
    return found


def row(rule: str, cell: Cell, requests: Numbers) -> Row:
    """Return one row of the report.

    Args:
        rule: Its name.
        cell: What it looked at.
        requests: As `run` returns them.
    """
    needed = requests[requests >= 0]
    return {
        "rule": rule,
        "base_rate": cell.base_rate,
        "requests_per_minute": cell.requests_per_minute,
        "candidate": cell.candidate,
        "incident": cell.incident,
        "healthy": cell.healthy,
        "rollouts": len(requests),
        "rolled_back_early_share": round(float(np.mean(requests == EARLY)), 4),
        "rolled_back_share": round(len(needed) / len(requests), 4),
        "median_requests": float(np.median(needed)) if len(needed) else None,
        "p95_requests": float(np.percentile(needed, 95)) if len(needed) else None,
    }


def _chance(name: str, first: int) -> np.random.Generator:
    """A source of chance of its own for each part of each cell: the order in which they are simulated is no matter."""
    return np.random.default_rng([zlib.crc32(name.encode()), first])


def _slug(rule: str, cell: Cell) -> str:
    words = f"{rule} {100 * cell.base_rate:g}% {cell.requests_per_minute} {cell.factor:g}x {cell.incident}"
    return re.sub(r"[^a-z0-9.]+", "-", f"{words} {cell.minutes:g}m".lower())
