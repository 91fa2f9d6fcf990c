"""Simulates rollouts under every rule, and writes build/bench-guards.json.

python -m tests.bench.guards [--rollouts 2000] [--bases 0.1,1,5] [--rates 1,10,60,600,6000] [--minutes 60]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tests.bench.guards.labels import rolled_back_after
from tests.bench.guards.rules import RULES, Rule
from tests.bench.guards.traffic import HEALTHY_FOR, INCIDENTS, Cell, Traffic

FACTORS = (1.0, 1.5, 2.0, 5.0, math.inf)
EARLY = -1
"""Instead of a number of requests: the candidate was rolled back before it turned bad."""

REPORT = Path("build/bench-guards.json")
Row = dict[str, object]


def cells(bases: Sequence[float], rates: Sequence[int], minutes: float) -> Iterator[Cell]:
    """Yield the cells: all candidates in quiet times, a healthy one in every incident, and a late regression."""
    for base in bases:
        for rate in rates:
            for incident in INCIDENTS:
                factors = FACTORS if incident == "none" else (5.0,) if incident == "late" else (1.0,)
                longer = HEALTHY_FOR if incident == "late" else 0.0
                yield from (Cell(base, rate, factor, incident, minutes + longer) for factor in factors)


def run(cell: Cell, seed: int, rules: dict[str, Rule]) -> dict[str, tuple[bool, int]]:
    """Return, for each rule, whether it rolled back, and after how many of the candidate's requests.

    All rules see the same traffic. Of a late regression, requests count from when it began; a rule that rolled back
    before has rolled back a healthy candidate, which is said by a negative number.
    """
    traffic, found, before = Traffic(cell, np.random.default_rng(seed)), {}, 0
    while traffic.minute < cell.minutes and len(found) < len(rules):
        if cell.incident == "late" and not traffic.is_bad:
            before = traffic.sides[0]
        traffic.step()
        for name, rule in rules.items():
            if name not in found and rule(traffic):
                found[name] = (True, traffic.sides[0] - before if traffic.is_bad or cell.healthy else EARLY)
    return {name: found.get(name, (False, 0)) for name in rules}


def row(rule: str, cell: Cell, results: Sequence[tuple[bool, int]]) -> Row:
    """Return one row of the report."""
    needed = [requests for rolled_back, requests in results if rolled_back and requests != EARLY]
    early = sum(requests == EARLY for _, requests in results)
    return {
        "rule": rule,
        "base_rate": cell.base_rate,
        "requests_per_minute": cell.requests_per_minute,
        "candidate": cell.candidate,
        "incident": cell.incident,
        "healthy": cell.healthy,
        "rollouts": len(results),
        "rolled_back_early_share": round(early / len(results), 4),
        "rolled_back_share": round(len(needed) / len(results), 4),
        "median_requests": float(np.median(needed)) if needed else None,
        "p95_requests": float(np.percentile(needed, 95)) if needed else None,
    }


def labels(rates: Sequence[int], rollouts: int, minutes: float) -> Iterator[Row]:
    """Yield the rows of `maxShift`: no shift, none while the inputs of both move, and one of twice the limit."""
    for rate in rates:
        for shift, moves in ((0.0, False), (0.0, True), (0.2, False)):
            chances = (np.random.default_rng(seed) for seed in range(rollouts))
            found = [rolled_back_after(rng, rate, shift, minutes, moves) for rng in chances]
            cell = Cell(0.0, rate, 1.0, "inputs move" if moves else "label shift" if shift else "none", minutes)
            shown = row("viridian maxShift", cell, [(each is not None, each or 0) for each in found])
            yield {**shown, "candidate": f"{100 * shift:g} % shift", "healthy": not shift}


def main(arguments: Sequence[str]) -> None:
    """Simulate, print each row, and write them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=2000)
    parser.add_argument("--bases", default="0.1,1,5", help="in percent")
    parser.add_argument("--rates", default="1,10,60,600,6000", help="requests a minute")
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args(arguments)
    bases = [float(each) / 100 for each in asked.bases.split(",")]
    rates = [int(each) for each in asked.rates.split(",")]
    rows: list[Row] = []
    for cell in cells(bases, rates, asked.minutes):
        runs = [run(cell, seed, {name: make() for name, make in RULES.items()}) for seed in range(asked.rollouts)]
        rows += [row(name, cell, [each[name] for each in runs]) for name in RULES]
        _write(rows, len(RULES))
    for shown in labels(rates, asked.rollouts, asked.minutes):
        rows.append(shown)
        _write(rows, 1)


def _write(rows: Sequence[Row], new: int) -> None:
    """Keep what is done: a long run that is stopped has its rows."""
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(rows, indent=1) + "\n")
    for each in rows[-new:]:
        sys.stdout.write(json.dumps(each) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
