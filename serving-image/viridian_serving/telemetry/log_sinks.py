"""Where the prediction log goes: standard output, or a collector that speaks OTLP."""

import http.client
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from viridian_serving.telemetry.export_queue import PassingError, Record, RefusedError

_TIMEOUT: Final = 10.0
"""Seconds to connect, and for each read of the answer."""
_PASSING: Final = frozenset({429, 502, 503, 504})
"""The statuses after which OTLP lets a client try again."""
_LONGEST_PAUSE: Final = 30.0
"""Seconds for which a receiver may ask to be left alone: the queue is full sooner."""
_INFO: Final = 9
"""OTLP's number of the severity INFO."""


class Stdout:
    """One line for each record. Everything else that the container says goes to standard error."""

    _writing = threading.Lock()
    """Of one who still writes what waited, and of one who was told to begin meanwhile."""

    def __init__(self, descriptor: int = 1) -> None:
        """Take the file to write to."""
        self._descriptor = descriptor

    def send(self, records: Sequence[Record]) -> int:
        """Write a batch.

        Args:
            records: The batch.

        Returns:
            0.

        Raises:
            RefusedError: Nobody reads it any more.
        """
        rest = memoryview(b"".join(record.line + b"\n" for record in records))
        try:
            with self._writing:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise RefusedError(f"standard output cannot be written: {error}") from error
        return 0


class Otlp:
    """OTLP over HTTP, in JSON. Certificates are checked; proxies are taken from the environment."""

    def __init__(self, endpoint: str, resource: Mapping[str, str], headers: Mapping[str, str], ca: str) -> None:
        """Prepare.

        Args:
            endpoint: The whole address, such as https://collector.example:4318/v1/logs.
            resource: Attributes of who sends.
            headers: More request headers, such as authorization.
            ca: Certificates, in PEM, that are trusted instead of the system's; empty for these.
        """
        self._endpoint = endpoint
        self._headers = {**headers, "Content-Type": "application/json", "User-Agent": "viridian"}
        self._resource = {"attributes": [_attribute(name, value) for name, value in resource.items()]}
        self._ca = ca

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        # Made by send(), which may block: to read the system's certificates takes a while.
        opener = urllib.request.OpenerDirector()
        # No handler for redirects: they would turn a POST into a GET.
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=self._ca)),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            opener.add_handler(handler)
        return opener

    def send(self, records: Sequence[Record]) -> int:
        """Send a batch; see Sink.send()."""
        request = urllib.request.Request(  # noqa: S310  LogSettings lets nothing pass but https and this machine's http
            self._endpoint, self._body(records), self._headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return _rejected(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                self._raise_for(error)
        except (OSError, http.client.HTTPException) as error:
            raise PassingError(f"{self._endpoint} does not answer: {error}") from error
        raise AssertionError  # _raise_for() returns never

    def _raise_for(self, error: urllib.error.HTTPError) -> None:
        if error.code in _PASSING:
            after = error.headers.get("Retry-After", "")
            pause = min(float(after), _LONGEST_PAUSE) if after.isascii() and after.isdigit() else 0.0
            raise PassingError(f"{self._endpoint} answers {error.code}", pause) from error
        try:
            said = error.read(200).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as broken:  # its status is enough
            said = f"(and then: {broken})"
        raise RefusedError(f"{self._endpoint} answers {error.code}: {said!r}") from error

    def _body(self, records: Sequence[Record]) -> bytes:
        logs = [
            {
                "timeUnixNano": str(record.time_ns),
                "severityNumber": _INFO,
                "severityText": "INFO",
                "body": {"stringValue": record.line.decode()},
                **({"traceId": record.trace_id} if record.trace_id else {}),
            }
            for record in records
        ]
        scope = {"scope": {"name": "viridian.predictions"}, "logRecords": logs}
        return msgspec.json.encode({"resourceLogs": [{"resource": self._resource, "scopeLogs": [scope]}]})


def _attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}


def _rejected(answer: bytes) -> int:
    """Read how many records a collector took, but threw away."""
    try:
        partial = msgspec.json.decode(answer or b"{}").get("partialSuccess") or {}
        return int(partial.get("rejectedLogRecords") or 0)
    except (msgspec.DecodeError, AttributeError, TypeError, ValueError):
        return 0  # it said yes
