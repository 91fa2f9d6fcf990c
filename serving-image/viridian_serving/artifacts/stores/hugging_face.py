"""``hf://OWNER/REPO@COMMIT``: a repository of Hugging Face, or of a server that speaks its protocol."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Final

import httpx2
from huggingface_hub import (
    HfApi,
    get_async_session,
    get_token,
    hf_hub_url,
    hf_raise_for_status,
    set_async_client_factory,
    set_client_factory,
)
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from viridian_serving.artifacts.archive import MAX_FILES
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.http_client import (
    Redirects,
    client_options,
    refuse_plain,
    unreachable,
)
from viridian_serving.artifacts.stores.refusal import Refusals
from viridian_serving.artifacts.stores.secret import read_secret
from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Checksum, StoredFile

_ADDRESS: Final = re.compile(r"hf://([^/@]+/[^/@]+)@([0-9a-f]{40})(?:/(.+))?")
_TOKEN: Final = "HF_TOKEN"  # noqa: S105  the name of a key
_CHUNK: Final = 256 * 1024


def open_store(source: Source) -> "HuggingFace":
    """Open the repository of ``source.uri``.

    Raises:
        ModelError: The address, the Secret or other settings cannot be used.
    """
    _connect_by(source)
    return HuggingFace(source)


def _connect_by(source: Source) -> None:
    """Tell the library how to connect: with timeouts, with one's own authorities, and by https alone."""
    options = client_options(source)

    async def refuse_plain_later(request: httpx2.Request) -> None:
        refuse_plain(request)

    set_client_factory(lambda: httpx2.Client(event_hooks={"request": [refuse_plain]}, **options))
    set_async_client_factory(lambda: httpx2.AsyncClient(event_hooks={"request": [refuse_plain_later]}, **options))


class HuggingFace:
    """The files of a commit, as a ``Store``."""

    def __init__(self, source: Source) -> None:
        """Prepare; the library is told by then how to connect.

        Raises:
            ModelError: The address or the Secret cannot be used.
        """
        found = _ADDRESS.fullmatch(source.uri)
        if found is None:
            raise ModelError(
                f"spec.model.uri: {source.uri} is not hf://OWNER/REPO@COMMIT with the 40 digits of a commit; a "
                "branch or a tag can mean other files tomorrow"
            )
        self._repository, self._commit, self._path = found[1], found[2], found[3] or ""
        self._shown = source.uri
        self._directory = source.credentials_dir
        self._api = HfApi(endpoint=source.endpoint, token=self._token())
        self._client = get_async_session()
        self._refusals = Refusals(
            "the hub",
            source.uri,
            f"it says so of what does not exist as well. Correct the address, or check the Secret's {_TOKEN}, and "
            "whether its owner may read the repository",
        )
        # Asking the hub itself for every range would pass its limits.
        self._redirects = Redirects(self._client)

    is_streamed = False

    async def files(self) -> Sequence[StoredFile]:
        """List the file, or the folder, or the whole repository."""
        try:
            # The library's own listing has no asynchronous form.
            files = await asyncio.to_thread(self._list)
        except HFValidationError as error:
            raise ModelError(f"spec.model.uri: {error}; correct the name of the repository") from error
        except (HfHubHTTPError, httpx2.HTTPError) as error:
            raise self._explained(error) from None
        self._refusals.works = True
        return files

    def _list(self) -> list[StoredFile]:
        if self._path:
            named = self._api.get_paths_info(self._repository, [self._path], revision=self._commit)
            if named and isinstance(named[0], RepoFile):
                return [_stored(named[0], "")]
        tree = self._api.list_repo_tree(self._repository, self._path or None, recursive=True, revision=self._commit)
        below = f"{self._path}/" if self._path else ""
        files = (_stored(entry, entry.path.removeprefix(below)) for entry in tree if isinstance(entry, RepoFile))
        return list(islice(files, MAX_FILES + 1))

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes | memoryview]:
        """Read a range of a file."""
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        try:
            async with self._redirects.get(self._url(file), headers, auth=self._authorized) as answer:
                if answer.is_error:
                    await answer.aread()
                hf_raise_for_status(answer)
                if answer.status_code != httpx2.codes.PARTIAL_CONTENT:
                    raise ModelError(f"spec.model.uri: the server of {self._shown} sends no parts of files")
                async for chunk in answer.aiter_bytes(_CHUNK):
                    yield chunk
        except (HfHubHTTPError, httpx2.HTTPError) as error:
            raise self._explained(error) from None

    async def aclose(self) -> None:
        """Give up the connections."""
        await self._client.aclose()

    def _token(self) -> str | None:
        """Return the token of now, which may have been renewed; without a Secret, that of the environment."""
        return read_secret(self._directory, (_TOKEN,)).get(_TOKEN) or get_token()

    def _authorized(self, request: httpx2.Request) -> httpx2.Request:
        if token := self._token():
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _url(self, file: StoredFile) -> str:
        name = "/".join(filter(None, (self._path, file.path)))
        return hf_hub_url(self._repository, name, revision=self._commit, endpoint=self._api.endpoint)

    def _explained(self, error: Exception) -> Exception:
        if not isinstance(error, HfHubHTTPError):
            return unreachable("the hub", error)
        words = error.response.headers.get("X-Error-Message") or error.server_message or ""
        return self._refusals.of(
            error.response,
            words,
            [self._token() or ""],
            refused=isinstance(error, GatedRepoError | RepositoryNotFoundError),
            final=isinstance(error, GatedRepoError),
        )


def _stored(file: RepoFile, path: str) -> StoredFile:
    if file.lfs is not None:
        return StoredFile(path, file.lfs.size, file.lfs.sha256, Checksum("sha256", file.lfs.sha256))
    return StoredFile(path, file.size, file.blob_id, Checksum("git-blob", file.blob_id))
