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
_ANSWERED: Final = ("ok", "error")
_NOW: Final = 300
"""Seconds that tell which revision serves now."""
_STEP: Final = 15
"""Seconds between two looks at whether there were counters."""


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        rpm: Requests a minute of all users, while there were any.
        behavior: How the revision does that has most of them now.
    """

    rpm: float
    behavior: Behavior


def measure(prometheus: str, namespace: str, name: str, window: int) -> Measured:
    """Ask Prometheus.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.
        window: Over how long, in seconds.

    Raises:
        CannotMeasure: It does not answer, or has counted no requests.
    """
    of = f"{labels_of((namespace, name))},{_USERS}"
    # Errors of a candidate that was turned back within the window are not stable's.
    recent = query(prometheus, f"topk(1, sum by (revision) (rate({REQUESTS}{{{of}}}[{min(window, _NOW)}s])))")
    revision = str(recent[0]["metric"].get("revision", "")) if recent else ""
    rates = {
        (str(sample["metric"].get("revision", "")), str(sample["metric"].get("outcome", ""))): value_of(sample)
        for sample in query(prometheus, f"sum by (revision, outcome) (rate({REQUESTS}{{{of}}}[{window}s]))")
    }
    everything = sum(rate for (_, outcome), rate in rates.items() if outcome in _ANSWERED)
    good, errors = (rates.get((revision, outcome), 0.0) for outcome in _ANSWERED)
    if not good + errors:
        raise CannotMeasure(
            f"Prometheus has counted no requests of {namespace}/{name} in {window} s: give --rpm and --error-rate, or"
            " a longer --window"
        )
    buckets = query(prometheus, f'sum by (le) (rate({DURATIONS}_bucket{{{of},revision="{revision}"}}[{window}s]))')
    behavior = Behavior(errors / (good + errors), _histogram(buckets, errors))
    return Measured(60 * everything / _counted_share(prometheus, of, window), behavior)


def _counted_share(prometheus: str, of: str, window: int) -> float:
    """The part of a window in which there were counters: a model may be younger than the window."""
    found = query(prometheus, f"count_over_time(sum({REQUESTS}{{{of}}})[{window}s:{_STEP}s])")
    seconds = _STEP * value_of(found[0]) if found else window
    return min(1.0, seconds / window)


def _histogram(samples: list[Any], errors: float) -> Histogram:
    """How long good answers take: errors are in the last bucket only, and are taken out of it."""
    rates = sorted((float(sample["metric"]["le"]), value_of(sample)) for sample in samples)
    good = max(rates[-1][1] - errors, 0.0) if rates else 0.0
    finite = [(bound, rate) for bound, rate in rates if math.isfinite(bound)]
    if not good or not finite:
        raise CannotMeasure("Prometheus has no durations of these requests: give --p95")
    return Histogram(tuple(bound for bound, _ in finite), tuple(min(1.0, rate / good) for _, rate in finite))
