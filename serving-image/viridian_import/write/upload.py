"""Puts a version's files into a store of models, from which pods fetch them."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from viridian_import.faults import ImportFault
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores import azure, gcs, s3
from viridian_serving.artifacts.stores.objects import words_of
from viridian_serving.artifacts.stores.source import Source

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig

TIMEOUT: Final = 3600.0
"""Seconds for one request, such as a part of a large file on a slow line."""
_RETRIES: "Final[RetryConfig]" = {"max_retries": 3}
_SECRETS: Final = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET"),
    "GOOGLE_SERVICE_ACCOUNT_KEY",
)
"""Variables whose values no message repeats."""


@dataclass(frozen=True)
class _Kind:
    """A kind of store."""

    connect: "Callable[[Source, RetryConfig], tuple[ObjectStore, Iterable[str]]]"
    name: str
    variables: str
    """Where the credentials are taken from."""
    listing: str
    """The right to see what a folder holds, as the store calls it."""
    writing: str
    """The right to put files there."""
    lacks_right: str
    """What the store says to somebody whom it knows, and who has not that right."""


_KINDS: Final[Mapping[str, _Kind]] = {
    "s3": _Kind(
        s3.connect,
        "the S3 store",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if you have one)",
        listing="s3:ListBucket",
        writing="s3:PutObject",
        lacks_right="AccessDenied",
    ),
    "gs": _Kind(
        gcs.connect,
        "Google Cloud Storage",
        "GOOGLE_APPLICATION_CREDENTIALS, to the file of a service account's key, or run "
        "`gcloud auth application-default login`",
        listing="storage.objects.list",
        writing="storage.objects.create",
        lacks_right="does not have storage.",
    ),
    "az": _Kind(
        azure.connect,
        "Azure Blob Storage",
        "AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN",
        listing="list (l in a SAS)",
        writing="write (w in a SAS)",
        lacks_right="AuthorizationPermissionMismatch",
    ),
}


class Upload:
    """A folder of a store that a version's files go to."""

    def __init__(self, source: Source) -> None:
        """Make sure that the folder can be asked for, and is empty: before the work that a version is.

        Args:
            source: An s3, gs or az uri of a folder.

        Raises:
            ImportFault: It cannot be used.
        """
        self.source = source
        address = urlsplit(source.uri)
        self._kind = _KINDS[address.scheme]
        path = address.path.strip("/")
        self._key = path.partition("/")[2] if address.scheme == "az" else path
        try:
            self._client, _ = self._kind.connect(source, _RETRIES)
            found = next(iter(obstore.list(self._client, prefix=self._key)), [])
        except (BaseError, OSError, ModelError) as error:
            raise self._explained(error, self._kind.listing) from None
        if found:
            raise ImportFault(
                f"--upload: {source.uri} has files already, such as {found[0]['path'].rpartition('/')[2]}, and a "
                "version never changes once it is in a store; give another --version and another folder"
            )

    def put(self, folder: Path) -> int:
        """Upload all files of a folder; take back those that were uploaded if one fails.

        Returns:
            Their number.

        Raises:
            ImportFault: A file cannot be uploaded.
        """
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        done: list[str] = []
        try:
            for file in files:
                key = f"{self._key}/{file.relative_to(folder).as_posix()}"
                obstore.put(self._client, key, file)
                done.append(key)
        except (BaseError, OSError) as error:
            left = self._taken_back(done)
            raise ImportFault(
                f"{self._explained(error, self._kind.writing)}. {left}. The version is in {folder}: upload its files "
                "there yourself, or remove that folder and import again"
            ) from None
        return len(files)

    def _taken_back(self, keys: list[str]) -> str:
        try:
            if keys:
                obstore.delete(self._client, keys)
        except (BaseError, OSError):
            return f"{len(keys)} files were uploaded and cannot be removed: remove {self.source.uri}"
        return "Nothing was left there"

    def _explained(self, error: Exception, right: str) -> ImportFault:
        """Return what the store answered where this right was used, and the way out."""
        uri, kind = self.source.uri, self._kind
        said = words_of(error, [os.environ.get(name, "") for name in _SECRETS])
        # A listing that is refused is no exception of its own; its words begin with the status.
        if isinstance(error, FileNotFoundError) or said.startswith("404"):
            way_out = f"make the bucket, correct the address, or set {kind.variables}, of somebody whom it knows"
        elif isinstance(error, PermissionDeniedError | UnauthenticatedError) or said.startswith(("401", "403")):
            whose = f"the credentials of the environment ({kind.variables})"
            way_out = (
                f"{whose} lack the right {right} there: give it to them, or set those of somebody who has it"
                if kind.lacks_right in said
                else f"{whose} are not taken: set those of somebody who has {kind.listing} and {kind.writing} there"
            )
        elif isinstance(error, ModelError):
            way_out = "correct the address"
        else:
            way_out = (
                f"check the address, --endpoint and --region, the network, and the credentials of the environment: "
                f"{kind.variables}"
            )
        return ImportFault(f"--upload: {kind.name} does not take {uri} ({said}); {way_out}")
