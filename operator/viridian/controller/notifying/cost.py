"""What a rollout cost on top, for the notification of its end."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from viridian.api.model_key import ModelKey
from viridian.api.notify import NotifyEvent
from viridian.metrics.connection import Connection, MetricsError
from viridian.rollout.reporting.cost import Amount, on_top, read_amount
from viridian.rollout.reporting.notifications import Notification

from .outbox import MOST

LOG = logging.getLogger(__name__)

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
    """Asks Prometheus once for each notification, which waits for the answer, and is sent without one that fails."""

    def __init__(self, connection: Connection) -> None:
        """Ask through `connection`, whose timeout is how long a notification may wait."""
        self._connection = connection
        self._asked = lru_cache(MOST)(self._begin)

    async def of(self, key: ModelKey, notification: Notification) -> Amount | None:
        """Return what the rollout cost of which a notification tells the end; None where that is nothing, or unknown.

        Args:
            key: whose rollout.
            notification: what is told of it.
        """
        begun = notification.started_at
        if begun is None or notification.event in _NO_ENDS:
            return None
        # All receivers and tries wait for one answer. One that is cancelled does not take it from the others.
        return await asyncio.shield(self._asked(key, begun, notification.at))

    def _begin(self, key: ModelKey, begun: datetime, ended: datetime) -> "asyncio.Task[Amount | None]":
        return asyncio.create_task(self._ask(key, begun, ended), name=f"cost {'/'.join(key)}")

    async def _ask(self, key: ModelKey, begun: datetime, ended: datetime) -> Amount | None:
        try:
            found = await self._connection.ask(on_top(key, begun, ended), {}, _read)
        except MetricsError as error:
            LOG.info("%s/%s: the notification does not say what the rollout cost: %s", *key, error)
            return None
        return found if found is not None and found.value > 0 else None


def _read(result: Sequence[Any]) -> Amount | None:
    try:
        return read_amount(result)
    except (LookupError, TypeError, ValueError) as error:
        raise MetricsError("the answer to the query for the cost is no vector of numbers") from error
