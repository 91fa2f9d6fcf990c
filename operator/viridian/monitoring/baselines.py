"""Baselines: what is normal at this hour, from the same hour of the last four weeks, and alerts on what is not.

Silent until three of the four weeks have data, which needs a retention of 22 days or more.
"""

from datetime import timedelta
from typing import Final

from .recording import MODEL
from .rule import MODEL_NAME, Alert, Group, Recording, Severity

_WEEKS: Final = (1, 2, 3, 4)
_ENOUGH: Final = 3
_SPREADS: Final = 4
"""Standard deviations beyond which a value is not normal."""
_LEAST_SPREAD: Final = 0.1
"""Of the average: four values that happen to be equal do not make every other value strange."""
_BUSY: Final = 0.05
"""Requests per second, below which chance alone makes large differences."""
_SERIES: Final = {
    "requests": "model:viridian_requests:rate5m",
    "latency": "model:viridian_request_duration_seconds:p95_5m",
}


def group() -> Group:
    """Return the group that keeps each hour, compares it with the weeks before, and alerts."""
    recordings = tuple(rule for name, series in _SERIES.items() for rule in _baseline(name, series))
    return Group("viridian.baselines", timedelta(minutes=5), (*recordings, *_alerts()))


def _alerts() -> tuple[Alert, ...]:
    """Return the alerts on traffic and latency that are not normal for the hour."""
    away = f"{_SPREADS} * model:viridian_{{0}}:baseline_spread"
    return (
        Alert(
            "ViridianTrafficUnusual",
            Severity.WARNING,
            f"""
            abs(model:viridian_requests:avg1h - model:viridian_requests:baseline) > {away.format("requests")}
              and (model:viridian_requests:avg1h < 0.5 * model:viridian_requests:baseline
                   or model:viridian_requests:avg1h > 2 * model:viridian_requests:baseline)
              and model:viridian_requests:baseline > {_BUSY}
            """,
            f"Traffic of {MODEL_NAME} is not what it is at this hour",
            "It differs by {{ $value | humanize }} requests per second from the same hour of the last weeks.",
            after=timedelta(minutes=15),
        ),
        Alert(
            "ViridianLatencyUnusual",
            Severity.WARNING,
            f"""
            model:viridian_latency:avg1h - model:viridian_latency:baseline > {away.format("latency")}
              and model:viridian_latency:avg1h > 1.5 * model:viridian_latency:baseline
              and model:viridian_requests:avg1h > {_BUSY}
            """,
            f"{MODEL_NAME} is slower than it is at this hour",
            "Its P95 is {{ $value | humanizeDuration }} above that of the same hour of the last weeks.",
            after=timedelta(minutes=15),
        ),
    )


def _baseline(name: str, series: str) -> tuple[Recording, ...]:
    weeks = "\n or ".join(
        f'label_replace(model:viridian_{name}:avg1h offset {week}w, "week", "{week}", "", "")' for week in _WEEKS
    )
    average = f"model:viridian_{name}:baseline"
    return (
        Recording(f"model:viridian_{name}:avg1h", f"avg_over_time(({series} >= 0)[1h:5m])"),
        Recording(average, f"avg by ({MODEL}) ({weeks})\n and count by ({MODEL}) ({weeks}) >= {_ENOUGH}"),
        Recording(
            f"{average}_spread",
            f"(stddev by ({MODEL}) ({weeks}) > {_LEAST_SPREAD} * {average})\n or {_LEAST_SPREAD} * {average}",
        ),
    )
