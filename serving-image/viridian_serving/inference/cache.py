"""Answers that may be given again: by input, for a while, within a bound of memory. Time is an argument."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import msgspec

from viridian_serving.codec.answers import Prediction
from viridian_serving.codec.oip import Encoded

_OVERHEAD: Final = 400
"""Bytes that an entry takes beside its predictions, roughly."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was answered to one input.

    Attributes:
        revision: Who answered.
        version: Its version.
        predictions: One for each instance, as JSON, without what belongs to one request only.
        at: When, in seconds.
    """

    revision: str
    version: str
    predictions: bytes
    at: float

    def read(self) -> list[Prediction]:
        """Return the predictions, made anew: whoever gets them may change them."""
        return msgspec.json.decode(self.predictions, type=list[Prediction])


@dataclass(slots=True)
class CacheStats:
    """Counts since the start."""

    hits: int = 0
    shared: int = 0
    """Answers that another request of the same input was already waiting for."""
    misses: int = 0
    stale: int = 0
    """Stale answers served instead of an error."""


def key_of(parts: Sequence[Encoded], *, many: bool) -> bytes:
    """Return a key that is equal for inputs that are the same to the model, however they were written.

    Args:
        parts: The encoded instances.
        many: Whether they came as a list, and are answered as one.
    """
    digest = blake2b(b"list" if many else b"one", digest_size=16)
    for part in parts:
        digest.update(repr((part.shapes, part.rows, [len(tensor) for tensor in part.tensors])).encode())
        for tensor in part.tensors:
            digest.update(tensor)
    return digest.digest()


class AnswerCache:
    """Answers by input, the one longest unused leaving first.

    An input has one entry, whoever answered it last: a fresh one is given again only in the name of its own revision;
    an old one of any revision is better than an error.
    """

    def __init__(self, ttl: float, stale_if_error: float, max_bytes: int) -> None:
        """Begin empty.

        Args:
            ttl: Seconds for which an answer is as good as new.
            stale_if_error: Seconds for which it is better than an error.
            max_bytes: Memory that all entries may take, roughly.
        """
        self._ttl = ttl
        self._stale_if_error = stale_if_error
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._bytes = 0
        self._flights: dict[bytes, asyncio.Future[Entry]] = {}

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._entries)

    def fresh(self, key: bytes, revision: str, now: float) -> Entry | None:
        """Find an answer that this revision gave not long ago."""
        entry = self._entries.get(key)
        if entry is None or entry.revision != revision or now - entry.at >= self._ttl:
            return None
        self._entries.move_to_end(key)
        return entry

    def stale(self, key: bytes, now: float) -> Entry | None:
        """Find an answer of any revision that is better than an error."""
        entry = self._entries.get(key)
        return entry if entry is not None and now - entry.at <= self._stale_if_error else None

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

    async def join(self, key: bytes, give: Callable[[], Awaitable[Entry]], longest: float) -> tuple[Entry, bool]:
        """Answer an input that several ask for at the same time once.

        Args:
            key: The input.
            give: Answers it.
            longest: Seconds to wait for somebody else's answer.

        Returns:
            The answer, and whether it was somebody else's. When theirs failed, everybody tries for themselves: what one
            client gets must not hang on another's leaving.

        Raises:
            TimeoutError: The other's answer took too long.
        """
        flight = self._flights.get(key)
        if flight is not None:
            await asyncio.wait((flight,), timeout=longest)
            if not flight.done():
                raise TimeoutError
            if not flight.cancelled():
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
    return len(key) + len(entry.predictions) + _OVERHEAD
