"""One model: its users, its revisions, its predictions, what came of them, what they cost, its pods."""

from .outcomes import cost, outcomes
from .panels import CHOSEN, MODEL, NAMESPACE, Annotation, Board, Kind, Panel, Query, Row, Unit

_BY_REVISION = "{{revision}}"


def board() -> Board:
    """Return the dashboard."""
    return Board(
        "viridian-model",
        "Viridian / Model",
        (_users(), _revisions(), _predictions(), outcomes(), cost(), _pods()),
        (NAMESPACE, MODEL),
        (
            Annotation(
                "Rollouts",
                f"revision:viridian_requests:rate5m{{{CHOSEN}}} > 0 unless"
                f" revision:viridian_requests:rate5m{{{CHOSEN}}}"
                " offset 1m > 0",
                "{{revision}} gets its first requests",
            ),
            Annotation(
                "Promotions",
                f'count by (revision) (viridian_fallback_available{{{CHOSEN}, covers="self"}}) unless count by'
                f" (revision)"
                f' (viridian_fallback_available{{{CHOSEN}, covers="self"}} offset 1m)',
                "{{revision}} is stable",
            ),
        ),
    )


def _users() -> Row:
    objective = "model:viridian_objective"
    return Row(
        "Users",
        (
            _lines("Requests", Unit.PER_SECOND, f"model:viridian_requests:rate5m{{{CHOSEN}}}", "requests"),
            Panel(
                "Errors against the objective",
                Unit.SHARE,
                (
                    Query(f"model:viridian_errors:ratio5m{{{CHOSEN}}}", "errors"),
                    Query(f"{objective}_errors:ratio{{{CHOSEN}}}", "allowed"),
                ),
                description="Requests that stable answered in the model's place are none of its users' errors.",
            ),
            Panel(
                "Slow requests against the objective",
                Unit.SHARE,
                (
                    Query(f"model:viridian_slow:ratio5m{{{CHOSEN}}}", "slower than {{le}} s"),
                    Query(f"{objective}_slow:ratio{{{CHOSEN}}}", "allowed above {{le}} s"),
                ),
            ),
            Panel(
                "Budget burnt",
                Unit.NUMBER,
                tuple(
                    Query(
                        f"model:viridian_errors:ratio{window}{{{CHOSEN}}}"
                        f" / on (model_namespace, model) {objective}_errors:ratio",
                        f"errors, {window}",
                    )
                    for window in ("1h", "6h", "3d")
                ),
                description="1 uses the error budget of 30 days up in 30 days; 14.4 in an hour wakes somebody.",
            ),
            _lines(
                "Responses by status",
                Unit.PER_SECOND,
                f"sum by (code) (rate(viridian_responses_total{{{CHOSEN}}}[5m]))",
                "{{code}}",
                Kind.STACK,
            ),
            _lines(
                "Failures by kind",
                Unit.PER_SECOND,
                f"sum by (type, status) (rate(viridian_failures_total{{{CHOSEN}}}[5m]))",
                "{{type}} {{status}}",
                Kind.STACK,
            ),
        ),
    )


def _revisions() -> Row:
    requests, rescues = "revision:viridian_requests:rate5m", "revision:viridian_rescues:rate5m"
    latency = "revision:viridian_request_duration_seconds"
    return Row(
        "Revisions",
        (
            _lines("Requests by revision", Unit.PER_SECOND, f"{requests}{{{CHOSEN}}}", _BY_REVISION, Kind.STACK),
            _lines(
                "Error rate by revision",
                Unit.SHARE,
                f"revision:viridian_errors:rate5m{{{CHOSEN}}} / {requests}",
                _BY_REVISION,
            ),
            _lines("Answered by stable", Unit.PER_SECOND, f"{rescues}{{{CHOSEN}}}", _BY_REVISION),
            *(
                _lines(f"P{percentile}", Unit.SECONDS, f"{latency}:p{percentile}_5m{{{CHOSEN}}}", _BY_REVISION)
                for percentile in (50, 95, 99)
            ),
        ),
    )


def _predictions() -> Row:
    predictions = f"viridian_predictions_total{{{CHOSEN}}}"
    confidence = f"viridian_prediction_confidence_bucket{{{CHOSEN}}}"
    return Row(
        "Predictions",
        (
            _lines(
                "Predictions by revision",
                Unit.EACH_SECOND,
                f"sum by (revision) (rate({predictions}[5m]))",
                _BY_REVISION,
            ),
            _lines(
                "Classes",
                Unit.SHARE,
                f"sum by (class) (rate({predictions}[5m]))\n / ignoring (class) group_left ()"
                f" sum(rate({predictions}[5m]))",
                "{{class}}",
                Kind.STACK,
            ),
            _lines(
                "Median confidence",
                Unit.SHARE,
                f"histogram_quantile(0.5, sum by (revision, le) (rate({confidence}[5m])))",
                _BY_REVISION,
            ),
            _lines(
                "Values out of range",
                Unit.EACH_SECOND,
                f"sum by (feature, side) (rate(viridian_feature_out_of_range_total{{{CHOSEN}}}[5m])) > 0",
                "{{feature}} {{side}}",
            ),
            _lines(
                "Drift of a day (PSI)",
                Unit.NUMBER,
                f"max by (revision, variable) (revision:viridian_drift_psi:1d{{{CHOSEN}}})",
                "{{revision}} {{variable}}",
            ),
            _lines(
                "Requests by client",
                Unit.PER_SECOND,
                f"sum by (client) (rate(viridian_client_requests_total{{{CHOSEN}}}[5m]))",
                "{{client}}",
            ),
        ),
    )


def _pods() -> Row:
    calls = f"viridian_call_size_sum{{{CHOSEN}}}", f"viridian_call_size_count{{{CHOSEN}}}"
    waits = f"viridian_queue_seconds_bucket{{{CHOSEN}}}"
    hits, misses = f"viridian_cache_hits_total{{{CHOSEN}}}", f"viridian_cache_misses_total{{{CHOSEN}}}"
    return Row(
        "Pods",
        (
            _lines(
                "Ready pods", Unit.NUMBER, f"sum by (revision) (viridian_ready{{{CHOSEN}}})", _BY_REVISION, Kind.STACK
            ),
            _lines(
                "P95 of the wait in the queue",
                Unit.SECONDS,
                f"histogram_quantile(0.95, sum by (revision, le) (rate({waits}[5m])))",
                _BY_REVISION,
            ),
            _lines(
                "Instances in a call",
                Unit.NUMBER,
                f"sum by (revision) (rate({calls[0]}[5m])) / sum by (revision) (rate({calls[1]}[5m]))",
                _BY_REVISION,
            ),
            _lines(
                "Answered from the cache",
                Unit.SHARE,
                f"sum(rate({hits}[5m])) / (sum(rate({hits}[5m])) + sum(rate({misses}[5m])))",
                "hits",
            ),
            _lines(
                "Requests in flight",
                Unit.NUMBER,
                f"sum by (revision) (viridian_requests_in_flight{{{CHOSEN}}})",
                _BY_REVISION,
            ),
            _lines(
                "Memory of the API",
                Unit.BYTES,
                f"max by (revision) (process_resident_memory_bytes{{{CHOSEN}}})",
                _BY_REVISION,
            ),
        ),
    )


def _lines(title: str, unit: Unit, expr: str, legend: str, kind: Kind = Kind.LINES) -> Panel:
    return Panel(title, unit, (Query(expr, legend),), kind)
