"""How many bytes of requests' bodies a pod holds at a time, whoever sends them.

A body is held from its first byte until its request is answered. When there is no room for more, one that is still
arriving gives way, the one that has held most for longest: whoever begins many and ends none is in nobody's way.
"""

import time
from collections.abc import Callable


class Arrival:
    """A body that is being received."""

    __slots__ = ("give_way", "since", "size")

    def __init__(self, give_way: Callable[[], None], since: float) -> None:
        self.give_way = give_way
        """Called when it must make room; its bytes do not count any more then."""
        self.since = since
        """``time.perf_counter()`` at its first byte."""
        self.size = 0
        """Bytes so far."""


class BodyBudget:
    """Counts them."""

    def __init__(self, limit: int) -> None:
        """Begin with none.

        Args:
            limit: Most bytes.
        """
        self._limit = limit
        self._arriving: set[Arrival] = set()
        self.used = 0
        """Bytes that are held."""

    def arrive(self, give_way: Callable[[], None]) -> Arrival:
        """Begin to receive a body.

        Args:
            give_way: Called when it must make room.
        """
        arrival = Arrival(give_way, time.perf_counter())
        self._arriving.add(arrival)
        return arrival

    def grow(self, arrival: Arrival, size: int) -> None:
        """Count bytes that came; this may end any arrival, this one included."""
        arrival.size += size
        self.used += size
        if self.used > self._limit:
            self._make_room()

    def arrived(self, arrival: Arrival) -> int:
        """End an arrival; gives the bytes that are held until release()."""
        self._arriving.discard(arrival)
        return arrival.size

    def forget(self, arrival: Arrival) -> None:
        """End an arrival that becomes no request."""
        if arrival in self._arriving:
            self._arriving.remove(arrival)
            self.used -= arrival.size

    def take(self, size: int) -> bool:
        """Hold more bytes, such as those that a body unpacks to; gives whether there is room for them."""
        self.used += size
        if self.used > self._limit:
            self._make_room()
        if self.used <= self._limit:
            return True
        self.used -= size
        return False

    def release(self, size: int) -> None:
        """Release this many bytes."""
        self.used -= size

    def _make_room(self) -> None:
        now = time.perf_counter()
        while self.used > self._limit and self._arriving:
            worst = max(self._arriving, key=lambda each: each.size * (now - each.since))
            self.forget(worst)
            worst.give_way()
