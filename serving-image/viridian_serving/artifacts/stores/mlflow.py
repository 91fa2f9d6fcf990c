"""``mlflow://NAME/VERSION``: a version in the registry of MLflow, by its REST API.

The tracking server says where a version's files are: in a store, which is then asked itself, or behind the server
(``mlflow-artifacts:``), which signs addresses of its own store, or hands the files on.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import httpx2

from viridian_serving.artifacts.archive import MAX_FILES
from viridian_serving.artifacts.credentials import basic, bearer
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.retries import SILENCE
from viridian_serving.artifacts.stores import opening
from viridian_serving.artifacts.stores.http_client import (
    get_document,
    open_client,
    read_part,
    unreachable,
)
from viridian_serving.artifacts.stores.mlflow_signed import SignedAddresses
from viridian_serving.artifacts.stores.refusal import Refusals
from viridian_serving.artifacts.stores.secret import has_keys, read_secret
from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Store, StoredFile

_ADDRESS: Final = re.compile(r"mlflow://([^/@:]+)/([1-9][0-9]*)(?:/(.+))?")
_API: Final = "api/2.0"
_TOKEN, _NAME, _PASSWORD = "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
_S3_ENDPOINT: Final = "MLFLOW_S3_ENDPOINT_URL"
_GATHERING: Final = 600.0
"""Seconds that the server may take to the first byte of a file: it fetches all of it from its own store before."""
_KEYS: Final = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""How the keys of a store begin, in a Secret that has them beside those of the tracking server."""
_AZURE: Final = re.compile(r"(?:wasbs|abfss)://([^@/]+)@([^./]+)\.(?:blob|dfs)\.core\.windows\.net/(.+)")


def open_store(source: Source) -> "MlflowRegistry":
    """Open the version of ``source.uri``.

    Raises:
        ModelError: The address, the Secret or other settings cannot be used.
    """
    return MlflowRegistry(source)


