"""The guards of a spec as plain numbers."""

from viridian.api.quantities import parse_decimal, parse_percent
from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.config import Config, LatencyGuard
from viridian_shared.durations import parse_duration


def guard_config(spec: ModelDeploymentSpec) -> Config:
    """Return what a spec asks the guards."""
    return Config(
        error_rate_max=parse_percent(spec.guards.error_rate.max),
        worse_than_stable=parse_decimal(spec.guards.error_rate.worse_than_stable),
        latencies=tuple(
            LatencyGuard(float(guard.percentile), parse_duration(guard.max).total_seconds())
            for guard in spec.guards.latency
        ),
        request_timeout=parse_duration(spec.serving.timeout).total_seconds(),
    )
