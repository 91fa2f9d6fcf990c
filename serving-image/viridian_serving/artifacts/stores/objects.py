"""What S3, Google Cloud Storage and Azure have in common: obstore, one client for them all."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError

from viridian_serving.artifacts.archive import MAX_FILES
from viridian_serving.artifacts.authorities import read_authorities, untrusted
from viridian_serving.artifacts.locate import CredentialsError, MissingError, ModelError
from viridian_serving.artifacts.retries import SILENCE, PassingError
from viridian_serving.artifacts.stores.secret import FIELD as CREDENTIALS
from viridian_serving.artifacts.stores.secret import hidden
from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Checksum, StoredFile

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_CHUNK: Final = 256 * 1024
"""Bytes that are handed on at once; the library's own default is as much as ten megabytes."""
RETRIES: "Final[RetryConfig]" = {"max_retries": 0}
"""Who reads here tries again itself: it knows the deadline and what has come already."""
_STATUS: Final = re.compile(r"status code: (\d{3})")
_ISSUER: Final = re.compile(r"token request|token file|POST REDACTED|://169\.254\.")
"""How the library tells of what gives it tokens: an issuer, a file, or the node's metadata."""
_REGION: Final = re.compile("<Code>AuthorizationHeaderMalformed</Code>|incorrectly configured region")
_CODE: Final = re.compile(r"<Code>(.*?)</Code>", re.DOTALL)
_MESSAGE: Final = re.compile(r"<(?:Message|Details)>(.*?)</(?:Message|Details)>", re.DOTALL)
_JSON_MESSAGES: Final = tuple(
    re.compile(rf'"{name}"\s*:\s*"(.*?)"') for name in ("error_description", "message", "error")
)
_CERTIFICATE: Final = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_CAUSE: Final = re.compile(r'(?:message|error): "([^"]+)"')
"""What the operating system says, in the library's account of an error."""
_QUERY: Final = re.compile(r"\?[^\s)\"']*")
_REFUSED: Final = frozenset({"401", "403"})
_PASSING: Final = frozenset({"408", "425", "429"})
_MOST_WORDS: Final = 300


def client_options(source: Source) -> "ClientConfig":
    """Return how to connect, alike for all stores.

    Raises:
        ModelError: The certificates of ``spec.model.store.caConfigMap`` cannot be read.
    """
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=SILENCE),
        "read_timeout": timedelta(seconds=SILENCE),
        # The deadline is another's; the library's own 30 s would end a range that comes slowly.
        "timeout": timedelta(seconds=source.timeout),
        "allow_http": (source.endpoint or "").startswith("http:"),
        "user_agent": "viridian",
    }
    if authorities := read_authorities(source.authorities):
        options["root_certificate"] = authorities
    return options


@dataclass(frozen=True)
class Words:
    """How a store speaks of its own."""

    name: str
    no_credentials: str
    """What to do where there are none, or where they do not suffice."""
    expired: frozenset[str]
    """Its codes for credentials that are refused, where the status does not tell."""


