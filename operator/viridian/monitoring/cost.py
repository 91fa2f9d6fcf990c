"""Cost: prices times what pods request, over the predictions that users got.

The operator multiplies, since it alone knows what the pods of each color request: no kube-state-metrics is needed. An
installation without prices (chart value `cost`) has none of these series.
"""

from datetime import timedelta
from typing import Final

from viridian_shared.counts.metric_names import COST_PER_HOUR
from viridian_shared.objectives import COST_PER_1000

from .recording import ANSWERED_5M, MODEL, REVISION
from .rule import MODEL_NAME, Alert, Group, Recording, Severity

_INTERVAL: Final = timedelta(minutes=5)
_PER_HOUR: Final = 12
"""Recorded values in an hour."""
_WINDOWS: Final = ("1h", "6h", "1d")
_REVISION_COST: Final = "revision:viridian_cost:per_hour"
_MODEL_COST: Final = "model:viridian_cost:per_hour"
_ENOUGH: Final = 100
"""Predictions of a day, below which a price of a thousand is a price of nearly nothing."""


def group() -> Group:
    """Return the group that prices revisions, models, rollouts and predictions, and the alert on the objective."""
    return Group(
        "viridian.cost",
        _INTERVAL,
        (
            # The operator that led before may still be known: one of them counts.
            Recording(_REVISION_COST, f"max by ({REVISION}, version, color, currency) ({COST_PER_HOUR})"),
            Recording(_MODEL_COST, f"sum by ({MODEL}, currency) ({_REVISION_COST})"),
            Recording(
                "model:viridian_rollout_cost:per_hour",
                # At rest a single color has pods, and this is zero.
                f"{_MODEL_COST}\n - max by ({MODEL}, currency) (sum by ({MODEL}, color, currency) ({_REVISION_COST}))",
            ),
            *(rule for window in _WINDOWS for rule in _per_1000(window)),
            _alert(),
        ),
    )


def _per_1000(window: str) -> tuple[Recording, ...]:
    """Return the predictions of a window, and what a thousand of them cost."""
    return (
        Recording(
            f"revision:viridian_answered:sum{window}",
            f"sum by ({REVISION}) (sum_over_time({ANSWERED_5M}[{window}:5m])) > 0",
        ),
        Recording(f"model:viridian_answered:sum{window}", f"sum by ({MODEL}) (revision:viridian_answered:sum{window})"),
        *(
            Recording(
                f"{level}:viridian_cost_per_1000:{window}",
                f"""
                1000 * sum by ({labels}, currency) (sum_over_time({cost}[{window}:5m])) / {_PER_HOUR}
                  / on ({labels}) group_left () {level}:viridian_answered:sum{window}
                """,
            )
            for level, labels, cost in (("model", MODEL, _MODEL_COST), ("revision", REVISION, _REVISION_COST))
        ),
    )


def _alert() -> Alert:
    objective = f"on ({MODEL}) group_left () max by ({MODEL}) ({COST_PER_1000})"
    return Alert(
        "ViridianCostAboveObjective",
        Severity.WARNING,
        # Six hours, so that the alert ends within them; and not before the model is a few hours old.
        f"""
        model:viridian_cost_per_1000:1d > {objective}
          and model:viridian_cost_per_1000:6h > {objective}
          and on ({MODEL}) model:viridian_answered:sum1d >= {_ENOUGH}
          and {_MODEL_COST} offset 2h
        """,
        f"Predictions of {MODEL_NAME} cost more than their objective",
        "1,000 predictions of the last day cost {{ $value | humanize }} {{ $labels.currency }}: too many pods, or too"
        " large ones, for the traffic.",
        after=timedelta(minutes=30),
    )
