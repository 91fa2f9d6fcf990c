"""``--upload``, ``--endpoint`` and ``--region`` of ``viridian import``."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from viridian_import.faults import ImportFault
from viridian_import.write.upload import TIMEOUT, Upload
from viridian_serving.artifacts.stores.source import Source

_PART: Final = r"(?!\.{1,2}(/|$))[A-Za-z0-9._=+@-]+"
_FOLDER: Final = re.compile(rf"(s3://|gs://|az://{_PART}/)[a-z0-9][a-z0-9._-]+(/{_PART})+/?")
_ENDPOINT: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options to the command."""
    add = parser.add_argument
    add(
        "--upload",
        type=_folder,
        metavar="URI",
        help="put the version's files into this folder of a store, from which the pods fetch them: s3://BUCKET/FOLDER, "
        "gs://BUCKET/FOLDER or az://ACCOUNT/CONTAINER/FOLDER, with the credentials of the environment",
    )
    add("--endpoint", type=_endpoint, metavar="URL", help="with --upload: the store's server, unless it is the cloud's")
    add("--region", type=_region, help="with --upload: region of the bucket of an s3 URI")


def settings(given: argparse.Namespace) -> Mapping[str, str]:
    """Return spec.model.store of the version, without what is not set."""
    return {name: value for name in ("endpoint", "region") if (value := getattr(given, name)) is not None}


def prepare(given: argparse.Namespace) -> Upload | None:
    """Open the store, if there is one to upload to.

    Raises:
        ImportFault: The options contradict each other, or the store cannot be used.
    """
    if given.upload is None:
        if found := settings(given):
            raise ImportFault(f"--{next(iter(found))} is of a store; name that with --upload, or leave it out")
        return None
    if given.uri is not None:
        raise ImportFault("--upload says where the pods find the files; leave out --uri")
    if not given.upload.startswith("s3:") and (given.region or (given.endpoint or "").startswith("http:")):
        raise ImportFault("--region and an --endpoint without TLS (http://) are for s3 URIs alone; leave them out")
    return Upload(Source(given.upload, TIMEOUT, endpoint=given.endpoint, region=given.region))


def advice(source: Source, manifest: Path) -> str:
    """Return what to do with a version that was uploaded."""
    return (
        f'check what is behind "set" in {manifest} (Gateway, and the Secret with which pods read {source.uri}), '
        f"and then: kubectl apply -f {manifest}"
    )


def _folder(text: str) -> str:
    if not _FOLDER.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://ACCOUNT/CONTAINER/FOLDER of letters, "
            "digits and . _ - = + @; write one such as s3://models/churn/v1.0.0"
        )
    return text.rstrip("/") + "/"  # so that no pod looks for an object of that name


def _endpoint(text: str) -> str:
    if not _ENDPOINT.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no https://HOST or https://HOST:PORT; write one such as https://minio.storage.svc:9000"
        )
    return text


def _region(text: str) -> str:
    if not re.fullmatch("[a-z0-9-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no region; write one such as eu-central-1")
    return text
