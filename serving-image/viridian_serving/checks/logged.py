"""The prediction log as a collector has stored it: files of JSON lines, whose newest requests can be asked again.

A line is a record as pods write it, or an object that has one as text in `message`, `log` or `body`, as collectors
write them. Names of files sort by time, as collectors name them; what ends in .gz is unpacked.
"""

import zlib
from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from viridian_serving.artifacts.archive import MAX_FILES
from viridian_serving.artifacts.stores.store import Store, StoredFile
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import JUDGED

_LONGEST_LINE: Final = 32 << 20
"""Bytes of a line: a request may be as large."""
_MOST_BYTES: Final = 4 << 30
"""Bytes that are read in all: what is older than that is left alone."""
_CHUNK: Final = 1 << 20
"""Bytes that are unpacked at once."""
_HIDDEN: Final = ("***", "hmac-sha256:")
"""How a value that was redacted begins."""


class Record(msgspec.Struct, frozen=True):
    """What is read of a record."""

    time: datetime
    request_id: str
    namespace: str
    model: str
    via: str
    outcome: str
    answered_by: str | None = None
    instance: int | None = None
    inputs: Any = None
    outputs: dict[str, Any] | None = None
    shadow: Any = None
    """Of the record of a copy: the request has another one."""


class _Wrapped(msgspec.Struct, frozen=True):
    """A line of a collector that has a record as text."""

    message: str | None = None
    log: str | None = None
    body: str | None = None


@dataclass(frozen=True)
class Wanted:
    """Which records can be asked again.

    Attributes:
        namespace: Of the model.
        model: Its name; others may write to the same log.
        since: Records before that, with a zone, are too old.
        most: So many of the newest.
        dropped: Features that records may lack because they were redacted. A record without one is not asked again.
    """

    namespace: str
    model: str
    since: datetime
    most: int
    dropped: Collection[str] = ()

    def is_mine(self, record: Record) -> bool:
        """Whether it is a user's request that this model has answered, recently enough."""
        mine = (record.namespace, record.model) == (self.namespace, self.model) and record.time >= self.since
        answered = record.outcome == Outcome.OK and record.answered_by == "model" and record.outputs is not None
        return mine and answered and record.instance is not None and record.via in JUDGED and record.shadow is None

    def is_whole(self, record: Record) -> bool:
        """Whether it shows all that was asked."""
        inputs = record.inputs
        if not isinstance(inputs, dict):
            return False
        return all(name in inputs for name in self.dropped) and not any(map(_is_hidden, inputs.values()))


@dataclass
class Log:
    """What was found.

    Attributes:
        records: The newest ones that can be asked again, in no order.
        hidden: How many could not, because they were redacted.
        unreadable: Lines that are no records.
    """

    records: list[Record] = field(default_factory=list)
    hidden: int = 0
    unreadable: int = 0
    seen: set[tuple[str, int | None]] = field(default_factory=set)
    """Which requests were met: a collector may have got a record twice."""


async def read_log(store: Store, wanted: Wanted) -> Log:
    """Read the newest records, from the last file backwards, until there are enough or they are too old.

    Raises:
        ModelError: The store cannot be read.
        PassingError: It could not be read this time.
        ValueError: A file is no log.
    """
    found, read = Log(), 0
    files = await store.files()
    if len(files) > MAX_FILES:
        raise ValueError(f"there are more than {MAX_FILES:,} files; name the folder of the last days, or store fewer")
    for file in sorted(files, key=lambda file: file.path, reverse=True):
        if len(found.records) >= wanted.most or read + file.size > _MOST_BYTES:
            break
        read += file.size
        if await _read_file(store, file, wanted, found):
            break
    return found


async def _read_file(store: Store, file: StoredFile, wanted: Wanted, found: Log) -> bool:
    """Add a file's newest records; whether all that it has are too old."""
    newest: deque[Record] = deque(maxlen=wanted.most - len(found.records))
    last: datetime | None = None
    async for line in _lines(store, file):
        record = _record(line)
        if record is None:
            found.unreadable += 1
            continue
        last = record.time if last is None else max(last, record.time)
        if not wanted.is_mine(record) or (record.request_id, record.instance) in found.seen:
            continue
        found.seen.add((record.request_id, record.instance))
        if wanted.is_whole(record):
            newest.append(record)
        else:
            found.hidden += 1
    found.records.extend(newest)
    return last is not None and last < wanted.since


def _record(line: bytes) -> Record | None:
    try:
        return msgspec.json.decode(line, type=Record)
    except msgspec.DecodeError:
        pass
    try:
        wrapped = msgspec.json.decode(line, type=_Wrapped)
        text = wrapped.message or wrapped.log or wrapped.body or ""
        return msgspec.json.decode(text, type=Record)
    except msgspec.DecodeError:
        return None


async def _lines(store: Store, file: StoredFile) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in _content(store, file):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise ValueError(f"{file.path or 'the file'} has no lines of JSON; name the folder of the prediction log")
        for line in lines:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


async def _content(store: Store, file: StoredFile) -> AsyncIterator[bytes]:
    """A file's bytes, unpacked."""
    if not file.path.endswith(".gz"):
        async for chunk in store.read(file, 0, file.size):
            yield bytes(chunk)
        return
    unpacker = zlib.decompressobj(wbits=31)
    try:
        async for chunk in store.read(file, 0, file.size):
            left = bytes(chunk)
            while left:
                yield unpacker.decompress(left, _CHUNK)
                left = unpacker.unconsumed_tail
                if unpacker.eof:  # files that were appended to have several parts
                    left, unpacker = unpacker.unused_data, zlib.decompressobj(wbits=31)
    except zlib.error as error:
        raise ValueError(f"{file.path} cannot be unpacked ({error}); remove it, or name it without .gz") from error


def _is_hidden(value: object) -> bool:
    return isinstance(value, str) and value.startswith(_HIDDEN)
