"""Addresses that MLflow's tracking server signs, under which its own store hands out a file: past the server, in parts.

Servers with artifacts in S3 or Google Cloud Storage have them since MLflow 3; they are good for some minutes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.retries import SILENCE, PassingError
from viridian_serving.artifacts.stores.http_client import asked_pause, is_passing, read_part, unreachable
from viridian_serving.artifacts.stores.store import StoredFile

_STORE: Final = "the store behind MLflow"
_EXPIRED: Final = frozenset({400, 401, 403})
"""How stores refuse an address whose time is over."""


@dataclass(frozen=True)
class _Signed:
    url: str
    headers: Mapping[str, str]


class SignedAddresses:
    """Reads files under such addresses; a new one is asked for when the old one is refused."""

    def __init__(self, client: httpx2.AsyncClient, sign: Callable[[StoredFile], Awaitable[Any]]) -> None:
        """Prepare.

        Args:
            client: Whom to ask the store with.
            sign: Asks the tracking server for the address of a file; returns its answer.
        """
        self._client, self._sign = client, sign
        self._known: dict[str, _Signed] = {}

    async def work(self, file: StoredFile) -> bool:
        """Whether the server signs addresses that can be used from here: the first byte of a file is read to see."""
        try:
            async for _ in self.read(file, 0, 1):
                return True
        except (ModelError, PassingError):
            pass  # an older server, a store without such addresses, or one that only the server can reach
        return False

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        """Read a part of a file; see Store.

        Raises:
            PassingError: Another try may help.
            ModelError: The store does not give it.
        """
        signed = self._known.get(file.path) or await self._ask(file)
        headers = {"Accept-Encoding": "identity", **signed.headers, "Range": f"bytes={start}-{end - 1}"}
        try:
            async with self._client.stream("GET", signed.url, headers=headers, timeout=SILENCE) as answer:
                if answer.is_error:
                    raise self._refusal(file, answer)
                async for chunk in read_part(answer, start, end):
                    yield chunk
        except httpx2.HTTPError as error:
            raise unreachable(_STORE, error) from None

    async def _ask(self, file: StoredFile) -> _Signed:
        told = await self._sign(file)
        try:
            headers = {str(name): str(value) for name, value in (told.get("headers") or {}).items()}
            self._known[file.path] = _Signed(str(told["url"]), headers)
        except (AttributeError, KeyError, TypeError):
            raise ModelError("spec.model.store.endpoint: MLflow signs no address that can be read") from None
        return self._known[file.path]

    def _refusal(self, file: StoredFile, answer: httpx2.Response) -> Exception:
        # Its own words may have parts of the signature in them.
        said = f"{_STORE} answers {answer.status_code} ({answer.reason_phrase})"
        if answer.status_code in _EXPIRED:
            self._known.pop(file.path, None)
            sentence = ModelError(
                f"spec.model.uri: {said} under the address that MLflow has signed for {file.path or 'the file'}; check "
                "the server's own keys for its store, and its clock"
            )
            return PassingError(said, otherwise=sentence)
        if is_passing(answer):
            return PassingError(said, asked_pause(answer))
        return ModelError(f"spec.model.uri: {said} for {file.path or 'the file'}, which MLflow lists; log it again")
