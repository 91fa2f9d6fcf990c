"""When a request is sent once more within the same call: only if that can do no harm, and not for long."""

import math

from .backoff import Backoff
from .errors import KubeError, Unavailable

BACKOFF = Backoff(first=0.2, longest=math.inf)
"""Before the second attempt, and each further one."""
LONGEST_PAUSE = 5.0
"""Longest wait within a call, in seconds: a call that has to wait longer gives up, and is tried again later."""


def pause_before_retry(error: KubeError, method: str, attempt: int) -> float | None:
    """Seconds to wait before a request is sent again, or None when it is not.

    A write is sent again only if it certainly did not land: it was turned away unread (429), or no connection came
    about. A write that may have landed is for the caller, who looks at what is there first. A request that ran into
    its timeout had its time.

    Args:
        error: what the last attempt ended with.
        method: the HTTP method.
        attempt: the number of that attempt, from 1.
    """
    if not isinstance(error, Unavailable) or error.status == 504:
        return None
    if method != "GET" and not error.unsent:
        return None
    pause = max(BACKOFF.pause(attempt), error.retry_after or 0.0)
    return pause if pause <= LONGEST_PAUSE else None
