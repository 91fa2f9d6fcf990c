"""Whose failure it is: stable is asked anyway, so what it makes of the same input is heard before anybody is blamed.

A request that this pod's model fails waits here, for a moment, to be counted. When stable fails on the same input as
well, the input is to blame, and whoever sent it would else decide which revision it counts against.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from viridian_serving.http1.messages import Response
from viridian_shared.counts.outcome import Outcome

_MOMENT: Final = 1.0
"""Seconds that counting a failure waits for stable's word, at most: a rollback must not wait longer."""


def fails_on_input(status: int) -> bool:
    """Whether an answer says that the model failed on what it was asked, rather than was late or away.

    422 is that of a pod whose Triton ended under the same input.
    """
    return status in (422, 500, 502)


class Witness:
    """Stable's word on one request; the first one holds."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.said: Outcome | None = None
        """What a failure counts as; None until stable has spoken, or need not be asked."""
        self._record: Callable[[Outcome], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def judge(self, response: Response, record: Callable[[Outcome], None]) -> None:
        """Have a failure of this pod counted, now or when stable has spoken.

        Args:
            response: This pod's, with a status of 500 or more.
            record: Counts it; called once.
        """
        if not fails_on_input(response.status):
            record(Outcome.ERROR)
        elif self.said is not None:
            record(self.said)
        else:
            self._record = record
            self._timer = asyncio.get_running_loop().call_later(_MOMENT, self.say, Outcome.ERROR)

    def say(self, outcome: Outcome) -> None:
        """Settle what a failure counts as; UNJUDGED when stable failed as well."""
        if self.said is not None:
            return
        self.said = outcome
        if self._record is not None and self._timer is not None:
            self._timer.cancel()
            self._record(outcome)
