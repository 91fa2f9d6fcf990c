"""Requests under which Triton ended: they are not run again, here or elsewhere.

What such a request asked is remembered by its digest and refused for a while, since it may be what ended Triton. That
tells little about the model: whoever sends it decides when. So one such end is not counted against the model, nor is
what could not be answered until Triton was back. A second one within the while is: a request that ends Triton is
refused then, and a model that ends by itself must not hide behind its requests.
"""

import hashlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from viridian_serving.http1.problems import Problem
from viridian_serving.inference.request_context import RequestContext

LOG = logging.getLogger("viridian.api")

WHILE: Final = 600.0
"""Seconds for which a request is remembered."""
_AWAY: Final = 60.0
"""Seconds that Triton may take to be back."""
_REPLACED: Final = 5.0
"""Seconds from the word that Triton is of no use to its end, on a busy node: what it loses then did not end it."""
_ONE: Final = 2.0
"""Seconds within which requests that were lost were lost together."""
_MOST: Final = 1024
"""Requests that are remembered; the oldest is forgotten first."""

REFUSED: Final = "refused-input"
DIED: Final = "model-died"
GIVEN_UP: Final = "model-given-up"
"""Triton goes on without the model's process, which has ended under a request, or had no CPU."""
UNREACHABLE: Final = "model-unreachable"
"""Triton is not there, or is being replaced."""


class Deaths:
    """Remembers them. The time is ``time.monotonic()``, or what a test says."""

    def __init__(self, excused: Callable[[], None] = lambda: None, given_up: Callable[[], None] = lambda: None) -> None:
        """Begin without any.

        Args:
            excused: Called at an end that is not counted against the model.
            given_up: Called where Triton goes on without the model's process.
        """
        self._excused = excused
        self._given_up = given_up
        self._suspects: OrderedDict[bytes, tuple[int, float]] = OrderedDict()
        self._times: list[float] = []
        self._given_up_at = -math.inf
        self.number = 0
        """Ends of Triton under requests, since the start."""
        self.refused = 0
        """Requests refused because of such an input, since the start."""

    def __len__(self) -> int:
        """Return the number of inputs that are remembered."""
        return len(self._suspects)

    def check(self, context: RequestContext, now: float | None = None) -> None:
        """Refuse a request that Triton ended under.

        Args:
            context: A request that was read, and was not sent yet.
            now: The time.

        Raises:
            Problem: Status 422.
        """
        if not self._suspects:
            return
        now = time.monotonic() if now is None else now
        size = _size(context)
        # Most requests differ in their length already, and need no digest.
        if all(size != each for each, _ in self._suspects.values()):
            return
        found = self._suspects.get(digest := _digest(context))
        if found is None:
            return
        if now - found[1] >= WHILE:
            del self._suspects[digest]
            return
        self.refused += 1
        raise Problem(
            422,
            REFUSED,
            "The model's process ended while it worked on this very input; it is not tried again for "
            f"{round((WHILE - (now - found[1])) / 60) or 1} min. Send another input.",
        )

    def note(self, context: RequestContext, now: float | None = None) -> bool:
        """Record a request that ran when Triton ended.

        Args:
            context: The request.
            now: The time.

        Returns:
            Whether it may have ended Triton; what is lost while Triton is replaced has not, and is not recorded.
        """
        now = time.monotonic() if now is None else now
        if self.is_replacing(now):
            return False
        self._suspect(context, now)
        return True

    def _suspect(self, context: RequestContext, now: float) -> None:
        if not self._times or now - self._times[-1] >= _ONE:
            self._times = [each for each in self._times if now - each < WHILE] + [now]
            self.number += 1
            if self.excuse(now):
                self._excused()
        self._suspects[_digest(context)] = _size(context), now
        if len(self._suspects) > _MOST:
            self._suspects.popitem(last=False)
        LOG.error("request %s: Triton ended while it ran; its input is refused for a while", context.request_id)

    def note_given_up(self, context: RequestContext, now: float | None = None) -> None:
        """Record a request under which Triton gave up the model's process.

        Args:
            context: The request; it is suspected, since the process may have ended of it.
            now: The time.
        """
        now = time.monotonic() if now is None else now
        self._given_up_at = now
        self._suspect(context, now)
        self._given_up()

    def is_replacing(self, now: float | None = None) -> bool:
        """Whether what is lost now is lost since Triton is being replaced, and not the reason for it."""
        now = time.monotonic() if now is None else now
        return now - self._given_up_at < _REPLACED

    def excuse(self, now: float | None = None) -> bool:
        """Whether Triton's being away may be a request's fault: it has just ended under one, once within the while."""
        now = time.monotonic() if now is None else now
        recent = [each for each in self._times if now - each < WHILE]
        return len(recent) == 1 and now - recent[0] < _AWAY


def unreachable() -> Problem:
    """Make the problem of a request for which Triton was not there."""
    return Problem(503, UNREACHABLE, "The model is starting again; try in a second.", headers=((b"Retry-After", b"1"),))


def _parts(context: RequestContext) -> Iterable[bytes | memoryview]:
    """The values that were asked, however they were written."""
    if context.asked is not None:
        return context.asked
    return (tensor for each in context.instances for tensor in each.tensors)


def _size(context: RequestContext) -> int:
    return sum(map(len, _parts(context)))


def _digest(context: RequestContext) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in _parts(context):
        digest.update(part)
    return digest.digest()
