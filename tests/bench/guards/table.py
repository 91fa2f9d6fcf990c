"""Prints build/bench-guards.json as tables, or puts them into a page.

python -m tests.bench.guards.table [--into docs/evidence/guards.md]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.guards.__main__ import REPORT

Row = dict[str, Any]
OURS = "viridian"
"""The rule that is compared with those of others; our further guards have names that begin so."""
MOST = 0.01
"""Of healthy candidates, in each cell."""

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
"""Lines of the page between which the tables are."""

_ORDER = ("same", "1.5x", "2x", "5x", "100 %")


def page(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the parts of a page: what the grid says in sentences, and its tables.

    Args:
        rows: Those of the report.
    """
    compared = [row for row in rows if not row["rule"].startswith(f"{OURS} ")]
    further = [row for row in rows if row["rule"].startswith(f"{OURS} ")]
    yield "\n".join(verdicts(compared))
    yield "Healthy candidates that were rolled back:"
    yield table(compared, healthy=True)
    yield (
        "Bad candidates that were rolled back, and the median of their requests until then. 1.5 times is what the"
        " guards allow:"
    )
    yield table(compared, healthy=False)
    if further:
        yield (
            "Our further guards, on healthy candidates and on bad ones. The base rate is that of slow answers (at most"
            " 5 % are allowed) or of rejected requests; a candidate that is not `same` says what is wrong with it:"
        )
        for rule in dict.fromkeys(row["rule"] for row in further):
            own = [row for row in further if row["rule"] == rule]
            yield f"**{rule.removeprefix(f'{OURS} ')}**, healthy: {_worst(own)}."
            yield table(own, healthy=False)


def verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """Yield whether healthy candidates are left alone in each cell, by us and by others, and who is faster."""
    healthy = [row for row in rows if row["healthy"]]
    for rule in dict.fromkeys(row["rule"] for row in healthy):
        yield f"- {rule}: {_worst([row for row in healthy if row['rule'] == rule])}."
    keep = [
        rule
        for rule in dict.fromkeys(row["rule"] for row in healthy)
        if rule != OURS and all(row["rolled_back_share"] <= MOST for row in healthy if row["rule"] == rule)
    ]
    if not keep:
        yield f"- No other rule keeps to {MOST:.0%} in every cell.".replace("%", " %")
    for rule in keep:
        faster = [_name(row) for row in rows if row["rule"] == rule and _is_faster(row, rows)]
        yield f"- {rule} keeps to 1 % as well, and is faster in {len(faster)} cells: {'; '.join(faster) or 'none'}."


def _worst(rows: Sequence[Row]) -> str:
    """How many healthy candidates were rolled back in the worst cell, and in which cells it is more than allowed."""
    healthy = [row for row in rows if row["healthy"]]
    if not healthy:
        return "no cell is done"
    above = [f"{_name(row)} ({_percent(row)})" for row in healthy if row["rolled_back_share"] > MOST]
    most = max(healthy, key=lambda row: float(row["rolled_back_share"]))
    text = f"at most {_percent(most)} in {len(healthy)} cells"
    if not above:
        return text
    shown = f": {'; '.join(above)}" if len(above) <= 6 else ""
    return f"{text}, more than 1 % in {len(above)} of them{shown}"


def _is_faster(row: Row, rows: Sequence[Row]) -> bool:
    ours = next((each for each in rows if each["rule"] == OURS and _cell(each) == _cell(row)), None)
    if row["healthy"] or ours is None or row["median_requests"] is None or row["rolled_back_share"] < 0.5:
        return False
    return ours["rolled_back_share"] < 0.5 or bool(row["median_requests"] < ours["median_requests"])


def _name(row: Row) -> str:
    rate = f"{row['requests_per_minute']:,} a minute"
    return f"{100 * row['base_rate']:g} %, {rate}, {row['candidate']}, {row['incident']}"


def _percent(row: Row) -> str:
    return f"{100 * row['rolled_back_share']:.3g} %"


def table(rows: Sequence[Row], healthy: bool) -> str:
    """Return one table: a line for each cell, a column for each rule.

    Args:
        rows: Those of the report.
        healthy: Whether of healthy candidates (how many were rolled back) or of bad ones (how many, and how soon).
    """
    chosen = sorted((row for row in rows if row["healthy"] is healthy), key=_order)
    rules = list(dict.fromkeys(row["rule"] for row in chosen))
    lines = [
        f"| base rate | requests a minute | candidate | traffic | rollouts | {' | '.join(rules)} |",
        "|---|---:|---|---|---:|" + "---:|" * len(rules),
    ]
    for cell in dict.fromkeys(_cell(row) for row in chosen):
        base, rate, candidate, incident = cell
        found = {row["rule"]: row for row in chosen if _cell(row) == cell}
        shown = [_shown(found[rule], healthy=healthy) if rule in found else "" for rule in rules]
        rollouts = min(row["rollouts"] for row in found.values())
        lines.append(f"| {100 * base:g} % | {rate:,} | {candidate} | {incident} | {rollouts:,} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _order(row: Row) -> tuple[Any, ...]:
    known = _ORDER.index(row["candidate"]) if row["candidate"] in _ORDER else len(_ORDER)
    return row["base_rate"], row["requests_per_minute"], known, row["candidate"]


def _cell(row: Row) -> tuple[Any, ...]:
    return row["base_rate"], row["requests_per_minute"], row["candidate"], row["incident"]


def _shown(row: Row, *, healthy: bool) -> str:
    if healthy:
        return _percent(row)
    early = f", {100 * row['rolled_back_early_share']:.3g} % early" if row["rolled_back_early_share"] else ""
    return f"{_percent(row)}{early}" + (
        f", {row['median_requests']:,.0f}" if row["median_requests"] is not None else ""
    )


def main(arguments: Sequence[str]) -> None:
    """Print the tables, or replace those of a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, help="A page with marks around its results.")
    asked = parser.parse_args(arguments)
    text = "\n\n".join(page(json.loads(REPORT.read_text())))
    if asked.into is None:
        sys.stdout.write(f"{text}\n")
        return
    before, _, rest = asked.into.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    asked.into.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1:])
