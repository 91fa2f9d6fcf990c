"""The fetch container, before the others start: brings the model's files, or finds them, and checks their digest."""

import asyncio
import errno
import logging
import os
import shutil
import signal
import sys
import time
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import Final, NoReturn

from viridian_serving.artifacts import layers
from viridian_serving.artifacts.archive import is_archive, unpack
from viridian_serving.artifacts.authorities import read_authorities
from viridian_serving.artifacts.credentials import read_authorization
from viridian_serving.artifacts.download import Download
from viridian_serving.artifacts.locate import (
    FETCHED,
    MODEL_FILE,
    CredentialsError,
    MissingError,
    ModelError,
    NoRoomError,
    locate,
    model_home,
)
from viridian_serving.artifacts.model_cache import ModelCache
from viridian_serving.artifacts.retries import Deadline
from viridian_serving.artifacts.stores.opening import open_store
from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Store
from viridian_serving.artifacts.transfer import Fetched, Transfer, wrong
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.settings.termination_log import report
from viridian_shared.digest import PREFIX, UnclearFiles, digest_of, digest_of_hashes
from viridian_shared.https import shown
from viridian_shared.pod.exit_codes import CHECK_FAILED, FETCH_NO_ROOM, FETCH_REFUSED
from viridian_shared.words import count as count_of

LOG = logging.getLogger("viridian.fetch")

CANNOT_KNOW: Final = 69
"""Exit code of a look that did not see."""
_TRIES: Final = 3
"""Downloads in pieces, or of answers whose end nobody can tell, that are wrong before the digest is held to be."""
_PART: Final = "download.part"
_PARTS: Final = "download.parts"
_CACHED: Final = "cached"
_UNPACKING: Final = "unpacking"
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT}
_SEAL: Final = "model.digest"
"""The digest of what was put in place; of an archive, that is not the one in the spec."""


def main() -> NoReturn:
    """Run the container.

    The process ends with 0 when the files are there and right, 1 when they are not, 2 when the environment is wrong,
    and with a separate code when the store refuses the credentials or the disk has no room.
    Told only to look, it ends with 0 when they are there, 65 when they are not, and 69 when that cannot be known.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # The first process of a container is not ended by a signal unless it says so. What is on the disk is whole at any
    # moment.
    signal.signal(signal.SIGTERM, lambda *_: _end(128 + signal.SIGTERM))
    _end(_run())


def _run() -> int:
    try:
        settings = config.load(os.environ)
    except config.ConfigError as error:
        report(config.termination_log(os.environ), [f"The fetch container cannot start: {s}" for s in error.sentences])
        return 2
    if settings.fetch_look:
        return _look(settings)
    try:
        fetch(settings)
    except ModelError as error:
        report(settings.termination_log, [f"{error}"])
        return _exit_code(error)
    return 0


def _look(settings: Settings) -> int:
    try:
        report(settings.termination_log, [look(settings)])
    except ModelError as error:
        report(settings.termination_log, [f"{error}"])
        # Who is not let in, or is not answered, does not know what is there.
        return CHECK_FAILED if isinstance(error, MissingError) else CANNOT_KNOW
    return 0


def _exit_code(error: ModelError) -> int:
    """By which the operator tells failures apart."""
    if isinstance(error, CredentialsError):
        return FETCH_REFUSED
    return FETCH_NO_ROOM if isinstance(error, NoRoomError) else 1


def _end(code: int) -> NoReturn:
    """End the process without taking Python down: a thread of a store's library that still runs would abort that."""
    sys.stderr.flush()
    os._exit(code)


def fetch(settings: Settings) -> None:
    """See to it that the model's files are there, and what they should be.

    Args:
        settings: Of this pod.

    Raises:
        ModelError: They are not; the message names the field of the spec.
    """
    deadline = Deadline(settings.fetch_timeout, time.monotonic())
    if settings.is_fetched:
        _bring(settings, deadline)
        return
    if settings.model_digest is None and not settings.model_mounted:
        raise ModelError("spec.model.digest: it is not set, so there is nothing to check; write it")
    try:
        path = locate(settings)
    except ModelError as error:
        raise ModelError(f"spec.{error}") from error
    if settings.model_digest is None:
        LOG.info("%s is mounted, as its registry vouches for it", settings.model_uri)
        return
    found = _digest(path, deadline)
    if found != settings.model_digest:
        raise wrong(settings.model_uri, found, settings.model_digest)
    LOG.info("%s is %s", path, found)


def look(settings: Settings) -> str:
    """Say whether what would be fetched is there. Nothing is fetched, and no digest is checked: that is cheap.

    Args:
        settings: Of a pod.

    Returns:
        What is there, in a sentence.

    Raises:
        ModelError: It is not, or that cannot be known; the message names the field of the spec.
    """
    deadline = Deadline(settings.fetch_timeout, time.monotonic())
    address = shown(settings.model_uri)
    if settings.model_uri.startswith("https:"):
        size = _file(settings, settings.model_mount / _PART, deadline).look()
        return f"{address} is there{'' if size is None else f', with {size:,} bytes'}"
    if settings.is_fetched:
        number, size = asyncio.run(_list(settings, deadline))
        return f"{address} is there, with {count_of(number, 'file')} of {size:,} bytes"
    try:
        model_home(settings)
    except ModelError as error:
        raise MissingError(f"spec.{error}") from error  # as a pod would find it
    return f"{address} is there"


