"""Models that other pods have fetched: a folder that they share, on a node or in a claim.

An entry has the name of its digest, and is there as a whole or not at all. Who fills, reads or removes one holds its
lock, which ends with the process. What goes wrong with the cache is logged, and the model is fetched without it.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from viridian_serving.artifacts.retries import Deadline
from viridian_shared.digest import CHUNK, PREFIX, digest_of_hashes

LOG = logging.getLogger("viridian.fetch")

_CONTENT: Final = "content"
_LOCKS: Final = "locks"
_PART: Final = ".part"


class ModelCache:
    """What was fetched, by digest."""

    def __init__(self, root: Path, max_size: int, deadline: Deadline) -> None:
        """Open it.

        Args:
            root: The folder; this process may write to it.
            max_size: Bytes of all entries; beyond them, those that were not used for the longest time go.
            deadline: When to give up.
        """
        self._root = root
        self._max_size = max_size
        self._deadline = deadline

    def get(self, digest: str, target: Path, fetch: Callable[[], Path]) -> Path:
        """Bring what has a digest: out of the cache, or by fetching it, once for all pods that ask at a time.

        Args:
            digest: Of the file or folder.
            target: Where to copy it, if it is there.
            fetch: Fetches it and returns where it is, once it was checked.

        Returns:
            Where it is now.

        Raises:
            ModelError: It is not there by the deadline, or what ``fetch`` raises.
        """
        name = digest.removeprefix(PREFIX)
        with self._alone(name):
            if self._take(name, target):
                LOG.info("%s was in the cache", digest)
                return target
            content = fetch()
            self._put(name, content)
        return content

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Hold an entry's lock, after the others that want it."""
        opened = None
        try:
            opened = self._open_lock(name)
        except OSError as error:
            LOG.warning("the cache of models cannot be used: %s", error)
        try:
            if opened is not None:
                self._wait_for(opened)
            yield
        finally:
            if opened is not None:
                os.close(opened)

    def _open_lock(self, name: str) -> int:
        folder = self._root / _LOCKS
        folder.mkdir(exist_ok=True)
        return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _wait_for(self, opened: int) -> None:
        failures: list[OSError] = []

        def lock() -> None:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX)
            except OSError as error:
                failures.append(error)

        # A lock has no timeout, so a thread waits for it, which ends with the process.
        waiting = threading.Thread(target=lock, daemon=True)
        waiting.start()
        waiting.join(self._deadline.remaining)
        if waiting.is_alive():
            self._deadline.check("another pod fetches the same model")
        if failures:
            LOG.warning("the cache of models has no locks: %s", failures[0])

    def _take(self, name: str, target: Path) -> bool:
        """Copy an entry that is there and whole."""
        entry = self._root / name
        content = entry / _CONTENT
        try:
            if not content.exists():
                return False
            found = self._copy(content, target)
            if found == PREFIX + name:
                os.utime(entry)
                return True
            LOG.warning("what the cache has as %s is %s; fetching it again", name, found)
            shutil.rmtree(entry)
        except OSError as error:
            LOG.warning("the cache of models cannot be read: %s", error)
        _remove(target)
        return False

    def _put(self, name: str, content: Path) -> None:
        """Keep what was fetched, if there is room."""
        part = self._root / f"{name}{_PART}"
        try:
            size = _size(content)
            if size > self._max_size:
                LOG.info("the cache of models has room for %d bytes, and these are %d", self._max_size, size)
                return
            _remove(part)
            self._make_room(size)
            part.mkdir()
            self._copy(content, part / _CONTENT)
            part.rename(self._root / name)
        except OSError as error:
            LOG.warning("the cache of models cannot be written: %s", error)
            _remove(part)

    def _make_room(self, size: int) -> None:
        """Remove what was not used for the longest time, and what others left half done."""
        entries = [entry for entry in self._root.iterdir() if entry.name != _LOCKS]
        total = sum(map(_size, entries))
        for entry in sorted(entries, key=lambda entry: (entry.suffix != _PART, entry.stat().st_mtime)):
            if total + size <= self._max_size and entry.suffix != _PART:
                break
            taken = _size(entry)
            if self._removed(entry):
                total -= taken

    def _removed(self, entry: Path) -> bool:
        """Remove an entry that nobody uses; return whether it is gone."""
        opened = self._open_lock(entry.stem)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            shutil.rmtree(entry)
            LOG.info("%s left the cache", entry.name)
            return True
        finally:
            os.close(opened)

    def _copy(self, source: Path, target: Path) -> str:
        """Copy a file or a folder; return the digest of what was read."""
        if not source.is_dir():
            return PREFIX + self._copy_file(source, target)
        target.mkdir()
        hashes = {}
        for path in sorted(source.rglob("*")):
            copied = target / path.relative_to(source)
            if path.is_dir():
                copied.mkdir()
            else:
                hashes[path.relative_to(source).as_posix()] = self._copy_file(path, copied)
        return digest_of_hashes(hashes)

    def _copy_file(self, source: Path, target: Path) -> str:
        digest = hashlib.sha256()
        with source.open("rb") as read, target.open("wb") as written:
            while chunk := read.read(CHUNK):
                digest.update(chunk)
                written.write(chunk)
                self._deadline.check("copying the model from or to the cache")
        return digest.hexdigest()


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
