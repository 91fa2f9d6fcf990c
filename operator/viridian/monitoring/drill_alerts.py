"""Alerts on drills, from the operator's metrics of them; silent for models without `spec.drill`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from textwrap import dedent, indent
from typing import Final

from .recording import MODEL
from .rule import MODEL_NAME, Alert, Severity

_SCHEDULED: Final = f"on ({MODEL}) viridian_drill_objective_seconds"
_MONTH: Final = "31 * 86400"
_TWINS: Final = f"on ({MODEL}) max_over_time(viridian_drill_twin[6h])"
"""Twins of drills, until no window of an alert on users' requests reaches back to them."""


def alerts() -> tuple[Alert, ...]:
    """Return the alerts."""
    return (
        Alert(
            "ViridianDrillNotTurnedBack",
            Severity.CRITICAL,
            f'max by ({MODEL}, kind) (viridian_drill_result{{result="NotTurnedBack"}}) and {_SCHEDULED}',
            f"A known-bad version of {MODEL_NAME} was not turned back in a drill",
            "No user met it. A version that fails like it ({{ $labels.kind }}) would stay: the guards, the metrics or"
            " the way of a rollback do not work.",
        ),
        Alert(
            "ViridianDrillTooSlow",
            Severity.WARNING,
            f"max by ({MODEL}, kind) (viridian_drill_seconds)"
            f" > on ({MODEL}) group_left () max by ({MODEL}) (viridian_drill_objective_seconds)",
            f"A known-bad version of {MODEL_NAME} was turned back too slowly in a drill",
            "{{ $value | humanizeDuration }} passed from the first bad answer ({{ $labels.kind }}) until all traffic"
            " was on stable, more than spec.drill.objective allows.",
        ),
        Alert(
            "ViridianDrillOld",
            Severity.WARNING,
            f"""
            time() - (max by ({MODEL}) (viridian_drill_last_success_timestamp_seconds)
              or max by ({MODEL}) (viridian_drill_scheduled_timestamp_seconds)) > {_MONTH}
              and {_SCHEDULED}
            """,
            f"No drill of {MODEL_NAME} has passed for a month",
            "The last one passed, or drills were first scheduled, {{ $value | humanizeDuration }} ago: whether a bad"
            " version would be turned back today is not known.",
            after=timedelta(hours=1),
        ),
    )


def without_twins(found: Iterable[Alert]) -> tuple[Alert, ...]:
    """Return alerts on models that leave out the twins of drills, which fail on purpose and have no users."""
    return tuple(_without_twins(alert) if MODEL_NAME in alert.summary else alert for alert in found)


def _without_twins(alert: Alert) -> Alert:
    return replace(alert, expr=f"(\n{indent(dedent(alert.expr).strip(), '  ')}\n)\nunless {_TWINS}")
