"""A report as text for people."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from viridian_import.outcomes.predictions import Log
from viridian_import.outcomes.report import MEASURES, Comparison, Joined, Report, Version
from viridian_import.outcomes.statistics import Estimate

_HEADS: Final = {"accuracy": "ACCURACY", "distance": "DISTANCE", "accepted": "ACCEPTED", "value": "VALUE EACH"}


def told(log: Log, joined: Joined, report: Report) -> str:
    """Return all of a report."""
    return "".join(f"{line}\n" for line in _lines(log, joined, report))


def _lines(log: Log, joined: Joined, report: Report) -> Iterator[str]:
    made, known = len(log.predictions), len(joined.outcomes)
    yield f"{made:,} predictions of users, {known:,} with something known ({known / made:.1%})."
    if joined.unmatched:
        yield f"{joined.unmatched:,} labels match no prediction: it was not logged (serving.log.sample), or no user's."
    if joined.ambiguous:
        yield (
            f"{joined.ambiguous:,} predictions are left out: their requests held several, and the labels have no column"
            " `instance` that says of which they are."
        )
    if log.unreadable:
        yield f"{log.unreadable:,} lines of the log are no records, and were passed over."
    yield ""
    yield from _table(report.versions)
    for version in report.versions:
        if version.bins:
            yield ""
            yield f"Confidence of {version.version}, from 0 to 1 in tenths: how many, stated, true"
            for each in version.bins:
                yield f"  {each.low:.1f}  {each.count:>8,}  {each.confidence:>6.1%}  {each.accuracy:>6.1%}"
    if report.comparisons:
        yield ""
        yield from _compared(report)


def _table(versions: Sequence[Version]) -> Iterator[str]:
    measures = [name for name in MEASURES if any(name in version.measures for version in versions)]
    heads = ["VERSION", "PREDICTIONS", "KNOWN", *(_HEADS[name] for name in measures), "VALUE", "CALIBRATION ERROR"]
    rows = [
        [
            version.version,
            f"{version.predictions:,}",
            f"{version.reported:,} ({version.reported / version.predictions:.1%})",
            *(_estimate(name, version.measures.get(name)) for name in measures),
            f"{version.value_sum:,.2f}" if version.value_sum is not None else "",
            f"{version.calibration_error:.1%}" if version.calibration_error is not None else "",
        ]
        for version in versions
    ]
    kept = [number for number in range(len(heads)) if any(row[number] for row in rows)]
    widths = {number: max(len(heads[number]), *(len(row[number]) for row in rows)) for number in kept}
    for row in (heads, *rows):
        yield "  ".join(f"{row[number]:<{widths[number]}}" for number in kept).rstrip()


def _compared(report: Report) -> Iterator[str]:
    if report.random:
        yield f"Against {report.against}, on predictions that the route assigned at random while both versions served:"
    else:
        yield (
            f"Against {report.against}. Beware: the requests were not assigned at random at the same time, so it may be"
            " the requests that differ:"
        )
    for each in report.comparisons:
        yield f"  {each.version}: {_comparison(each)}"
    yield f"A difference is called one when chance makes it with a probability below {report.limit:.2g}."


def _comparison(each: Comparison) -> str:
    share = MEASURES[each.measure].is_share
    value, low, high = (
        (f"{100 * number:+.1f}" if share else f"{number:+,.3g}")
        for number in (each.difference.value, each.difference.low, each.difference.high)
    )
    unit = " points" if share else ""
    theirs, ours = each.counts
    verdict = f"{each.better} is better" if each.better is not None else "chance alone could do that"
    return (
        f"{each.measure} {value}{unit} ({low} to {high}), of {theirs:,} and {ours:,} outcomes:"
        f" {verdict} (p = {each.difference.p:.2g})"
    )


def _estimate(name: str, found: Estimate | None) -> str:
    if found is None:
        return ""
    if MEASURES[name].is_share:
        return f"{found.value:.1%} ({100 * found.low:.1f} to {100 * found.high:.1f})"
    interval = f" ({found.low:,.3g} to {found.high:,.3g})" if math.isfinite(found.low) else ""
    return f"{found.value:,.3g}{interval}"
