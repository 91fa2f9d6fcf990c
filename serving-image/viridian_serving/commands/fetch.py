"""The fetch container, before the others start: brings the model's files, or finds them, and checks their digest."""

import logging
import os
import shutil
import signal
import sys
import time
from itertools import count
from pathlib import Path
from typing import Final, NoReturn

from viridian_serving.artifacts.archive import is_archive, unpack
from viridian_serving.artifacts.credentials import read_authorization
from viridian_serving.artifacts.download import Deadline, Download
from viridian_serving.artifacts.locate import FETCHED, MODEL_FILE, ModelError, locate
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.settings.termination_log import report
from viridian_shared.digest import UnclearFiles, digest_of
from viridian_shared.https import shown

LOG = logging.getLogger("viridian.fetch")

_TRIES: Final = 3
"""Downloads in pieces, or of answers whose end nobody can tell, that are wrong before the digest is held to be."""
_PART: Final = "download.part"
_UNPACKING: Final = "unpacking"
_SEAL: Final = "model.digest"
"""The digest of what was put in place; of an archive, that is not the one in the spec."""


def main() -> int:
    """Run the container.

    Returns:
        The exit code: 0 when the files are there and right, 1 when they are not, 2 when the environment is wrong.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # The first process of a container is not ended by a signal unless it says so.
    signal.signal(signal.SIGTERM, _stop)
    try:
        settings = config.load(os.environ)
    except config.ConfigError as error:
        report(config.termination_log(os.environ), [f"The fetch container cannot start: {s}" for s in error.sentences])
        return 2
    try:
        fetch(settings)
    except ModelError as error:
        report(settings.termination_log, [f"{error}"])
        return 1
    return 0


def _stop(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def fetch(settings: Settings) -> None:
    """See to it that the model's files are there, and what they should be.

    Args:
        settings: Of this pod.

    Raises:
        ModelError: They are not; the message names the field of the spec.
    """
    if settings.model_digest is None:
        raise ModelError("spec.model.digest: it is not set, so there is nothing to check; write it")
    deadline = Deadline(settings.fetch_timeout, time.monotonic())
    if settings.model_uri.startswith("https:"):
        _bring(settings, settings.model_digest, deadline)
        return
    try:
        path = locate(settings)
    except ModelError as error:
        raise ModelError(f"spec.{error}") from error
    found = _digest(path, deadline)
    if found != settings.model_digest:
        raise _wrong(settings.model_uri, found, settings.model_digest)
    LOG.info("%s is %s", path, found)


def _bring(settings: Settings, wanted: str, deadline: Deadline) -> None:
    """Fetch, check, unpack, and only then put in place: whoever finds the folder finds all of it."""
    ready = settings.model_mount / FETCHED
    part, unpacking, seal = (settings.model_mount / name for name in (_PART, _UNPACKING, _SEAL))
    try:
        if ready.is_dir():
            # A node that lost its power can have lost what was written last, though the folder is there.
            if seal.is_file() and seal.read_text() == _digest(ready, deadline):
                LOG.info("%s is already there", ready)
                return
            shutil.rmtree(ready)
        _download(settings, part, wanted, deadline)
        shutil.rmtree(unpacking, ignore_errors=True)
        unpacking.mkdir()
        if is_archive(part):
            unpack(part, unpacking, settings.model_max_size, deadline)
            part.unlink()
        elif settings.model_format != "onnx":
            raise ModelError(
                "spec.model.uri: what was fetched is no .tar.gz, .tar or .zip, and format "
                f"{settings.model_format} wants a folder; pack it into an archive"
            )
        else:
            part.rename(unpacking / MODEL_FILE)
        seal.write_text(_digest(unpacking, deadline))
        unpacking.rename(ready)
    except OSError as error:
        raise ModelError(
            f"spec.model.uri: what was fetched cannot be stored: {error}; see whether the node's disk is full"
        ) from error
    LOG.info("%s is ready", ready)


def _download(settings: Settings, part: Path, wanted: str, deadline: Deadline) -> None:
    download = Download(
        settings.model_uri, read_authorization(settings.credentials_dir), part, settings.model_max_size, deadline
    )
    if part.is_file() and _digest(part, deadline) == wanted:
        return  # an earlier run got this far
    for tries in count(1):
        whole = download.run()
        found = _digest(part, deadline)
        if found == wanted:
            LOG.info("%s is %s", shown(settings.model_uri), found)
            return
        download.discard()
        if whole or tries == _TRIES:
            raise _wrong(shown(settings.model_uri), found, wanted)
        LOG.warning("the pieces do not fit together (%s); fetching it in one", found)


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


def _wrong(uri: str, found: str, wanted: str) -> ModelError:
    return ModelError(
        f"spec.model.digest: {uri} has {found}, not {wanted}; these are other files than those the digest was made of. "
        "Correct the uri, or, if these are the right ones, the digest"
    )


if __name__ == "__main__":
    sys.exit(main())
