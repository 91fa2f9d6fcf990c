"""Prints build/bench-guards.json as tables: python -m tests.bench.guards.table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tests.bench.guards.__main__ import REPORT

Row = dict[str, Any]


def table(rows: Sequence[Row], healthy: bool) -> str:
    """Return one table: a line for each cell, a column for each rule.

    Args:
        rows: Those of the report.
        healthy: Whether of healthy candidates (how many were rolled back) or of bad ones (how many, and how soon).
    """
    chosen = [row for row in rows if row["healthy"] is healthy]
    rules = list(dict.fromkeys(row["rule"] for row in chosen))
    cells = dict.fromkeys(
        (row["base_rate"], row["requests_per_minute"], row["candidate"], row["incident"]) for row in chosen
    )
    lines = [
        "| base rate | requests a minute | candidate | traffic | rollouts | " + " | ".join(rules) + " |",
        "|---|---:|---|---|---:|" + "---:|" * len(rules),
    ]
    for cell in cells:
        base, rate, candidate, incident = cell
        found = {row["rule"]: row for row in chosen if _cell(row) == cell}
        shown = [_shown(found[rule], healthy=healthy) if rule in found else "" for rule in rules]
        rollouts = min(row["rollouts"] for row in found.values())
        lines.append(f"| {100 * base:g} % | {rate:,} | {candidate} | {incident} | {rollouts:,} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _cell(row: Row) -> tuple[Any, ...]:
    return row["base_rate"], row["requests_per_minute"], row["candidate"], row["incident"]


def _shown(row: Row, *, healthy: bool) -> str:
    share = f"{100 * row['rolled_back_share']:.3g} %"
    if healthy:
        return share
    early = f", {100 * row['rolled_back_early_share']:.3g} % early" if row["rolled_back_early_share"] else ""
    return f"{share}{early}" + (f", {row['median_requests']:,.0f}" if row["median_requests"] is not None else "")


def main() -> None:
    """Print both tables, the rules on labels apart."""
    rows = json.loads(REPORT.read_text())
    parts: Iterable[list[Row]] = (
        [row for row in rows if row["base_rate"]],
        [row for row in rows if not row["base_rate"]],
    )
    for part in parts:
        for healthy in (True, False):
            sys.stdout.write(f"{table(part, healthy)}\n\n")


if __name__ == "__main__":
    main()
