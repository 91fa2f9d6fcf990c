"""What a model's users may expect: the metrics by which pods say it, and the objectives of a model that sets none."""

from typing import Final

AVAILABILITY: Final = "viridian_objective_availability_ratio"
"""Share of users' requests that must be answered."""
SLOW: Final = "viridian_objective_slow_ratio"
"""Share of users' requests that may take longer than the label `le`, a bound of the latency grid."""
COST_PER_1000: Final = "viridian_objective_cost_per_1000"
"""What 1,000 predictions may cost, in the currency of the installation's prices; absent where no model says it."""

DEFAULT_AVAILABILITY: Final = 0.99
DEFAULT_LATENCY: Final = {"p95": 0.5}
"""Seconds, by percentile."""


def slow_share(percentile: str) -> float:
    """Return the share of requests that may be slower than the bound of a percentile, written as `p95` or `p99.9`."""
    return round(1 - float(percentile.removeprefix("p")) / 100, 6)
