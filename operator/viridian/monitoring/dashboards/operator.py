"""The operator: who leads, how it keeps up, what it did."""

from .panels import Board, Kind, Panel, Query, Row, Unit


def board() -> Board:
    """Return the dashboard."""
    passes, queries = "viridian_operator_reconcile_seconds", "viridian_operator_prometheus_query_seconds"
    return Board(
        "viridian-operator",
        "Viridian / Operator",
        (
            Row(
                "Rollouts",
                (
                    _panel(
                        "Models by phase", Unit.NUMBER, "max by (phase) (viridian_operator_models) > 0", "{{phase}}"
                    ),
                    _panel(
                        "Rollouts that ended, an hour",
                        Unit.NUMBER,
                        "sum by (result, reason) (increase(viridian_operator_rollouts_ended_total[1h]))",
                        "{{result}} {{reason}}",
                    ),
                    _panel(
                        "P95 from evidence to rollback",
                        Unit.SECONDS,
                        "histogram_quantile(0.95, sum by (le) (increase(viridian_operator_revert_seconds_bucket[1d])))",
                        "P95",
                    ),
                    _panel(
                        "Evidence on its way to a rollback",
                        Unit.SHARE,
                        "ln(viridian_operator_evidence) / ln(viridian_operator_evidence_threshold)",
                        "{{model_namespace}}/{{revision}} {{guard}}",
                    ),
                ),
            ),
            Row(
                "Health",
                (
                    _panel("Leaders", Unit.NUMBER, "sum(viridian_operator_leader)", "leaders"),
                    _panel("Age of the last tick", Unit.SECONDS, "max(viridian_operator_tick_age_seconds)", "age"),
                    _panel("Models that wait", Unit.NUMBER, "max(viridian_operator_queue_depth)", "models"),
                    _panel(
                        "P95 of passes",
                        Unit.SECONDS,
                        f"histogram_quantile(0.95, sum by (le, result) (rate({passes}_bucket[5m])))",
                        "{{result}}",
                    ),
                    _panel(
                        "Queries to Prometheus",
                        Unit.EACH_SECOND,
                        f"sum by (purpose, result) (rate({queries}_count[5m]))",
                        "{{purpose}} {{result}}",
                    ),
                    _panel(
                        "Writes to the API server",
                        Unit.EACH_SECOND,
                        "sum by (verb, result) (rate(viridian_operator_api_writes_total[5m]))",
                        "{{verb}} {{result}}",
                    ),
                    _panel(
                        "Watches that began again",
                        Unit.EACH_SECOND,
                        "sum by (kind) (rate(viridian_operator_watch_restarts_total[5m]))",
                        "{{kind}}",
                    ),
                    _panel(
                        "Notifications",
                        Unit.EACH_SECOND,
                        "sum by (result) (rate(viridian_operator_notifications_total[5m]))",
                        "{{result}}",
                    ),
                ),
            ),
        ),
    )


def _panel(title: str, unit: Unit, expr: str, legend: str) -> Panel:
    return Panel(title, unit, (Query(expr, legend),), Kind.LINES, width=6)
