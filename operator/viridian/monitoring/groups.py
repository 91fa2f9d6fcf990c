"""All rules, by the file they are in."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from . import (
    baselines,
    cost,
    drift,
    drill_alerts,
    model_alerts,
    objective_alerts,
    operator_alerts,
    outcomes,
    pod_alerts,
    recording,
)
from .rule import Alert, Group

ALERT_INTERVAL: Final = timedelta(seconds=30)


def files() -> Mapping[str, tuple[Group, ...]]:
    """Return the groups of each file, by the file's name without its ending."""
    return {
        "recording": (recording.traffic(), *recording.burn()),
        "baselines": (baselines.group(),),
        "drift": (drift.group(),),
        "outcomes": (outcomes.group(),),
        "cost": (cost.group(),),
        "alerts": (
            _alerting("viridian.alerts.objectives", drill_alerts.without_twins(objective_alerts.alerts())),
            _alerting("viridian.alerts.models", drill_alerts.without_twins(model_alerts.alerts())),
            _alerting("viridian.alerts.pods", drill_alerts.without_twins(pod_alerts.alerts())),
            _alerting("viridian.alerts.operator", operator_alerts.alerts()),
            _alerting("viridian.alerts.drills", drill_alerts.alerts()),
        ),
    }


def alerts() -> tuple[Alert, ...]:
    """Return every alert."""
    return tuple(
        rule for groups in files().values() for group in groups for rule in group.rules if isinstance(rule, Alert)
    )


def _alerting(name: str, found: Iterable[Alert]) -> Group:
    return Group(name, ALERT_INTERVAL, tuple(found))
