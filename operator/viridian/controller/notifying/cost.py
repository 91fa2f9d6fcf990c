"""What a rollout cost on top, for the notification of its end."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from viridian.api.model_key import ModelKey
from viridian.api.notify import NotifyEvent
from viridian.metrics.connection import Asked, Connection, MetricsError, untold
from viridian.rollout.reporting.cost import Amount, on_top, read_amount
from viridian.rollout.reporting.notifications import Notification

LOG = logging.getLogger(__name__)

_THREADS: Final = 2
_NO_ENDS: Final = frozenset(
    {
        NotifyEvent.ROLLOUT_STARTED,
        NotifyEvent.AWAITING_APPROVAL,
        NotifyEvent.HELD,
        NotifyEvent.STALLED,
        NotifyEvent.DRILL_ENDED,
    }
)
"""Events after which a rollout goes on, or that are about none."""


class RolloutCosts:
    """Asks Prometheus. A notification waits for the answer, but not for long, and is sent without it."""

    def __init__(self, url: str, timeout: timedelta = timedelta(seconds=3), asked: Asked = untold) -> None:
        """Prepare the connection.

        Args:
            url: root of the HTTP API.
            timeout: how long a notification may wait.
            asked: told of each query.
        """
        self._connection = Connection(url, "prometheus.url", timeout, _THREADS, asked)

    async def of(self, key: ModelKey, notification: Notification) -> Amount | None:
        """Return what the rollout cost of which a notification tells the end; None where that is nothing, or unknown.

        Args:
            key: whose rollout.
            notification: what is told of it.
        """
        begun = notification.started_at
        if begun is None or notification.event in _NO_ENDS:
            return None
        try:
            found = await self._connection.ask(on_top(key, begun, notification.at), {}, _read)
        except MetricsError as error:
            LOG.info("%s/%s: the notification does not say what the rollout cost: %s", *key, error)
            return None
        return found if found is not None and found.value > 0 else None


def _read(result: Sequence[Any]) -> Amount | None:
    try:
        return read_amount(result)
    except (LookupError, TypeError, ValueError) as error:
        raise MetricsError("the answer to the query for the cost is no vector of numbers") from error