class MlflowRegistry:
    """The files of a version, as a ``Store``."""

    def __init__(self, source: Source) -> None:
        """Prepare.

        Raises:
            ModelError: The address, the Secret or other settings cannot be used.
        """
        found = _ADDRESS.fullmatch(source.uri)
        if found is None:
            raise ModelError(
                f"spec.model.uri: {source.uri} is not mlflow://NAME/VERSION with the number of a version; an alias or "
                "a stage can mean another version tomorrow"
            )
        if source.endpoint is None:
            raise ModelError("spec.model.store.endpoint: it is not set; write the address of MLflow's tracking server")
        self._name, self._version, self._path = unquote(found[1]), found[2], (found[3] or "").strip("/")
        self._source = source
        self._shown = source.uri
        self._secrets: tuple[str, ...] = ()
        self._refusals = Refusals(
            "MLflow",
            source.uri,
            f"check the Secret's {_TOKEN}, or {_NAME} and {_PASSWORD}, and whether their owner may read the model",
        )
        self._elsewhere: Store | None = None
        """The store that has the files, where the server does not hand them on."""
        self._root = ""
        """The folder of the version below the server's artifacts."""
        self._signed: SignedAddresses | None = None
        """Where the server signs addresses of its store, and does not hand files on."""
        self._authorization()  # so that a Secret that is no good is said at once
        self._client = open_client(source, plain=source.endpoint.startswith("http:"))

    @property
    def is_streamed(self) -> bool:
        """Whether files are asked for in one."""
        return self._signed is None and (self._elsewhere is None or self._elsewhere.is_streamed)

    async def files(self) -> Sequence[StoredFile]:
        """List the file, or the folder."""
        if self._elsewhere is None:
            self._find(await self._location())
        self._refusals.works = True
        if self._elsewhere is not None:
            return await self._elsewhere.files()
        files = await self._files()
        addresses = SignedAddresses(self._client, self._sign)
        largest = max(files, key=lambda file: file.size, default=None)
        if largest is not None and largest.size and await addresses.work(largest):
            self._signed = addresses
        return files

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes | memoryview]:
        """Read a part of a file."""
        if self._elsewhere is not None:
            async for chunk in self._elsewhere.read(file, start, end):
                yield chunk
            return
        if self._signed is not None and file.size:
            async for chunk in self._signed.read(file, start, end):
                yield chunk
            return
        headers = {"Accept-Encoding": "identity", **self._authorization()}
        if start:
            headers["Range"] = f"bytes={start}-{end - 1}"
        url = self._url("mlflow-artifacts/artifacts", quote(_joined(self._root, file.path)))
        timeout = httpx2.Timeout(SILENCE, read=_GATHERING)
        try:
            async with self._client.stream("GET", url, headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise self._refusal(answer, answer.text)
                async for chunk in read_part(answer, start, end):
                    yield chunk
        except httpx2.HTTPError as error:
            raise unreachable("MLflow", error) from None

    async def aclose(self) -> None:
        """Give up the connections."""
        await self._client.aclose()
        if self._elsewhere is not None:
            await self._elsewhere.aclose()

    async def _location(self) -> str:
        """Ask where the files of the version are."""
        asked = {"name": self._name, "version": self._version}
        told = await self._ask("mlflow/model-versions/get-download-uri", asked)
        return str(told["artifact_uri"])

    def _find(self, location: str) -> None:
        """Take where the files are.

        Raises:
            ModelError: Only the server itself can read them.
        """
        parts = urlsplit(location)
        if parts.scheme == "mlflow-artifacts":
            self._root = _joined(unquote(parts.path).strip("/"), self._path)
            return
        if found := _AZURE.fullmatch(location):
            location = f"az://{found[2]}/{found[1]}/{found[3]}"
        elif parts.scheme not in _KEYS:
            raise ModelError(
                f"spec.model.uri: the files of {self._shown} are at {parts.scheme or 'file'}:, which pods cannot read; "
                "let the server hand them on (mlflow server --serve-artifacts), or keep them in a store (s3, gs, az)"
            )
        self._elsewhere = opening.open_store(self._at(_joined(location.rstrip("/"), self._path)))

    def _at(self, uri: str) -> Source:
        """Return how to reach another store: with its keys of the Secret, or else with the pod's identity."""
        scheme = urlsplit(uri).scheme
        directory = self._source.credentials_dir
        if not has_keys(directory, _KEYS[scheme]):
            directory = Path("/nonexistent")
        endpoint = os.environ.get(_S3_ENDPOINT) if scheme == "s3" else None
        return replace(self._source, uri=uri, credentials_dir=directory, endpoint=endpoint)

    async def _files(self) -> list[StoredFile]:
        if self._path and (single := await self._single()):
            return [single]
        found: list[StoredFile] = []
        folders = [""]
        while folders and len(found) <= MAX_FILES:  # more is said by who asked
            folder = folders.pop()
            for entry in await self._entries(_joined(self._root, folder)):
                path = _joined(folder, str(entry["path"]))
                if entry.get("is_dir"):
                    folders.append(path)
                else:
                    found.append(self._stored(entry, path))
        return found

    async def _single(self) -> StoredFile | None:
        """Return the file, if the address names one and not a folder."""
        folder, _, name = self._root.rpartition("/")
        named = (entry for entry in await self._entries(folder) if entry["path"] == name and not entry.get("is_dir"))
        return next((self._stored(entry, "") for entry in named), None)

    async def _entries(self, folder: str) -> list[dict[str, Any]]:
        listed = await self._ask("mlflow-artifacts/artifacts", {"path": folder})
        return list(listed.get("files", []))

    async def _sign(self, file: StoredFile) -> Any:  # noqa: ANN401
        return await self._ask(f"mlflow-artifacts/presigned/{quote(_joined(self._root, file.path))}", {})

    def _stored(self, entry: Mapping[str, Any], path: str) -> StoredFile:
        # Its listings have no tags; but the files of a version stay what they are, and a digest is checked.
        size = int(entry.get("file_size", 0))
        return StoredFile(path, size, f"{_joined(self._root, path)} {size}")

    async def _ask(self, what: str, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401
        try:
            answer, content = await get_document(
                self._client, self._url(what), params=parameters, headers=self._authorization()
            )
        except httpx2.HTTPStatusError as error:
            raise self._refusal(error.response, str(error)) from None
        except httpx2.HTTPError as error:
            raise unreachable("MLflow", error) from None
        try:
            return json.loads(content)
        except ValueError:
            raise ModelError(
                f"spec.model.store.endpoint: {answer.url.host} answers no JSON, so it is not MLflow's tracking server; "
                "write its address"
            ) from None

    def _url(self, *path: str) -> str:
        return "/".join((f"{self._source.endpoint}", _API, *path))

    def _authorization(self) -> dict[str, str]:
        """Return the header of now: a Secret may have been renewed."""
        found = self._credentials()
        self._secrets = tuple(found.values())
        if found and str(self._source.endpoint).startswith("http:"):
            raise ModelError(
                "spec.model.store.endpoint: by http:// everybody on the way could read the token or the password; "
                f"write an https:// endpoint, or leave {_TOKEN}, {_NAME} and {_PASSWORD} out of the Secret"
            )
        if _TOKEN in found:
            return {"Authorization": bearer(found[_TOKEN])}
        return {"Authorization": basic(found[_NAME], found[_PASSWORD])} if found else {}

    def _credentials(self) -> Mapping[str, str]:
        """Return the keys of the Secret; without a Secret, those of the environment."""
        directory = self._source.credentials_dir
        if not directory.is_dir():
            token, *pair = (os.environ.get(key, "") for key in (_TOKEN, _NAME, _PASSWORD))
            return {_TOKEN: token} if token else dict(zip((_NAME, _PASSWORD), pair, strict=True)) if all(pair) else {}
        if not has_keys(directory, "MLFLOW_") and any(has_keys(directory, keys) for keys in _KEYS.values()):
            return {}
        return read_secret(directory, (_TOKEN,), (_NAME, _PASSWORD))

    def _refusal(self, answer: httpx2.Response, words: str) -> Exception:
        try:
            document = json.loads(words)
            words = f"{document['message']}"
        except (ValueError, KeyError, TypeError):
            pass
        return self._refusals.of(answer, words, self._secrets)


def _joined(*parts: str) -> str:
    return "/".join(filter(None, parts))
