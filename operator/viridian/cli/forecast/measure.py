"""Today's traffic, read from Prometheus: requests a minute, the share that fails, and how long they take."""

import math
from dataclasses import dataclass
from typing import Any, Final

from viridian.api.model_key import labels_of
from viridian.cli.prometheus import CannotMeasure, query, value_of
from viridian_shared.counts.metric_names import DURATIONS, REQUESTS
from viridian_shared.counts.via import JUDGED

from .behavior import Behavior, Histogram

_USERS: Final = f'via=~"{"|".join(JUDGED)}"'


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        rpm: Requests a minute of all users.
        behavior: How what serves now does.
    """

    rpm: float
    behavior: Behavior


def measure(prometheus: str, namespace: str, name: str, window: str) -> Measured:
    """Ask Prometheus.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.
        window: Over how long, such as 1h.

    Raises:
        CannotMeasure: It does not answer, or has counted no requests.
    """
    of = f"{labels_of((namespace, name))},{_USERS}"
    counts = {
        str(sample["metric"].get("outcome", "")): value_of(sample)
        for sample in query(prometheus, f"sum by (outcome) (rate({REQUESTS}{{{of}}}[{window}]))")
    }
    answered = counts.get("ok", 0.0) + counts.get("error", 0.0)
    if not answered:
        raise CannotMeasure(
            f"Prometheus has counted no requests of {namespace}/{name} in {window}: give --rpm and --error-rate, or a"
            " longer --window"
        )
    buckets = query(prometheus, f"sum by (le) (rate({DURATIONS}_bucket{{{of}}}[{window}]))")
    return Measured(60 * answered, Behavior(counts.get("error", 0.0) / answered, _histogram(buckets, counts)))


def _histogram(samples: list[Any], counts: dict[str, float]) -> Histogram:
    """How long good answers take: errors are in the last bucket only, and are taken out of it."""
    rates = sorted((float(sample["metric"]["le"]), value_of(sample)) for sample in samples)
    good = max(rates[-1][1] - counts.get("error", 0.0), 0.0) if rates else 0.0
    finite = [(bound, rate) for bound, rate in rates if math.isfinite(bound)]
    if not good or not finite:
        raise CannotMeasure("Prometheus has no durations of these requests: give --p95")
    return Histogram(tuple(bound for bound, _ in finite), tuple(min(1.0, rate / good) for _, rate in finite))
