"""A monitor's model, and the statuses that it is told."""

from datetime import UTC, datetime
from typing import Any

from tests.controller.counters import START
from tests.controller.fakes import spec, status

from viridian.api.status import ModelDeploymentStatus
from viridian.controller.guarding.monitor import GuardMonitor, GuardSession

KEY = ("default", "iris")
SPEC = spec()
NOW = datetime.fromtimestamp(START, UTC)
STABLE = {"color": "blue", "revision": "iris-1", "version": "v1.0.0"}


def at(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def read(**changes: Any) -> ModelDeploymentStatus:
    return ModelDeploymentStatus.model_validate(status(**changes))


def watched(monitor: GuardMonitor, now: datetime = NOW, **changes: Any) -> GuardSession:
    session = monitor.sync_session(KEY, read(**changes), now)
    assert session is not None
    return session
