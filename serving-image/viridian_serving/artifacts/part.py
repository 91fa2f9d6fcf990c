"""The beginning of a file that is being fetched, on the disk, hashed as it comes."""

import asyncio
import hashlib
from typing import IO, Protocol

from viridian_serving.artifacts.retries import Deadline
from viridian_serving.artifacts.stores.store import Checksum, StoredFile
from viridian_shared.digest import CHUNK


class _Hash(Protocol):
    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class Part:
    """The beginning of a file, and the hashes of it."""

    def __init__(self, opened: IO[bytes], file: StoredFile) -> None:
        """Begin with nothing; see ``read_what_is_there``.

        Args:
            opened: For reading and appending.
            file: Whose beginning it is.
        """
        self._opened = opened
        self._sha256 = hashlib.sha256()
        self._own = _hash_of(file.checksum, file.size) if file.checksum is not None else self._sha256
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what is there, in hexadecimal."""
        return self._sha256.hexdigest()

    @property
    def checksum(self) -> str:
        """Of what is there, of the kind that the store states."""
        return self._own.hexdigest()

    async def read_what_is_there(self, deadline: Deadline) -> None:
        """Take what an earlier run has written."""
        self._opened.seek(0)
        while chunk := await asyncio.to_thread(self._opened.read, CHUNK):
            self._take(chunk)
            deadline.check("reading what is there")

    async def append(self, content: bytes | bytearray | memoryview) -> None:
        """Write what follows."""
        await asyncio.to_thread(self._write, content)

    def _write(self, content: bytes | bytearray | memoryview) -> None:
        self._opened.write(content)
        self._opened.flush()
        self._take(content)

    def _take(self, content: bytes | bytearray | memoryview) -> None:
        for each in {id(each): each for each in (self._sha256, self._own)}.values():
            each.update(content)
        self.size += len(content)


def _hash_of(checksum: Checksum, size: int) -> _Hash:
    if checksum.kind == "git-blob":
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(checksum.kind, usedforsecurity=False)
