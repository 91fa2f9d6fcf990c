"""Fetches the files of a store: ranges in parallel, resumed where it broke off, hashed as they come, in bounded memory.

A few ranges are on their way at a time. They are written in the files' order, whichever comes first, so what is on the
disk is always the beginning of each file, and an earlier run's part needs no record but its length.
"""

import asyncio
import json
import logging
import shutil
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from viridian_serving.artifacts.archive import MAX_FILES
from viridian_serving.artifacts.locate import MissingError, ModelError
from viridian_serving.artifacts.part import Part
from viridian_serving.artifacts.retries import SILENCE, Deadline, PassingError, Tries, ended_after
from viridian_serving.artifacts.stores.store import Store, StoredFile
from viridian_shared.digest import PREFIX, digest_of_hashes, unclear

LOG = logging.getLogger("viridian.fetch")

_RANGE: Final = 4 << 20
"""Bytes that are asked for at once."""
_AHEAD: Final = 8
"""Ranges on their way, or in memory until it is their turn."""
_SINGLE: Final = "content"
_FOLDER: Final = "files"
_TAGS: Final = "tags.json"


@dataclass(frozen=True)
class Fetched:
    """What was fetched."""

    path: Path
    """A file or a folder."""
    digest: str


class Transfer:
    """The files of one address, on their way to a folder; what there is of them outlives this process."""

    def __init__(
        self, store: Store, shown: str, wanted: str | None, folder: Path, max_size: int, deadline: Deadline
    ) -> None:
        """Prepare.

        Args:
            store: Where they are.
            shown: The address, as it may stand in a log.
            wanted: Their digest; None where the address itself vouches for them, by the store's checksums.
            folder: Where to put them. What is there is what an earlier run has got.
            max_size: Bytes of all files.
            deadline: When to give up.
        """
        self._store = store
        self._shown = shown
        self._wanted = wanted
        self._folder = folder
        self._max_size = max_size
        self._deadline = deadline

    def discard(self) -> None:
        """Forget what there is."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def run(self) -> Fetched:
        """Fetch what is missing.

        Raises:
            ModelError: It cannot be fetched, or not now, or is not what it should be; the message names the field of
                the spec.
            OSError: It cannot be stored.
        """
        fetched, resumed = await self._run()
        if resumed and not self._is_right(fetched):
            LOG.warning("the pieces do not fit together (%s); fetching it in one", fetched.digest)
            self.discard()
            fetched, _ = await self._run()
        if self._wanted is not None and not self._is_right(fetched):
            self.discard()
            raise wrong(self._shown, fetched.digest, self._wanted)
        LOG.info("%s is %s", self._shown, fetched.digest)
        return fetched

    async def look(self) -> tuple[int, int]:
        """Fetch nothing; return how many files there are, and their bytes.

        Raises:
            ModelError: There is none, or the list cannot be had; the message names the field of the spec.
        """
        try:
            async with asyncio.timeout(self._deadline.remaining):
                files = await self._list()
        except TimeoutError:
            self._deadline.check(f"looking at {self._shown}")
            raise
        return len(files), sum(file.size for file in files)

    def _is_right(self, fetched: Fetched) -> bool:
        return self._wanted in (None, fetched.digest)

    async def _run(self) -> tuple[Fetched, bool]:
        """Fetch what is missing; return also whether a part of it is from an earlier run."""
        try:
            async with asyncio.timeout(self._deadline.remaining):
                files = await self._list()
                resumed = self._keep_what_is_the_same(files)
                hashes = await self._bring(files)
        except TimeoutError:
            self._deadline.check(f"fetching {self._shown}")
            raise
        single = len(files) == 1 and not files[0].path
        digest = PREFIX + hashes[""] if single else digest_of_hashes(hashes)
        return Fetched(self._folder / (_SINGLE if single else _FOLDER), digest), resumed

    async def _list(self) -> list[StoredFile]:
        tries = Tries(self._shown, self._deadline)
        while True:
            try:
                files = sorted(await self._store.files(), key=lambda file: file.path.encode())
                break
            except PassingError as failure:
                await asyncio.sleep(tries.pause_after(failure))
        self._examine(files)
        return files

    def _examine(self, files: Sequence[StoredFile]) -> None:
        if not files:
            raise MissingError(f"spec.model.uri: there is no file below {self._shown}; correct the address")
        if len(files) > MAX_FILES:
            raise ModelError(
                f"spec.model.uri: {self._shown} holds more than {MAX_FILES} files; a model has fewer: name its folder"
            )
        if self._wanted is None and (unknown := [file.path for file in files if file.checksum is None]):
            raise ModelError(
                f"spec.model.digest: the store gives no checksum for {unknown[0] or self._shown}, as for what was "
                "uploaded in parts; write the digest, as printed by `kubectl viridian digest URI`"
            )
        size = sum(file.size for file in files)
        if size > self._max_size:
            raise ModelError(
                f"spec.model.maxSize: {self._shown} has {size} bytes, and {self._max_size} are allowed; raise it if "
                "the model is that large"
            )
        folders = {str(parent) for file in files for parent in PurePosixPath(file.path).parents}
        for file in files:
            parts = file.path.split("/")
            why = unclear(file.path)
            if file.path in folders and file.path:
                why = "is a file and a folder at once; remove one of them"
            elif len(files) > 1 and any(part in ("", ".", "..") for part in parts):
                why = "has an empty part in its path, or a dot; rename it"
            if why:
                raise ModelError(f"spec.model.uri: {file.path!r} in {self._shown} {why}")

    def _path(self, file: StoredFile) -> Path:
        return self._folder / _FOLDER / file.path if file.path else self._folder / _SINGLE

    def _size(self, file: StoredFile) -> int:
        path = self._path(file)
        return path.stat().st_size if path.is_file() else 0

    def _keep_what_is_the_same(self, files: Sequence[StoredFile]) -> bool:
        """Remove what an earlier run has got of files that have changed since; return whether anything is left."""
        record = self._folder / _TAGS
        now = {file.path: file.tag for file in files}
        before = json.loads(record.read_text()) if record.is_file() else {}
        if before.keys() - now.keys():
            self.discard()
        for file in files:
            if before.get(file.path) != file.tag or self._size(file) > file.size:
                self._path(file).unlink(missing_ok=True)
        self._folder.mkdir(exist_ok=True)
        record.write_text(json.dumps(now))
        return any(self._size(file) for file in files)

    async def _bring(self, files: Sequence[StoredFile]) -> dict[str, str]:
        """Write every file to its end; return their SHA-256."""
        total, there = sum(file.size for file in files), sum(map(self._size, files))
        LOG.info("fetching %s: %d files, %d bytes, %d of them are there", self._shown, len(files), total, there)
        ranges = self._ranges([(file, self._size(file)) for file in files])
        ahead: deque[asyncio.Task[bytearray]] = deque()
        hashes = {}
        try:
            for file in files:
                path = self._path(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab+") as opened:
                    part = Part(opened, file)
                    await part.read_what_is_there(self._deadline)
                    if self._store.is_streamed:
                        await self._stream(file, part)
                    while part.size < file.size:
                        while len(ahead) < _AHEAD and (following := next(ranges, None)):
                            ahead.append(asyncio.create_task(self._fetch(*following)))
                        await part.append(await ahead.popleft())
                hashes[file.path] = self._checked(file, part)
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)
        return hashes

    def _ranges(self, files: Sequence[tuple[StoredFile, int]]) -> Iterator[tuple[StoredFile, int, int]]:
        for file, there in files:
            for start in range(there, file.size, _RANGE):
                yield file, start, min(start + _RANGE, file.size)

    async def _stream(self, file: StoredFile, part: Part) -> None:
        """Write a file from where it broke off, in one answer after the other."""
        tries = Tries(self._shown, self._deadline, part.size)
        while part.size < file.size:
            try:
                # Its server may be busy before the first byte, and only then.
                async with _silence(None) as silence:
                    async for chunk in self._store.read(file, part.size, file.size):
                        await part.append(chunk)
                        silence.reschedule(asyncio.get_running_loop().time() + SILENCE)
                if part.size < file.size:
                    raise ended_after(part.size, file.size)
            except PassingError as failure:
                await asyncio.sleep(tries.pause_after(failure, part.size))

    async def _fetch(self, file: StoredFile, start: int, end: int) -> bytearray:
        content = bytearray()
        tries = Tries(self._shown, self._deadline)
        while True:
            try:
                await self._read(file, start, end, content)
            except PassingError as failure:
                await asyncio.sleep(tries.pause_after(failure, len(content)))
            else:
                return content

    async def _read(self, file: StoredFile, start: int, end: int, content: bytearray) -> None:
        """Add to the content what is missing of a range."""
        async with _silence() as silence:
            async for chunk in self._store.read(file, start + len(content), end):
                content += chunk
                silence.reschedule(asyncio.get_running_loop().time() + SILENCE)
        if len(content) < end - start:
            raise ended_after(len(content), end - start)

    def _checked(self, file: StoredFile, part: Part) -> str:
        """Return a file's SHA-256, once it is what the store says it is."""
        if file.checksum is not None and part.checksum != file.checksum.digest:
            self._path(file).unlink()
            raise ModelError(
                f"spec.model.uri: {file.path or 'the file'} of {self._shown} has the {file.checksum.kind} "
                f"{part.checksum}, and the store says {file.checksum.digest}; something on the way changes it, or the "
                "store's copy is damaged. Upload it again"
            )
        return part.sha256


def wrong(shown: str, found: str, wanted: str) -> ModelError:
    """What to say of other files than those that the digest was made of."""
    return ModelError(
        f"spec.model.digest: {shown} has {found}, not {wanted}; these are other files than those the digest was made "
        "of. Correct the uri, or, if these are the right ones, the digest"
    )


@asynccontextmanager
async def _silence(first: float | None = SILENCE) -> AsyncIterator[asyncio.Timeout]:
    """Turn a time without any byte into a failed try; who gets some bytes calls ``reschedule``.

    Args:
        first: Seconds to the first byte; None for as long as the store itself waits.
    """
    try:
        async with asyncio.timeout(first) as timeout:
            yield timeout
    except TimeoutError:
        raise PassingError(f"no byte for {SILENCE:g} s") from None
