"""Whether a model burns its objectives right now: an alert on it fires, or too many of its users get errors."""

from collections.abc import Sequence
from typing import Any, Final

from viridian.api.model_key import ModelKey, labels_of
from viridian_shared.counts.metric_names import REQUESTS

from .connection import Connection, MetricsError

_FAST: Final = 14.4
"""Times the allowed share of errors, as the alert ViridianErrorBudgetBurnsFast has it; alerts need not be installed."""
_FEWEST: Final = 5
"""Errors within five minutes that are more than an accident."""
_ALERTS: Final = "Viridian(ErrorBudget|LatencyBudget|Model).+"


class Incidents:
    """Asks Prometheus about one model at a time."""

    def __init__(self, connection: Connection) -> None:
        """Ask through `connection`."""
        self._connection = connection

    async def open_incident(self, key: ModelKey, allowed: float) -> str:
        """Return what is wrong with a model, as a sentence without its full stop; empty where nothing is.

        Args:
            key: which model.
            allowed: share of its requests that may fail by its objective, 0 to 1.
        """
        try:
            return await self._connection.ask(_query(key, allowed), {}, _told)
        except MetricsError as error:
            return f"it is not known whether an incident is open: {error}"


def _query(key: ModelKey, allowed: float) -> str:
    model = labels_of(key)
    users = f'{model}, via=~"split|pin|direct"'
    errors = f'sum(increase({REQUESTS}{{{users}, outcome="error"}}[5m]))'
    all_of_them = f'sum(increase({REQUESTS}{{{users}, outcome=~"ok|error"}}[5m]))'
    alerts = f'ALERTS{{alertstate="firing", alertname=~"{_ALERTS}", {model}}}'
    return f"{alerts} or ({errors} / {all_of_them} > {_FAST * allowed:g} and {errors} >= {_FEWEST})"


def _told(result: Sequence[Any]) -> str:
    if not result:
        return ""
    names = sorted({name for each in result if (name := (each.get("metric") or {}).get("alertname"))})
    what = f"{', '.join(names)} fires" if names else "users get errors faster than its objective allows"
    return f"an incident is open: {what}"
