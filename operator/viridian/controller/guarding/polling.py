"""What pollers have in common: they look again and again, and one bad look ends no other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from viridian.metrics.connection import MetricsError

LOG = logging.getLogger(__name__)


async def poll(look: Callable[[], Awaitable[None]], period: timedelta, what: str) -> None:
    """Look until cancelled.

    Args:
        look: one look. A Prometheus that does not answer is logged once, and not again until it has answered.
        period: between the end of a look and the next one.
        what: what is looked at, as the log calls it.
    """
    trouble = ""
    while True:
        try:
            await look()
            trouble = ""
        except MetricsError as error:
            if str(error) != trouble:
                LOG.warning("%s cannot be read: %s", what, error)
            trouble = str(error)
        except Exception:
            LOG.exception("looking at %s failed; next try in %s", what, period)
        await asyncio.sleep(period.total_seconds())
