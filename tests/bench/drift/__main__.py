"""Simulates models for a quarter, and a shift, under two rules, and writes build/bench-drift.json.

python -m tests.bench.drift [--models 30] [--shifts 50] [--rates 0.1,1,10,60,600]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from tests.bench.drift.rules import Counts, fixed, ours

REPORT = Path("build/bench-drift.json")
RULES = {"viridian": ours, "psi_above_0.2": fixed}
VARIABLES = 11
"""Of a model: ten features and a prediction."""
LOOKS_A_DAY = 288
DAYS = 91
HOLD = 6
"""Looks in a row for which the condition must hold: 30 minutes."""
SHIFT = 0.5
"""Of a standard deviation."""
Row = dict[str, object]


def variable(rng: np.random.Generator, rows: int) -> tuple[Counts, Counts, Counts]:
    """Draw the baseline of a normally distributed variable.

    Returns:
        Its counts by bin, below, ten deciles of the sample, above and missing; how likely each bin is; and how likely
        after the shift.
    """
    places = np.sort(rng.random(rows))
    ranks = [0, *(rows * i // 10 for i in range(1, 10)), rows - 1]
    bounds = places[ranks]
    counts = np.array([0, *np.diff([*ranks[:-1], rows]), 0, 0], dtype=float)
    normal = NormalDist()
    moved = np.array([normal.cdf(normal.inv_cdf(bound) - SHIFT) for bound in bounds])
    return counts, *(np.append(np.diff([0.0, *each, 1.0]), 0.0) for each in (bounds, moved))


def windows(rng: np.random.Generator, likely: Sequence[tuple[int, Counts]], a_minute: float) -> Counts:
    """Draw values by bin, and return how many there were in the day before each look, of shape (looks, bins).

    Args:
        rng: Chance.
        likely: Phases: how many looks each lasts, and how likely each bin is.
        a_minute: Requests.
    """
    drawn = [rng.multinomial(rng.poisson(5 * a_minute, looks), shares) for looks, shares in likely]
    total = np.cumsum(np.concatenate(drawn), axis=0, dtype=float)
    total[LOOKS_A_DAY:] -= total[:-LOOKS_A_DAY].copy()
    return total


def alarms(drifts: NDArray[np.bool_]) -> list[int]:
    """Return the looks at which an alarm begins."""
    held = np.convolve(drifts, np.ones(HOLD), "full")[: len(drifts)] >= HOLD
    return [int(look) for look in np.flatnonzero(held & ~np.append(False, held[:-1]))]


def quiet(models: int, rate: float, rows: int) -> Iterator[Row]:
    """Yield, for each rule, the alarms of models in a quarter in which nothing changes."""
    found = {name: np.zeros(models) for name in RULES}
    for seed in range(models):
        rng = np.random.default_rng((seed, rows))
        for _ in range(VARIABLES):
            baseline, shares, _ = variable(rng, rows)
            served = windows(rng, [(DAYS * LOOKS_A_DAY, shares)], rate)
            for name, rule in RULES.items():
                found[name][seed] += len(alarms(rule(served, baseline)))
    for name, numbers in found.items():
        yield {
            "case": "quiet",
            "rule": name,
            "requests_per_minute": rate,
            "baseline_rows": rows,
            "simulations": models,
            "alarms_per_model_and_quarter": round(float(numbers.mean()), 3),
            "models_with_an_alarm": int((numbers > 0).sum()),
        }


def shifted(variables: int, rate: float, rows: int) -> Iterator[Row]:
    """Yield, for each rule, how long one variable takes to be found whose mean moves after two days."""
    delays: dict[str, list[float]] = {name: [] for name in RULES}
    before = 2 * LOOKS_A_DAY
    for seed in range(variables):
        rng = np.random.default_rng((seed, rows, 1))
        baseline, shares, moved = variable(rng, rows)
        served = windows(rng, [(before, shares), (before, moved)], rate)
        for name, rule in RULES.items():
            later = [look for look in alarms(rule(served, baseline)) if look >= before]
            delays[name] += [(later[0] - before + 1) / 12] if later else []
    for name, hours in delays.items():
        yield {
            "case": "shift",
            "rule": name,
            "requests_per_minute": rate,
            "baseline_rows": rows,
            "simulations": variables,
            "found_within_two_days": len(hours),
            "found_within_a_day": sum(each <= 24 for each in hours),
            "median_hours": float(np.median(hours)) if hours else None,
        }


def main() -> int:
    """Run all cells."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--shifts", type=int, default=50)
    parser.add_argument("--rates", default="0.1,1,10,60,600")
    parser.add_argument("--rows", default="400,2000")
    given = parser.parse_args()
    found: list[Row] = []
    for rows in map(int, given.rows.split(",")):
        for rate in map(float, given.rates.split(",")):
            for row in (*quiet(given.models, rate, rows), *shifted(given.shifts, rate, rows)):
                found.append(row)
                sys.stdout.write(f"{json.dumps(row)}\n")
                sys.stdout.flush()
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({"rows": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
