"""One Prometheus-like HTTP API, asked through `prometheus-api-client` in threads of its own."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from viridian.api.errors import ViridianError

LONGEST_MESSAGE = 600
"""Characters of an error that a person is shown, and a status may hold."""

LONGEST_EXCERPT = 300
"""Characters of what somebody else said, within such a message."""

LARGEST_ANSWER = 16 * 2**20
"""Bytes of an answer that are read. What is made of them takes some ten times as much memory."""

MOST_SERIES = 20_000
"""Series in an answer that are read: those of a few hundred pods. A reader of more would take memory without end."""

_CHUNK = 2**14
"""Bytes that are read at a time; compressed ones may become a thousand times as many."""

T = TypeVar("T")

_REFUSED = frozenset({400, 413, 414, 422})
"""Statuses by which Prometheus, or what stands before it, says that it is this query which cannot be carried out."""


class MetricsError(ViridianError):
    """Prometheus did not answer, or its answer cannot be used; the message says why and what to do."""

    def __init__(self, message: str) -> None:
        """Keep the message short enough to be read."""
        super().__init__(excerpt(message, LONGEST_MESSAGE))


class Unanswered(MetricsError):
    """Nobody answered, or somebody who is no working Prometheus; the next query would fare no better."""


class QueryRefused(MetricsError):
    """Prometheus answers, but not this query; a smaller one it may."""


class TooLarge(QueryRefused):
    """The answer is larger than is read; the rest of it was left where it is."""


class Connection:
    """Asks instant queries. Its threads are its own, so that nothing else waits for a Prometheus that hangs."""

    def __init__(self, url: str, setting: str, timeout: timedelta, threads: int) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: root of the HTTP API.
            setting: the chart value that holds it, for messages.
            timeout: how long one query may take.
            threads: queries at the same time.
        """
        self._setting, self._timeout = setting, timeout.total_seconds()
        self._session = requests.Session()
        self._api = PrometheusConnect(url=url, session=self._session, retry=Retry(total=0), timeout=self._timeout)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=setting)
        self._turns = asyncio.Semaphore(threads)

    async def ask(self, query: str, params: Mapping[str, str], read: Callable[[list[Any]], T]) -> T:
        """What `read` makes of the `result` of an answer.

        Args:
            query: PromQL.
            params: further parameters of the request; they go into its URL, where proxies look for them.
            read: called in the thread of the query, so that a large answer holds up nothing else.

        Raises:
            MetricsError: no answer, only part of one, or one that is too large; or `read` raised it.
        """
        try:
            async with self._turns, asyncio.timeout(self._timeout + 1):
                running = asyncio.get_running_loop()
                return await running.run_in_executor(self._threads, self._ask, query, params, read)
        except (requests.RequestException, TimeoutError) as error:
            raise self._unanswered(str(error) or type(error).__name__) from error

    def _ask(self, query: str, params: Mapping[str, str], read: Callable[[list[Any]], T]) -> T:
        """In a thread: post the query and read the answer."""
        # The client's own custom_query() would put the query into the URL, and many models make it too long for that.
        # One series more than is read shows that there are too many; servers that know no limit are cut off by bytes.
        asked = {"query": query, "limit": str(MOST_SERIES + 1)}
        with self._session.post(
            f"{self._api.url}/api/v1/query", params=dict(params), data=asked, timeout=self._timeout, stream=True
        ) as response:
            if response.request.method != "POST":
                where = response.url.partition("?")[0]
                raise self._unanswered(f"it redirects to {where}, and a query is lost on the way")
            return read(self._result(response.status_code, self._body(response)))

    def _body(self, response: requests.Response) -> bytes:
        """The body, as far as it may be read.

        Raises:
            TooLarge: it is longer.
            requests.Timeout: it does not end.
        """
        body, until = bytearray(), time.monotonic() + self._timeout
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > LARGEST_ANSWER:
                body.clear()  # else the error would keep it
                raise TooLarge(f"Prometheus' answer is larger than the {LARGEST_ANSWER >> 20} MiB that are read")
            if time.monotonic() > until:
                raise requests.Timeout("its answer timed out")
        return bytes(body)

    def _result(self, status: int, body: bytes) -> list[Any]:
        """The `result` that a body holds."""
        # Before anything is made of them: within strings a quote is escaped, so this is in keys alone.
        if body.count(b'"metric"') > MOST_SERIES:
            raise TooLarge(f"Prometheus' answer has more than the {MOST_SERIES:,} series that are read")
        said = _read_json(body)
        if status != requests.codes.ok:
            raise self._failed(status, said.get("error") or _text(body))
        result, warnings = _result(said), said.get("warnings")
        if result is None:
            raise self._unanswered(f"{status}, but no answer of Prometheus: {_text(body)}")
        if warnings:
            raise MetricsError(f"Prometheus answered only in part: {excerpt(_joined(warnings))}")
        return result

    def _failed(self, status: int, why: object) -> MetricsError:
        said = f"{status}: {why}"
        if status not in _REFUSED:
            return self._unanswered(said)
        return QueryRefused(
            f"Prometheus refused the query ({excerpt(said)}): correct it where it is yours, or raise the"
            " limits of Prometheus"
        )

    def _unanswered(self, why: str) -> Unanswered:
        return Unanswered(
            f"Prometheus did not answer ({excerpt(why)}): check that it runs and that the operator's {self._setting}"
            " is right"
        )


def excerpt(text: str, longest: int = LONGEST_EXCERPT) -> str:
    """The beginning of a text in one line; characters that cannot be shown become spaces."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text[: 4 * longest]).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _text(body: bytes) -> str:
    return body[: 4 * LONGEST_EXCERPT].decode(errors="replace")


def _read_json(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds; an empty one if it is anything else, such as a login page."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _result(said: Mapping[str, Any]) -> list[Any] | None:
    match said:
        case {"data": {"result": list(result)}}:
            return result
        case _:
            return None


def _joined(warnings: object) -> str:
    return "; ".join(map(str, warnings)) if isinstance(warnings, list) else str(warnings)
