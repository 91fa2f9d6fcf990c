"""Fetches one file by https: bounded in size and time, resumed where it broke off, tried again while there is hope."""

import http.client
import logging
import re
import ssl
import time
import urllib.error
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final

from viridian_serving.artifacts.locate import CredentialsError, MissingError, ModelError
from viridian_serving.artifacts.retries import LONGEST_PAUSE, SILENCE, Deadline, PassingError, Tries
from viridian_shared.digest import CHUNK
from viridian_shared.https import LeavesTls, open_https, shown

LOG = logging.getLogger("viridian.fetch")

_PASSING: Final = frozenset({408, 416, 425, 429})
"""Statuses below 500 that another try may change; 416 because that starts from the beginning."""
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Download:
    """A file that is being fetched; what there is of it outlives this process."""

    def __init__(
        self, url: str, authorization: str, authorities: str, part: Path, max_size: int, deadline: Deadline
    ) -> None:
        """Prepare.

        Args:
            url: Of the file, https.
            authorization: Request header; empty for none.
            authorities: Certificates that are trusted beside the system's; empty for none.
            part: Where to put it. A file that is there is what an earlier run has got.
            max_size: Bytes.
            deadline: When to give up.
        """
        self._url = url
        self._authorization = authorization
        self._authorities = authorities
        self._part = part
        self._validator_file = part.with_name(f"{part.name}.validator")
        self._max_size = max_size
        self._deadline = deadline

    def discard(self) -> None:
        """Forget what there is."""
        self._part.unlink(missing_ok=True)
        self._validator_file.unlink(missing_ok=True)

    def run(self) -> bool:
        """Fetch what is missing.

        Returns:
            Whether all of it came in one answer that said where it ends. Else a wrong digest may be the way's fault.

        Raises:
            ModelError: It cannot be fetched, or not now; the message names the field of the spec.
            OSError: It cannot be stored.
        """
        tries = Tries(shown(self._url), self._deadline, self._size())
        while True:
            try:
                return self._try()
            except PassingError as failure:
                time.sleep(tries.pause_after(failure, self._size()))

    def look(self) -> int | None:
        """Fetch nothing but the first byte, if the server knows parts; return the file's size, where that is told.

        Raises:
            ModelError: It is not there, or cannot be asked for now; the message names the field of the spec.
        """
        tries = Tries(shown(self._url), self._deadline)
        while True:
            try:
                with self._ask({"Range": "bytes=0-0"}) as answer:
                    given = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                    size: int | None = answer.length
                    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
                        size = int(given[2]) if given is not None and given[2] != "*" else None
                    return size
            except PassingError as failure:
                time.sleep(tries.pause_after(failure))

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _try(self) -> bool:
        offset = self._size()
        headers: dict[str, str] = {}
        if offset:
            validator = self._validator_file.read_text() if self._validator_file.is_file() else ""
            if validator:
                headers = {"Range": f"bytes={offset}-", "If-Range": validator}
        with self._ask(headers) as answer:
            return self._take(answer, offset if headers else 0)

    def _ask(self, headers: Mapping[str, str]) -> Any:  # noqa: ANN401  urllib's answers have no common type
        try:
            timeout = min(SILENCE, self._deadline.remaining)
            return open_https(self._url, timeout, headers, self._authorization, self._authorities)
        except LeavesTls as error:
            raise ModelError(
                f"spec.model.uri: {error}, which is not encrypted; write an address that stays with https"
            ) from error
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from error
        except urllib.error.URLError as error:
            raise self._unreachable(error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _take(self, answer: Any, asked_from: int) -> bool:  # noqa: ANN401
        """Write one answer to the file."""
        offset = 0
        if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
            given = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if given is None or int(given[1]) != asked_from:
                self.discard()
                raise PassingError("the server answered with another part of the file than it was asked for")
            offset = asked_from
        else:
            # The whole: there was nothing yet, or it has changed since, or the server knows no parts.
            self._validator_file.write_text(_validator(answer.headers))
        length: int | None = answer.length
        total = None if length is None else offset + length
        if total is not None:
            self._check_size(total)
        LOG.info("fetching %s from byte %s of %s", shown(self._url), offset, total if total is not None else "unknown")
        with self._part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            received = self._copy(answer, file, offset)
        if total is not None and received != total:
            raise PassingError(f"the connection ended after {received} of {total} bytes")
        # The last chunk says as much as a length does.
        return offset == 0 and (total is not None or bool(answer.chunked))

    def _copy(self, answer: Any, file: IO[bytes], size: int) -> int:  # noqa: ANN401
        while chunk := self._read(answer):
            size += len(chunk)
            self._check_size(size)
            file.write(chunk)
            self._deadline.check(f"fetching {shown(self._url)}, of which {size} bytes are there")
        return size

    def _read(self, answer: Any) -> bytes:  # noqa: ANN401
        try:
            # Not read(): it would wait for a full chunk, however slowly the bytes drip in.
            chunk: bytes = answer.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        return chunk

    def _check_size(self, size: int) -> None:
        if size > self._max_size:
            self.discard()
            raise ModelError(
                f"spec.model.maxSize: {shown(self._url)} has {size} bytes or more, and {self._max_size} are allowed; "
                "raise it if the model is that large"
            )

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        if 300 <= error.code < 400:
            return ModelError(
                f"spec.model.uri: {shown(self._url)} redirects in a circle, or away from https; correct the address"
            )
        # Not the server's own phrase, which may say anything.
        answered = " ".join(("the server answers", str(error.code), http.client.responses.get(error.code, ""))).strip()
        if error.code >= 500 or error.code in _PASSING:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.discard()
            return PassingError(answered, _retry_after(error.headers))
        if error.code in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            way_out = "the Secret's token, or username and password" if self._authorization else "set it"
            return CredentialsError(
                f"spec.model.credentialsSecretRef: {answered} for {shown(self._url)}; check {way_out}"
            )
        missing = error.code in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE)
        kind = MissingError if missing else ModelError
        return kind(f"spec.model.uri: {answered} for {shown(self._url)}; correct the address")

    def _unreachable(self, reason: object) -> Exception:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return ModelError(
                f"spec.model.uri: the certificate of {shown(self._url)} is not trusted: {reason.verify_message}; for a "
                "certificate authority of your own, name a ConfigMap with its certificate in "
                "spec.model.store.caConfigMap"
            )
        return PassingError(f"no answer: {str(reason) or type(reason).__name__}")


def _validator(headers: Message) -> str:
    """What tells later whether the file is still the same; a weak tag does not."""
    tag = headers.get("ETag", "")
    return headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag


def _retry_after(headers: Message) -> float:
    text = headers.get("Retry-After", "")
    return min(float(text), 2 * LONGEST_PAUSE) if text.isascii() and text.isdigit() else 0.0
