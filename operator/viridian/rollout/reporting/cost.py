"""What a rollout cost on top, by the operator's own metric, which Prometheus keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from viridian.api.model_key import ModelKey, labels_of
from viridian_shared.counts.metric_names import COST_PER_HOUR

STEP: Final = 60
"""Seconds between two values that are added up."""


@dataclass(frozen=True)
class Amount:
    """Money."""

    value: float
    currency: str

    def __str__(self) -> str:
        """To the cent, or to three digits of what is less than one."""
        value = f"{self.value:,.2f}" if abs(self.value) >= 1 else f"{self.value:.3g}"
        return f"{value} {self.currency}".rstrip()


def by_color(key: ModelKey) -> str:
    """Return the query for what the pods of each color of a model cost for an hour."""
    return f"sum by (color, currency) (max by (revision, color, currency) ({COST_PER_HOUR}{{{labels_of(key)}}}))"


def on_top(key: ModelKey, begun: datetime, ended: datetime) -> str:
    """Return the query for what the second color cost while a rollout ran: the cheaper one, at each moment."""
    colors = by_color(key)
    extra = f"sum by (currency) ({colors}) - max by (currency) ({colors})"
    seconds = max(STEP, round((ended - begun).total_seconds()))
    return f"sum_over_time(({extra})[{seconds}s:{STEP}s] @ {ended.timestamp():.0f}) * {STEP} / 3600"


def read_amount(result: Sequence[Any]) -> Amount | None:
    """Read the `result` of an instant query's answer; None where there is no number in it."""
    for sample in result:
        value = float(sample["value"][1])
        if math.isfinite(value):
            return Amount(value, str(sample["metric"].get("currency", "")))
    return None
