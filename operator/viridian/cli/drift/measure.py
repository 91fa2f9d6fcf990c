"""Reads from Prometheus what pods have counted."""

from collections import defaultdict
from typing import Any

from viridian.api.model_key import labels_of
from viridian.cli.prometheus import CannotMeasure, query, value_of
from viridian_shared.counts.metric_names import DRIFT_BASELINE, DRIFT_OBSERVED

from .variables import Bin, Variable, in_order

_VARIABLE = ("revision", "kind", "variable")


def measure(prometheus: str, namespace: str, name: str, window: str) -> list[Variable]:
    """Read all variables of a model, the one that moved most first.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.
        window: Over how long, such as 86400s.

    Returns:
        Those of which values were served, of each revision that runs.

    Raises:
        CannotMeasure: Prometheus does not answer, or the model's pods have no baseline, or were asked nothing.
    """
    of = labels_of((namespace, name))
    by = ", ".join((*_VARIABLE, "bin"))
    baselines = _by_bin(query(prometheus, f"max by ({by}) ({DRIFT_BASELINE}{{{of}}})"))
    if not baselines:
        raise CannotMeasure(
            f"Prometheus knows no baseline of {namespace}/{name}: put a baseline.json beside the model, with `viridian"
            " import` or `viridian baseline`"
        )
    counts = _by_bin(query(prometheus, f"sum by ({by}) (increase({DRIFT_OBSERVED}{{{of}}}[{window}]))"))
    found = [_variable(key, baseline, counts[key]) for key, baseline in baselines.items() if any(counts[key].values())]
    if not found:
        raise CannotMeasure(f"{namespace}/{name} has answered no user within {window}: try a longer --window")
    return sorted(found, key=lambda each: (each.revision, not each.drifts, -each.psi))


def _variable(key: tuple[str, ...], baseline: dict[str, float], counts: dict[str, float]) -> Variable:
    values, rows = sum(counts.get(name, 0.0) for name in baseline), sum(baseline.values())
    bins = [Bin(name, counts.get(name, 0.0) / values, count / rows) for name, count in baseline.items()]
    revision, kind, variable = key
    return Variable(revision, kind, variable, in_order(bins), values, rows)


def _by_bin(samples: list[Any]) -> defaultdict[tuple[str, ...], dict[str, float]]:
    found: defaultdict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for sample in samples:
        found[_key(sample)][str(sample["metric"].get("bin", ""))] = value_of(sample)
    return found


def _key(sample: Any) -> tuple[str, ...]:  # noqa: ANN401 - what Prometheus sends
    return tuple(str(sample["metric"].get(name, "")) for name in _VARIABLE)