class Objects:
    """The objects below an address, as a ``Store``."""

    def __init__(
        self,
        connect: "Callable[[], tuple[ObjectStore, Iterable[str]]]",
        shown: str,
        key: str,
        words: Words,
        version: str | None = None,
    ) -> None:
        """Connect.

        Args:
            connect: Makes a client, and tells the secrets that it holds, which no message repeats. It is called
                again when credentials have expired.
            shown: The address, as it may stand in a log.
            key: Of an object, or of a folder.
            words: Of the store.
            version: Of that object; None for the newest.

        Raises:
            ModelError: The credentials make no sense.
        """
        self._connect = connect
        self._shown = shown
        self._key = key.rstrip("/")
        self._is_folder = key.endswith("/")
        self._words = words
        self._version = version
        self._works = False
        """Whether the credentials were good once."""
        self._client, self._secrets = self._connected()

    def _connected(self) -> "tuple[ObjectStore, Iterable[str]]":
        try:
            return self._connect()
        except BaseError as error:
            # Before it asks anybody, the library says nothing of values.
            raise CredentialsError(
                f"{CREDENTIALS}: they cannot be used ({words_of(error, ())}); {self._words.no_credentials}"
            ) from None

    is_streamed = False

    async def files(self) -> Sequence[StoredFile]:
        """List the object, or what is below it if there is none."""
        try:
            return await self._list()
        except (BaseError, OSError) as error:
            raise self._explained(error) from None

    async def _list(self) -> Sequence[StoredFile]:
        single = None if self._is_folder else await self._single()
        if single is None and self._version is not None:
            raise MissingError(f"spec.model.uri: there is no such version: {self._shown}; correct the address")
        found = await self._folder() if single is None else [single]
        self._works = True
        return found

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes | memoryview]:
        """Read a range of an object."""
        options: GetOptions = {"range": (start, end)}
        if self._version is not None:
            options["version"] = self._version
        else:
            options["if_match"] = file.tag
        try:
            answer = await obstore.get_async(self._client, self._key_of(file), options=options)
            async for chunk in answer.stream(min_chunk_size=_CHUNK):
                yield memoryview(chunk)
        except (BaseError, OSError) as error:
            raise self._explained(error) from None

    async def aclose(self) -> None:
        """Do nothing: the library closes its connections itself."""

    def _key_of(self, file: StoredFile) -> str:
        return f"{self._key}/{file.path}" if file.path else self._key

    async def _single(self) -> StoredFile | None:
        options: GetOptions = {"head": True}
        if self._version is not None:
            options["version"] = self._version
        try:
            found = (await obstore.get_async(self._client, self._key, options=options)).meta
        except FileNotFoundError:
            return None
        except BaseError as error:
            if (status := _STATUS.search(str(error))) is None or not status[1].startswith("4"):
                raise
            # An answer to HEAD has no words of the store; an answer to GET has.
            first: GetOptions = {**options, "head": False, "range": (0, 1)}
            found = (await obstore.get_async(self._client, self._key, options=first)).meta
        return _stored(found, "", None if self._version is None else self._checksum(found))

    def _checksum(self, found: "ObjectMeta") -> Checksum | None:
        """Return what the version's tag says about its bytes: their MD5, of an object that was uploaded in one."""
        tag = (found["e_tag"] or "").strip('"')
        return Checksum("md5", tag) if re.fullmatch("[0-9a-f]{32}", tag) else None

    async def _folder(self) -> list[StoredFile]:
        found: list[StoredFile] = []
        async for batch in obstore.list(self._client, prefix=self._key):
            found += [_stored(each, each["path"].removeprefix(f"{self._key}/")) for each in batch]
            if len(found) > MAX_FILES:  # which is said by who asked
                break
        # Some tools make an empty object for a folder. The library shows it without its slash.
        folders = {path[:at] for file in found for path in [file.path] for at, c in enumerate(path) if c == "/"}
        return [file for file in found if file.size or file.path not in {*folders, self._key}]

    def _explained(self, error: Exception) -> Exception:
        said = words_of(error, self._secrets)
        text = str(error)
        name, shown = self._words.name, self._shown
        status, code = (found[1] if (found := pattern.search(text)) else "" for pattern in (_STATUS, _CODE))
        passing = status in _PASSING or not status.startswith("4")
        if isinstance(error, FileNotFoundError):
            return MissingError(f"spec.model.uri: {name} has no {shown} ({said}); correct the address")
        if isinstance(error, PreconditionError):
            return ModelError(
                f"spec.model.uri: {shown} changed while it was fetched; give each version its own address"
            )
        if found := _CERTIFICATE.search(text):
            return untrusted(name, found[1])
        if _ISSUER.search(text):
            return self._without_token(said, passing=passing)
        # A listing that is refused is no exception of its own; its status tells.
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in _REFUSED
        if refused or code in self._words.expired:
            return self._refused(said)
        if _REGION.search(text):
            return ModelError(f"spec.model.store.region: {shown} is in another region ({said}); write that one")
        if passing:
            return PassingError(f"{name}: {said}")
        return ModelError(f"spec.model.uri: {name} refuses {shown} ({said}); correct the address")

    def _without_token(self, said: str, *, passing: bool) -> Exception:
        sentence = CredentialsError(
            f"{CREDENTIALS}: nobody gives a token with which to read {self._shown} ({said}); "
            f"{self._words.no_credentials}"
        )
        return PassingError(f"nobody gives a token ({said})", otherwise=sentence) if passing else sentence

    def _refused(self, said: str) -> Exception:
        sentence = CredentialsError(
            f"{CREDENTIALS}: {self._words.name} refuses {self._shown} ({said}); {self._words.no_credentials}"
        )
        if not self._works:
            return sentence
        # They were good until now: a Secret or a token may have been renewed.
        self._client, self._secrets = self._connected()
        return PassingError(f"{self._words.name} no longer takes the credentials ({said})", otherwise=sentence)


def words_of(error: Exception, secrets: Iterable[str]) -> str:
    """Return what the store itself says, in one short line without a secret."""
    text, _, details = str(error).partition("\n\nDebug source:")
    status = _STATUS.search(text)
    if status is None:
        cause = _CAUSE.search(details)
        line = _QUERY.sub("?…", text) + (f" ({cause[1]})" if cause else "")
    else:
        parts = [found[1].strip() for pattern in (_CODE, _MESSAGE) if (found := pattern.search(text))]
        if not parts:
            parts = [found[1] for pattern in _JSON_MESSAGES if (found := pattern.search(text, status.end()))][:1]
        line = ": ".join([status[1], *parts])
    return hidden(" ".join(line.split())[:_MOST_WORDS], secrets)


def _stored(found: "ObjectMeta", path: str, checksum: Checksum | None = None) -> StoredFile:
    tag = found["e_tag"] or f"{found['last_modified'].isoformat()} {found['size']}"
    # Azure's listings leave out the quotes, which a request must have.
    if not tag.endswith('"'):
        tag = f'"{tag}"'
    return StoredFile(path, found["size"], tag, checksum)
