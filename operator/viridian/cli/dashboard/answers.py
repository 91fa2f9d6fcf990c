"""How revisions answer: a candidate beside stable in a shadow step, and drift from the baseline, as pods count them.

The disagreements themselves are in the prediction log alone, redacted by its rules; here are their kinds and numbers.
"""

from collections import defaultdict
from typing import Any, Final

from viridian.api.model_key import labels_of
from viridian.cli.drift.measure import measure
from viridian.cli.model import Json
from viridian.cli.prometheus import CannotMeasure, query, value_of
from viridian_shared.counts.metric_names import SHADOW, SHADOW_DIFFERENCES

_DAY: Final = "86400s"


def read_answers(prometheus: str, namespace: str, name: str) -> Json:
    """Read what Prometheus has on a model's answers.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.

    Returns:
        `shadow`: for each candidate of a shadow step its revision, its `results` by kind, and `differences`: lists of
        an upper bound and how many pairs of answers are as far apart and no farther than the bound before, in order.
        `drift`: for each feature and output what `kubectl viridian drift` prints of it; `why` says why there is none.

    Raises:
        CannotMeasure: Prometheus does not answer.
    """
    of = labels_of((namespace, name))
    results = query(prometheus, f"sum by (candidate, result) ({SHADOW}{{{of}}})")
    buckets = query(prometheus, f"sum by (candidate, le) ({SHADOW_DIFFERENCES}_bucket{{{of}}})")
    try:
        drift, why = [each.data() for each in measure(prometheus, namespace, name, _DAY)], ""
    except CannotMeasure as error:
        drift, why = [], str(error)
    return {"shadow": _shadow(results, buckets), "drift": drift, "why": why}


def _shadow(results: list[Any], buckets: list[Any]) -> list[Json]:
    counted: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for sample in results:
        counted[sample["metric"]["candidate"]][sample["metric"]["result"]] = value_of(sample)
    below: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for sample in buckets:
        below[sample["metric"]["candidate"]].append((float(sample["metric"]["le"]), value_of(sample)))
    return [
        {"revision": candidate, "results": numbers, "differences": _apart(sorted(below[candidate]))}
        for candidate, numbers in sorted(counted.items())
        if any(numbers.values())
    ]


def _apart(cumulative: list[tuple[float, float]]) -> list[Json]:
    before, found = 0.0, []
    for bound, count in cumulative:
        if count > before:
            found.append({"atMost": bound if bound != float("inf") else None, "count": count - before})
        before = count
    return found
