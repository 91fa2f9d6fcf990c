"""The guards of a spec as plain numbers."""

from viridian.api.quantities import parse_decimal, parse_percent
from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.config import Config, LatencyGuard, SlowerGuard
from viridian_shared.durations import parse_duration


def guard_config(spec: ModelDeploymentSpec) -> Config:
    """Return what a spec asks the guards."""
    guards = spec.guards
    shift = guards.predictions.max_shift if guards.predictions is not None else None
    class_ratio = guards.predictions.max_class_ratio if guards.predictions is not None else None
    return Config(
        error_rate_max=parse_percent(guards.error_rate.max),
        worse_than_stable=parse_decimal(guards.error_rate.worse_than_stable),
        latencies=tuple(
            LatencyGuard(float(guard.percentile), parse_duration(guard.max).total_seconds())
            for guard in guards.latency
            if guard.max is not None
        ),
        request_timeout=parse_duration(spec.serving.timeout).total_seconds(),
        rejected=None if guards.rejected is None else parse_decimal(guards.rejected.worse_than_stable),
        slower=tuple(
            SlowerGuard(float(guard.percentile), parse_decimal(guard.max_times_stable))
            for guard in guards.latency
            if guard.max_times_stable is not None
        ),
        agreement=None if guards.agreement is None else parse_percent(guards.agreement.min),
        accuracy=None if guards.accuracy is None else parse_decimal(guards.accuracy.worse_than_stable),
        max_shift=None if shift is None else parse_percent(shift),
        max_class_ratio=None if class_ratio is None else parse_decimal(class_ratio),
    )
