"""A folder of this machine, such as a mounted claim, as a store."""

from collections.abc import AsyncIterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from viridian_serving.artifacts.archive import MAX_FILES
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.store import StoredFile

_CHUNK: Final = 256 * 1024


class Folder:
    """The files at a path: all those below a folder, or one file."""

    is_streamed = False

    def __init__(self, path: Path, shown: str) -> None:
        """Remember where they are.

        Args:
            path: Of a folder or file.
            shown: What messages call it.
        """
        self._path, self._shown = path, shown

    async def files(self) -> Sequence[StoredFile]:
        """List the files."""
        try:
            if self._path.is_file():
                return [self._stored(self._path, "")]
            if not self._path.is_dir():
                raise ModelError(f"there is no {self._shown}; correct the address")
            below = (file for file in self._path.rglob("*") if file.is_file())
            some = islice(below, MAX_FILES + 1)  # which is said by who asked
            found = [self._stored(file, file.relative_to(self._path).as_posix()) for file in some]
        except OSError as error:
            raise ModelError(f"{error.filename or self._shown} cannot be read: {error.strerror}") from error
        return found

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes | memoryview]:
        """Read a range of a file."""
        path = self._path / file.path if file.path else self._path
        try:
            with path.open("rb") as content:
                content.seek(start)
                while start < end and (chunk := content.read(min(_CHUNK, end - start))):
                    start += len(chunk)
                    yield chunk
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error

    async def aclose(self) -> None:
        """Do nothing: no file stays open."""

    @staticmethod
    def _stored(path: Path, name: str) -> StoredFile:
        known = path.stat()
        return StoredFile(name, known.st_size, f"{known.st_mtime_ns} {known.st_size}")
