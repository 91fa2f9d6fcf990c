"""Reads from Prometheus what pods have counted."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from viridian.api.model_key import labels_of
from viridian.cli.prometheus import CannotMeasure, query, value_of
from viridian_shared.counts.metric_names import DRIFT_BASELINE, DRIFT_OBSERVED

from .variables import Variable

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
    baselines = by_bin(query(prometheus, f"max by ({by}) ({DRIFT_BASELINE}{{{of}}})"), _VARIABLE)
    if not baselines:
        raise CannotMeasure(
            f"Prometheus knows no baseline of {namespace}/{name}: put a baseline.json beside the model, with `viridian"
            " import` or `viridian baseline`"
        )
    counts = by_bin(query(prometheus, f"sum by ({by}) (increase({DRIFT_OBSERVED}{{{of}}}[{window}]))"), _VARIABLE)
    found = [
        Variable.of(revision, kind, variable, served, baseline, sum(baseline.values()))
        for (revision, kind, variable), baseline in baselines.items()
        if any((served := counts[revision, kind, variable]).values())
    ]
    if not found:
        raise CannotMeasure(f"{namespace}/{name} has answered no user within {window}: try a longer --window")
    return sorted(found, key=lambda each: (each.revision, not each.drifts, -each.psi))


def by_bin(samples: list[Any], labels: Sequence[str]) -> defaultdict[tuple[str, ...], dict[str, float]]:
    """Return values by bin, for each combination of values of these labels."""
    found: defaultdict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for sample in samples:
        key = tuple(str(sample["metric"].get(name, "")) for name in labels)
        found[key][str(sample["metric"].get("bin", ""))] = value_of(sample)
    return found
