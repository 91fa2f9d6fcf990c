"""How long, and how often, fetching is tried: until the deadline, and while there is progress."""

import logging
import random
import time
from typing import Final

from viridian_serving.artifacts.locate import ModelError

LOG = logging.getLogger("viridian.fetch")

SILENCE: Final = 20.0
"""Seconds without a byte after which a connection is given up."""
TRIES: Final = 5
"""Tries in a row that bring nothing new. Then the kubelet starts the container again, later each time, and meanwhile
everybody can read why."""
LONGEST_PAUSE: Final = 30.0
_FIRST_PAUSE: Final = 0.5


class Deadline:
    """The end of ``spec.model.fetchTimeout``."""

    def __init__(self, seconds: float, now: float) -> None:
        """Start the time.

        Args:
            seconds: How long it is.
            now: On the monotonic clock.
        """
        self._seconds = seconds
        self._end = now + seconds

    @property
    def remaining(self) -> float:
        """Seconds, never below a moment: zero would mean 'without a timeout' to a socket."""
        return max(self._end - time.monotonic(), 0.001)

    def check(self, doing: str) -> None:
        """Raise if it has passed.

        Raises:
            ModelError: It has.
        """
        if time.monotonic() >= self._end:
            raise ModelError(
                f"spec.model.fetchTimeout: {self._seconds:g} s passed while {doing}; it goes on with the next try of "
                "the pod. Raise it if that is how long it takes"
            )


class PassingError(Exception):
    """This try failed, another may not."""

    def __init__(self, why: str, pause: float = 0.0, otherwise: ModelError | None = None) -> None:
        super().__init__(why)
        self.pause = pause
        """Seconds for which the server asks to be left alone."""
        self.otherwise = otherwise
        """What to say if no try helps, where that is something better than that none did."""


def ended_after(got: int, wanted: int) -> PassingError:
    """Return what to raise when a connection ends early; both in bytes."""
    return PassingError(f"the connection ended after {got} of {wanted} bytes")


class Tries:
    """The tries to fetch one thing."""

    def __init__(self, shown: str, deadline: Deadline, got: int = 0) -> None:
        """Begin.

        Args:
            shown: The address, as it may stand in a log.
            deadline: When to give up.
            got: Bytes that are there already.
        """
        self._shown = shown
        self._deadline = deadline
        self._most = got
        self._in_vain = 0

    def pause_after(self, failure: PassingError, got: int = 0) -> float:
        """Decide what follows a failed try.

        Args:
            failure: Why it failed.
            got: Bytes that are there now. Only what has never been there before is progress.

        Returns:
            Seconds to wait before the next try.

        Raises:
            ModelError: There is no hope, or no time.
        """
        self._in_vain, self._most = (0, got) if got > self._most else (self._in_vain + 1, self._most)
        self._deadline.check(f"fetching {self._shown} ({failure})")
        if self._in_vain >= TRIES:
            raise failure.otherwise or ModelError(
                f"spec.model.uri: {self._shown} cannot be fetched: {failure}; {TRIES} tries in a row failed, the pod "
                "goes on trying. Check address, network and server"
            ) from failure
        backoff = min(LONGEST_PAUSE, _FIRST_PAUSE * 2.0**self._in_vain) * random.uniform(0.5, 1.0)  # noqa: S311
        pause = max(failure.pause, backoff)
        LOG.warning("%s; trying again in %.1f s", failure, pause)
        return min(pause, self._deadline.remaining)