def _bring(settings: Settings, deadline: Deadline) -> None:
    """Fetch, check, unpack, and only then put in place: whoever finds the folder finds all of it."""
    ready = settings.model_mount / FETCHED
    unpacking, seal = (settings.model_mount / name for name in (_UNPACKING, _SEAL))
    try:
        if ready.is_dir():
            # A node that lost its power can have lost what was written last, though the folder is there.
            if seal.is_file() and seal.read_text() == _digest(ready, deadline):
                LOG.info("%s is already there", ready)
                return
            shutil.rmtree(ready)
        shutil.rmtree(unpacking, ignore_errors=True)
        content, digest = _obtain(settings, deadline)
        seal.write_text(_arrange(settings, content, digest, unpacking, deadline))
        unpacking.rename(ready)
    except OSError as error:
        told = f"spec.model.uri: what was fetched cannot be stored: {error}; see whether the node's disk is full"
        raise (NoRoomError if error.errno in _NO_ROOM else ModelError)(told) from error
    LOG.info("%s is ready", ready)


def _obtain(settings: Settings, deadline: Deadline) -> tuple[Path, str]:
    """Bring what is at the address; return where it is now, and its digest."""
    if settings.model_cache is None or settings.model_digest is None:
        return _fetch(settings, deadline)
    cache = ModelCache(settings.model_cache, settings.model_cache_max_size, deadline)
    copied = settings.model_mount / _CACHED
    if copied.is_dir():
        shutil.rmtree(copied)
    content = cache.get(settings.model_digest, copied, lambda: _fetch(settings, deadline)[0])
    return content, settings.model_digest


def _fetch(settings: Settings, deadline: Deadline) -> tuple[Path, str]:
    if settings.model_uri.startswith("https:"):
        content = settings.model_mount / _PART
        return content, _download(settings, content, deadline)
    fetched = asyncio.run(_transfer(settings, deadline))
    return fetched.path, fetched.digest


def _arrange(settings: Settings, content: Path, digest: str, folder: Path, deadline: Deadline) -> str:
    """Make the model's folder of what was fetched; return the folder's digest."""
    if (content / layers.MANIFEST).is_file():
        layers.lay_out(content, folder, settings.model_max_size, deadline)
        return _digest(folder, deadline)
    if content.is_dir():
        content.rename(folder)
        return digest
    folder.mkdir()
    if is_archive(content):
        unpack(content, folder, settings.model_max_size, deadline)
        content.unlink()
        return _digest(folder, deadline)
    if settings.model_format != "onnx":
        raise ModelError(
            "spec.model.uri: what was fetched is no .tar.gz, .tar or .zip, and format "
            f"{settings.model_format} wants a folder; pack it into an archive, or name its folder"
        )
    content.rename(folder / MODEL_FILE)
    return digest_of_hashes({MODEL_FILE: digest.removeprefix(PREFIX)})


async def _transfer(settings: Settings, deadline: Deadline) -> Fetched:
    """Fetch what is in a store."""
    async with aclosing(open_store(Source.of_pod(settings))) as store:
        return await _of_store(store, settings, deadline).run()


async def _list(settings: Settings, deadline: Deadline) -> tuple[int, int]:
    """How many files are in a store, and their bytes."""
    async with aclosing(open_store(Source.of_pod(settings))) as store:
        return await _of_store(store, settings, deadline).look()


def _of_store(store: Store, settings: Settings, deadline: Deadline) -> Transfer:
    parts, wanted = settings.model_mount / _PARTS, settings.model_digest
    return Transfer(store, settings.model_uri, wanted, parts, settings.model_max_size, deadline)


def _download(settings: Settings, part: Path, deadline: Deadline) -> str:
    """Fetch a file by https; return its digest."""
    wanted = settings.model_digest
    if wanted is None:
        raise ModelError("spec.model.digest: it is not set, so there is nothing to check; write it")
    download = _file(settings, part, deadline)
    if part.is_file() and _digest(part, deadline) == wanted:
        return wanted  # an earlier run got this far
    for tries in count(1):
        whole = download.run()
        found = _digest(part, deadline)
        if found == wanted:
            LOG.info("%s is %s", shown(settings.model_uri), found)
            break
        download.discard()
        if whole or tries == _TRIES:
            raise wrong(shown(settings.model_uri), found, wanted)
        LOG.warning("the pieces do not fit together (%s); fetching it in one", found)
    return wanted


def _file(settings: Settings, part: Path, deadline: Deadline) -> Download:
    authorization = read_authorization(settings.credentials_dir)
    authorities = read_authorities(settings.store_ca)
    return Download(settings.model_uri, authorization, authorities, part, settings.model_max_size, deadline)


def _digest(path: Path, deadline: Deadline) -> str:
    try:
        return digest_of(path, lambda _: deadline.check("checking"))
    except UnclearFiles as error:
        raise ModelError(f"spec.model.uri: {error}") from error
    except PermissionError as error:
        raise ModelError(
            f"spec.model.uri: {error.filename} may not be read by user 10001; make the files readable for everybody "
            "(chmod -R a+rX)"
        ) from error
    except OSError as error:
        raise ModelError(f"spec.model.uri: {error.filename or path} cannot be read: {error.strerror}") from error


if __name__ == "__main__":
    main()
