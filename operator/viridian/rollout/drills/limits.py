"""How long the parts of a drill may take."""

from datetime import timedelta
from typing import Final

from viridian.api.drill import DEFAULT_OBJECTIVE
from viridian.api.spec import ModelDeploymentSpec
from viridian_shared.drill import DrillKind
from viridian_shared.durations import parse_duration

_STARTING: Final = timedelta(minutes=15)
_LONGEST: Final = timedelta(minutes=10)
_QUIET: Final = {DrillKind.CRASH: timedelta(seconds=30)}
"""A pod that has crashed comes back, meets the next request, and crashes again, with a pause between."""
WARM_UP: Final = timedelta(seconds=5)
"""For which stable's version answers before the bad one is rolled out."""
REPORT: Final = timedelta(seconds=30)
"""For which, beyond the quiet, the report about the requests is waited for."""
GONE: Final = timedelta(minutes=10)
"""After which a twin that does not go is not waited for any longer."""


def objective(spec: ModelDeploymentSpec) -> timedelta:
    """Return the longest time to safe that passes."""
    return parse_duration(spec.drill.objective if spec.drill is not None else DEFAULT_OBJECTIVE)


def starting(spec: ModelDeploymentSpec) -> timedelta:
    """Return how long the twin may take until stable's version answers requests."""
    return _STARTING + 2 * parse_duration(spec.serving.start_timeout)


def longest(spec: ModelDeploymentSpec) -> timedelta:
    """Return how long the bad version is given to be turned back, its pods' start included."""
    return max(_LONGEST, 3 * objective(spec)) + 2 * parse_duration(spec.serving.start_timeout)


def quiet(kind: DrillKind) -> timedelta:
    """Return how long no request may fail before failures count as over."""
    return _QUIET.get(kind, timedelta(seconds=3))


def delay(spec: ModelDeploymentSpec) -> timedelta:
    """Return how late a slow version answers: twice what the laxest latency guard allows."""
    bounds = [parse_duration(guard.max) for guard in spec.guards.latency if guard.max is not None]
    return min(2 * max(bounds, default=timedelta(seconds=1)), timedelta(seconds=60))
