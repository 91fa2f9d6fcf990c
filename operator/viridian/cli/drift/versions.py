"""Reads from Prometheus what two versions of a model have counted.

While both serve, each gets a share of the same requests, and the shares change from step to step. So every five minutes
of one are compared with the same five minutes of the other: neither has more of the night.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from viridian.api.model_key import ModelKey, labels_of
from viridian.cli.prometheus import CannotMeasure, query
from viridian_shared.counts.metric_names import DRIFT_OBSERVED
from viridian_shared.durations import format_duration

from .bins import KEEP_BINS, on_shared_bins
from .measure import by_bin
from .pair import Pair, Side
from .variables import Variable

SLOT: Final = timedelta(minutes=5)
"""Time in which both must have answered users to be compared."""
_VARIABLE: Final = ("kind", "variable")
_OF: Final = ", ".join(_VARIABLE)
_Key = tuple[str, ...]
_Counts = Mapping[_Key, Mapping[str, float]]


@dataclass(frozen=True)
class Comparison:
    """How far apart is what two versions have served."""

    pair: Pair
    window: timedelta
    variables: tuple[Variable, ...]
    """The one that differs most first. Its `baseline` is the other version."""
    joined: tuple[str, ...]
    """Those of them whose bins had to be joined, since the baselines have others."""
    left_out: tuple[str, ...]
    """Variables whose bins in both baselines have nothing in common."""

    def data(self) -> dict[str, Any]:
        """Return it for programs."""
        replaced = self.pair.replaced
        return {
            **asdict(self.pair.newer),
            "against": asdict(self.pair.other),
            "replacedAt": replaced.isoformat() if replaced else None,
            "windowSeconds": round(self.window.total_seconds()),
            "variables": [each.data("against") for each in self.variables],
            "joined": list(self.joined),
            "leftOut": list(self.left_out),
        }


def compare(prometheus: str, key: ModelKey, pair: Pair, window: timedelta) -> Comparison:
    """Compare two versions of a model.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        key: Of the model.
        pair: The versions.
        window: The last so long of both; of one that was replaced, the last so long before that.

    Raises:
        CannotMeasure: Prometheus does not answer, or has no values of one of them, or none that can be compared.
    """
    if pair.is_side_by_side and window < SLOT:
        raise CannotMeasure(
            f"--window is {format_duration(window)}: of two versions that both serve, it must be"
            f" {format_duration(SLOT)} or more"
        )
    newer, other = (_counted(prometheus, key, side, pair, window) for side in (pair.newer, pair.other))
    if pair.is_side_by_side:
        newer, other, rows = _at_the_same_time(prometheus, key, pair, window)
    else:
        rows = {each: sum(counts.values()) for each, counts in other.items()}
    if not any(rows.values()):
        raise CannotMeasure(
            f"{pair.newer} and {pair.other} have not answered users in the same {format_duration(SLOT)} within"
            f" {format_duration(window)}: wait until both have, or try a longer --window"
        )
    return _comparison(pair, window, newer, other, rows)


def _comparison(
    pair: Pair, window: timedelta, newer: _Counts, other: _Counts, rows: Mapping[_Key, float]
) -> Comparison:
    variables, joined, left_out = [], [], []
    for kind, name in (each for each in newer if any(newer[each].values()) and rows.get(each)):
        counts = newer[kind, name], other[kind, name]
        shared = on_shared_bins(*counts)
        if shared is None:
            left_out.append(name)
            continue
        variables.append(Variable.of(pair.newer.revision, kind, name, *shared, rows[kind, name]))
        if shared != counts:
            joined.append(name)
    if not variables:
        which = f"the bins of {', '.join(left_out)}" if left_out else "their features and outputs"
        raise CannotMeasure(
            f"the baselines of {pair.newer} and {pair.other} have nothing in common: {which} differ. {KEEP_BINS}"
        )
    ordered = sorted(variables, key=lambda each: (not each.drifts, -each.psi))
    return Comparison(pair, window, tuple(ordered), tuple(joined), tuple(left_out))


def _counted(prometheus: str, key: ModelKey, side: Side, pair: Pair, window: timedelta) -> _Counts:
    """Return all that a version has counted in its window."""
    replaced = pair.replaced if side == pair.other else None
    at = f" @ {replaced.timestamp():.0f}" if replaced else ""
    counts = f"sum by ({_OF}, bin) (increase({_series(key, side)}[{window.total_seconds():.0f}s]{at}))"
    found = by_bin(query(prometheus, counts), _VARIABLE)
    when = f"within {format_duration(window)}"
    if replaced:
        when += f" before it was replaced at {replaced:%Y-%m-%d %H:%M:%S} UTC"
    if not found:
        older = "; or Prometheus does not keep series for so long" if replaced else ""
        raise CannotMeasure(
            f"Prometheus knows no values of {side} {when}: there is no baseline.json beside that model, or its pods are"
            f" not scraped{older}"
        )
    if not any(any(values.values()) for values in found.values()):
        raise CannotMeasure(f"{side} has answered no user {when}: try a longer --window")
    return found


def _at_the_same_time(
    prometheus: str, key: ModelKey, pair: Pair, window: timedelta
) -> tuple[_Counts, _Counts, dict[_Key, float]]:
    """Return what one has counted, what the other one's shares make of that, and as how many values these count.

    In each slot, the other one's shares, of m values, count for the n values of the first. So weighted, they are as
    certain as N^2 / sum(n^2 / m) values, N the sum of n: those that it had, where the split has not changed.
    """
    slot, whole = (f"{each.total_seconds():.0f}s" for each in (SLOT, window))
    first, second = (
        f"sum by ({_OF}, bin) (increase({_series(key, side)}[{slot}]))" for side in (pair.newer, pair.other)
    )
    n, m = (f"sum without (bin) ({counts})" for counts in (first, second))
    newer, other, weights = (
        by_bin(query(prometheus, f"sum_over_time(({slots})[{whole}:{slot}])"), _VARIABLE)
        for slots in (
            f"{first} and on ({_OF}) ({m} > 0)",
            f"{second} * on ({_OF}) group_left () ({n} / ({m} > 0))",
            f"({n}) ^ 2 / ({m} > 0)",
        )
    )
    rows = {each: sum(newer[each].values()) ** 2 / total for each, bins in weights.items() if (total := bins[""])}
    return newer, other, rows


def _series(key: ModelKey, side: Side) -> str:
    return f"{DRIFT_OBSERVED}{{{labels_of(key)},revision={json.dumps(side.revision)}}}"
