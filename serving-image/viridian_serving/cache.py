"""Answers that may be given again: by input, for a while, within a bound of memory. Time is an argument."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

_OVERHEAD: Final = 400
"""Bytes that an entry takes beside its answer, roughly."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer that was given.

    Attributes:
        revision: Who gave it.
        answer: Its body, without what belongs to one request only.
        at: When it was given, in seconds.
    """

    revision: str
    answer: bytes
    at: float


class AnswerCache:
    """Answers by input, the one longest unused leaving first.

    An input has one entry, whoever answered it last: a fresh one is given again only in the name of its own revision;
    an old one of any revision is better than an error.
    """

    def __init__(self, max_bytes: int) -> None:
        """Begin empty.

        Args:
            max_bytes: Memory that all entries may take, roughly.
        """
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._bytes = 0
        self._flights: dict[bytes, asyncio.Future[Entry]] = {}

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._entries)

    def fresh(self, key: bytes, revision: str, ttl: float, now: float) -> Entry | None:
        """Find an answer that this revision gave within the last `ttl` seconds."""
        entry = self._entries.get(key)
        if entry is None or entry.revision != revision or now - entry.at >= ttl:
            return None
        self._entries.move_to_end(key)
        return entry

    def stale(self, key: bytes, longest: float, now: float) -> Entry | None:
        """Find an answer of any revision that is no more than `longest` seconds old."""
        entry = self._entries.get(key)
        return entry if entry is not None and now - entry.at <= longest else None

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an answer, and let go of others as far as it needs their room; one that is too large is not kept."""
        size = _size(key, entry)
        self._drop(key)
        if size > self._max_bytes:
            return
        self._entries[key] = entry
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def join(self, key: bytes, give: Callable[[], Awaitable[Entry]], patience: float) -> tuple[Entry, bool]:
        """Answer an input that several ask for at the same time once.

        Args:
            key: The input.
            give: Answers it.
            patience: Seconds to wait for somebody else's answer.

        Returns:
            The answer, and whether it was somebody else's. When theirs failed, everybody tries for themselves: what one
            client gets must not hang on another's leaving.

        Raises:
            TimeoutError: The other's answer took too long.
        """
        flight = self._flights.get(key)
        if flight is not None:
            await asyncio.wait((flight,), timeout=patience)
            if not flight.done():
                raise TimeoutError
            if not flight.cancelled() and flight.exception() is None:
                return flight.result(), True
            return await give(), False
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            entry = await give()
        except BaseException:
            flight.cancel()
            raise
        else:
            flight.set_result(entry)
            return entry, False
        finally:
            del self._flights[key]

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry)


def _size(key: bytes, entry: Entry) -> int:
    return len(key) + len(entry.answer) + _OVERHEAD
