"""All models at a glance. It reads recorded series alone, so that thousands of models stay cheap."""

from .panels import Board, Kind, Panel, Query, Row, Unit

_NAME = "{{model_namespace}}/{{model}}"


def board() -> Board:
    """Return the dashboard."""
    return Board(
        "viridian-fleet",
        "Viridian / Fleet",
        (
            Row(
                "Now",
                (
                    _number(
                        "Models with pods", Unit.NUMBER, "count(count by (model_namespace, model) (viridian_ready))"
                    ),
                    _number("Requests", Unit.PER_SECOND, "sum(model:viridian_requests:rate5m)"),
                    _number(
                        "Errors",
                        Unit.SHARE,
                        "sum(model:viridian_errors:rate5m) / sum(model:viridian_requests:rate5m)",
                    ),
                    _number("Answered by stable", Unit.PER_SECOND, "sum(model:viridian_rescues:rate5m)"),
                    _number(
                        "Alerts",
                        Unit.NUMBER,
                        'count(ALERTS{alertname=~"Viridian.+", alertstate="firing"}) or vector(0)',
                    ),
                    _number("Pods that are not ready", Unit.NUMBER, "count(viridian_ready == 0) or vector(0)"),
                ),
            ),
            Row(
                "The ten that stand out",
                (
                    _top("Requests", Unit.PER_SECOND, "model:viridian_requests:rate5m"),
                    _top("Errors of users", Unit.SHARE, "model:viridian_errors:ratio5m"),
                    _top("P95", Unit.SECONDS, "model:viridian_request_duration_seconds:p95_5m"),
                    _top("Answered by stable", Unit.PER_SECOND, "model:viridian_rescues:rate5m"),
                    _top(
                        "Error budget burnt, in an hour",
                        Unit.NUMBER,
                        "model:viridian_errors:ratio1h"
                        " / on (model_namespace, model) model:viridian_objective_errors:ratio",
                        "1 uses the budget of 30 days up in 30 days.",
                    ),
                    _top(
                        "Latency budget burnt, in an hour",
                        Unit.NUMBER,
                        "model:viridian_slow:ratio1h"
                        " / on (model_namespace, model, le) model:viridian_objective_slow:ratio",
                        "1 uses the budget of 30 days up in 30 days.",
                    ),
                    _top("Cost of an hour", Unit.NUMBER, "model:viridian_cost:per_hour", "Needs prices in the chart."),
                    _top(
                        "Cost of 1,000 predictions",
                        Unit.NUMBER,
                        "model:viridian_cost_per_1000:1d",
                        "Of a day. Needs prices in the chart.",
                    ),
                ),
            ),
        ),
    )


def _number(title: str, unit: Unit, expr: str) -> Panel:
    return Panel(title, unit, (Query(expr),), Kind.NUMBER, width=4)


def _top(title: str, unit: Unit, expr: str, description: str = "") -> Panel:
    return Panel(title, unit, (Query(f"topk(10, {expr})", _NAME),), description=description)
