"""HTTP for stores without a client library in the image: by TLS, with one's own authorities, and in plain words."""

import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2

from viridian_serving.artifacts.authorities import read_authorities, untrusted
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.retries import SILENCE, PassingError
from viridian_serving.artifacts.stores.secret import hidden
from viridian_serving.artifacts.stores.source import Source

_CHUNK: Final = 256 * 1024
_LONGEST_PAUSE: Final = 60.0
_LONGEST_DOCUMENT: Final = 4 << 20
"""Bytes of a manifest, or of a page of a listing: as much as registries take."""
_MOST_WORDS: Final = 300
_PASSING: Final = frozenset({408, 425, 429})


def client_options(source: Source) -> dict[str, Any]:
    """Return how to connect to a store: the arguments of an HTTP client, but for its hooks.

    Raises:
        ModelError: The certificates of ``spec.model.store.caConfigMap`` cannot be read.
    """
    # It logs addresses, and those to which stores lead are permissions themselves.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    context = ssl.create_default_context()
    if authorities := read_authorities(source.authorities):
        context.load_verify_locations(cadata=authorities)
    return {"verify": context, "timeout": SILENCE, "follow_redirects": True}


def refuse_plain(request: httpx2.Request) -> None:
    """Refuse a request that is not encrypted: the hook of a client.

    Raises:
        ModelError: It is not https.
    """
    if request.url.scheme != "https":
        raise ModelError(
            f"spec.model.uri: the server leads to {request.url.scheme}://{request.url.host}, which is not encrypted; "
            "write an endpoint that stays with https"
        )


def open_client(source: Source, *, plain: bool = False) -> httpx2.AsyncClient:
    """Make a client.

    Args:
        source: The store.
        plain: Whether it may ask without TLS.

    Raises:
        ModelError: The certificates of ``spec.model.store.caConfigMap`` cannot be read.
    """

    async def hook(request: httpx2.Request) -> None:
        if not plain:
            refuse_plain(request)

    return httpx2.AsyncClient(event_hooks={"request": [hook]}, **client_options(source))


class Redirects:
    """Asks for files, and remembers to which other server each one led: such an address is good for a while."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._led_to: dict[str, str] = {}

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str], **login: Any) -> AsyncIterator[httpx2.Response]:  # noqa: ANN401
        """Ask where this address led before, or the address itself.

        Args:
            url: Of the file, at the store.
            headers: Of every request.
            login: What only the store may see, as options of the client's request.

        Raises:
            httpx2.HTTPError: There is no answer.
        """
        if (known := self._led_to.pop(url, None)) is not None:
            async with self._client.stream("GET", known, headers=headers) as answer:
                if not answer.is_error:
                    self._led_to[url] = known
                    yield answer
                    return
        async with self._client.stream("GET", url, headers=headers, **login) as answer:
            if answer.is_success and answer.url.netloc != httpx2.URL(url).netloc:
                self._led_to[url] = str(answer.url)
            yield answer


async def read_part(answer: httpx2.Response, start: int, end: int) -> AsyncIterator[bytes]:
    """Read a part of a file out of an answer that has this part, or the whole file.

    Args:
        answer: Not read yet.
        start: The first byte's position.
        end: The position after the last one.
    """
    at = start if answer.status_code == httpx2.codes.PARTIAL_CONTENT else 0
    async for chunk in answer.aiter_bytes(_CHUNK):
        wanted = chunk[max(start - at, 0) : max(end - at, 0)]
        at += len(chunk)
        if wanted:
            yield wanted
        if at >= end:
            break


def is_passing(answer: httpx2.Response) -> bool:
    """Return whether another try may be answered otherwise."""
    return answer.status_code >= 500 or answer.status_code in _PASSING


def asked_pause(answer: httpx2.Response) -> float:
    """Return the seconds for which a server asks to be left alone."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_PAUSE) if text.isascii() and text.isdigit() else 0.0


def words_of(answer: httpx2.Response, words: str, secrets: Iterable[str]) -> str:
    """Return what a server says, in one short line without a secret."""
    said = " ".join(words.split()) or answer.reason_phrase
    return hidden(f"{answer.status_code}: {said}"[:_MOST_WORDS], secrets)


def unreachable(name: str, error: Exception) -> Exception:
    """Return what to raise when a server gives no answer.

    Args:
        name: Of the store.
        error: Of the client.
    """
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return untrusted(name, str(error))
    return PassingError(f"{name}: {str(error) or type(error).__name__}")


async def get_document(client: httpx2.AsyncClient, url: str, **options: Any) -> tuple[httpx2.Response, bytes]:  # noqa: ANN401
    """Ask for a short document.

    Args:
        client: Whom to ask with.
        url: What to ask for.
        options: Of the request.

    Returns:
        The answer, and its bytes.

    Raises:
        httpx2.HTTPStatusError: The answer is an error.
        httpx2.HTTPError: There is no answer.
        ModelError: It is longer than any such document.
    """
    content = bytearray()
    async with client.stream("GET", url, **options) as answer:
        async for chunk in answer.aiter_bytes(_CHUNK):
            content += chunk
            if len(content) > _LONGEST_DOCUMENT:
                raise ModelError(
                    f"spec.model.uri: {answer.url.host} answers more than a list of files; correct the address"
                )
        if answer.is_error:
            raise httpx2.HTTPStatusError(content.decode(errors="replace"), request=answer.request, response=answer)
    return answer, bytes(content)
