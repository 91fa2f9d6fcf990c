"""The digest of what is in a store, without keeping it: for the command line."""

import asyncio
import hashlib
import time
from contextlib import aclosing

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.retries import Deadline, PassingError, Tries, ended_after
from viridian_serving.artifacts.stores.opening import open_store
from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Store, StoredFile
from viridian_shared.digest import PREFIX, digest_of_hashes

__all__ = ["ModelError", "digest_of_source"]


def digest_of_source(source: Source) -> str:
    """Read a file or a folder of a store.

    Returns:
        ``sha256:`` and 64 hexadecimal digits.

    Raises:
        ModelError: It cannot be read; the message names the field of a ModelDeployment's spec that would be at fault.
    """
    return asyncio.run(_digest(source))


async def _digest(source: Source) -> str:
    deadline = Deadline(source.timeout, time.monotonic())
    async with aclosing(open_store(source)) as store:
        files = await store.files()
        if not files:
            raise ModelError(f"spec.model.uri: there is no file below {source.uri}; correct the address")
        hashes = {file.path: await _hash(store, file, Tries(source.uri, deadline)) for file in files}
    single = len(files) == 1 and not files[0].path
    return PREFIX + hashes[""] if single else digest_of_hashes(hashes)


async def _hash(store: Store, file: StoredFile, tries: Tries) -> str:
    digest, read = hashlib.sha256(), 0
    while read < file.size:
        try:
            async for chunk in store.read(file, read, file.size):
                digest.update(chunk)
                read += len(chunk)
            if read < file.size:
                raise ended_after(read, file.size)
        except PassingError as failure:
            await asyncio.sleep(tries.pause_after(failure, read))
    return digest.hexdigest()
