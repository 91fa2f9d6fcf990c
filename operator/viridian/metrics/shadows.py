"""What stable's pods say of copies of their requests: a report for people, apart from what guards judge."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from viridian.api.model_key import ModelKey
from viridian.guards.shadow_report import ShadowReport, tail
from viridian_shared.counts.metric_names import SHADOW, SHADOW_DURATIONS
from viridian_shared.counts.mirrored import Mirrored

from .connection import MetricsError

_BUCKETS = f"{SHADOW_DURATIONS}_bucket"
_BY = "__name__, model_namespace, model, candidate, result, role, le"


def build_shadow_query(keys: Collection[ModelKey]) -> str:
    """The one query for some models: the newest counts, summed over stable's pods."""
    namespaces = "|".join(sorted({namespace for namespace, _ in keys}))
    models = "|".join(sorted({name for _, name in keys}))
    selector = f"__name__=~`{SHADOW}|{_BUCKETS}`,model_namespace=~`{namespaces}`,model=~`{models}`"
    return f"sum by ({_BY}) ({{{selector}}})"


def gather_shadows(
    series: Iterable[dict[str, Any]], keys: Collection[ModelKey]
) -> dict[tuple[ModelKey, str], ShadowReport]:
    """The reports by model and candidate's revision.

    Raises:
        MetricsError: the answer does not hold such series.
    """
    counts: dict[tuple[ModelKey, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    buckets: dict[tuple[ModelKey, str], dict[str, dict[float, float]]] = defaultdict(lambda: defaultdict(dict))
    try:
        for one in series:
            labels, value = one["metric"], float(one["value"][1])
            key = (labels["model_namespace"], labels["model"])
            if key not in keys or not math.isfinite(value):
                continue
            pair = (key, labels["candidate"])
            if labels["__name__"] == SHADOW:
                counts[pair][labels["result"]] += int(value)
            else:
                buckets[pair][labels["role"]][float(labels["le"])] = value
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise MetricsError(f"Prometheus answered with series of {SHADOW} that are none: {error}") from error
    return {
        pair: ShadowReport(
            agreed=found[Mirrored.AGREED],
            disagreed=found[Mirrored.DISAGREED],
            failed=found[Mirrored.FAILED],
            dropped=found[Mirrored.DROPPED],
            p95=tail(buckets[pair]["candidate"]),
            stable_p95=tail(buckets[pair]["stable"]),
        )
        for pair, found in counts.items()
    }
