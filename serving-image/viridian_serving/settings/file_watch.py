"""Follows files that may change while the pod runs: those of a ConfigMap or a Secret, which the kubelet swaps."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

LOG = logging.getLogger("viridian.api")

T = TypeVar("T")

PERIOD: Final = 2.0
"""Seconds between two looks at the files. The kubelet itself takes up to a minute or two."""


class LiveFileError(Exception):
    """A file cannot be used; the message says why."""


class FileWatch(Generic[T]):
    """Follows files that make up one value."""

    def __init__(self, files: Sequence[Path], read: Callable[[], T], apply: Callable[[T], None]) -> None:
        """Prepare.

        Args:
            files: Each may come and go.
            read: Gives what they say; raises LiveFileError when that cannot be used.
            apply: Is given it at first, and whenever it has changed. While the files cannot be used, everything stays
                as it is.
        """
        self._files = files
        self._read = read
        self._apply = apply
        self._seen: object = None
        self._current: T | None = None

    async def run(self) -> None:
        """Follow them for ever."""
        while True:
            self.look()
            await asyncio.sleep(PERIOD)

    def look(self) -> None:
        """Look once."""
        seen = [_identity(file) for file in self._files]
        if seen == self._seen:
            return
        self._seen = seen
        try:
            value = self._read()
        except LiveFileError as error:
            LOG.error("%s; everything stays as it was until this is fixed", error)  # noqa: TRY400  the user's file
            return
        if value != self._current:
            self._current = value
            self._apply(value)


def read_file(file: Path) -> bytes | None:
    """Read a file; None when it is not there.

    Raises:
        LiveFileError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LiveFileError(f"{file} cannot be read: {error.strerror}") from error


def _identity(file: Path) -> object:
    """What changes when the file does: the kubelet swaps a link, an editor may write in place."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
