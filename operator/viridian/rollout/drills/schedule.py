"""When a drill is due. All times are in UTC."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim

from viridian.api.drill import MONTHLY, WEEKLY
from viridian.api.status import DrillStatus

_WORDS: Final = {WEEKLY: "0 10 * * 1", MONTHLY: "0 10 1 * *"}
_SPREAD: Final = 60
"""Minutes over which the drills of models with the same word are spread, so that they do not all begin at once."""
RETRY: Final = timedelta(minutes=1)
"""Between two tries to begin a drill that is due and must wait."""


def next_time(schedule: str, name: str, after: datetime) -> datetime:
    """Return when a drill is due next.

    Args:
        schedule: a word, or five fields of cron, as `spec.drill.schedule` has it.
        name: of the model, which decides on its minute where the schedule is a word.
        after: the time is later than this.
    """
    if schedule not in _WORDS:
        return next(CronSim(schedule, after.astimezone(UTC)))
    minute = timedelta(minutes=int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % _SPREAD)
    return next(CronSim(_WORDS[schedule], after.astimezone(UTC) - minute)) + minute


def wait_for_drill(drill: DrillStatus | None, now: datetime) -> timedelta | None:
    """Return how long a model can be left alone before a drill of it wants a look; None for no drill.

    Args:
        drill: the status of its drills.
        now: the time, with a zone.
    """
    if drill is None:
        return None
    if drill.running is not None or drill.requested is not None:
        return timedelta(0)
    return None if drill.next is None else max(timedelta(0), drill.next - now)
