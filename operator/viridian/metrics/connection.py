"""One Prometheus-like HTTP API, asked through `prometheus-api-client` in its own threads."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from viridian.api.errors import ViridianError

TIMEOUT = timedelta(seconds=5)
"""How long a query may take."""

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

_IN_BODY = ("query", "limit")
"""Parameters that travel in the body; the others stay in the URL, where proxies look for them."""

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


Asked = Callable[[float, MetricsError | None], None]
"""Called after each query with the seconds that it took, and what was wrong with it."""


def untold(_seconds: float, _error: MetricsError | None) -> None:
    """Tell nobody of a query."""


class Connection:
    """Asks instant queries. Its threads are its own, so that nothing else waits for a Prometheus that hangs."""

    def __init__(
        self,
        url: str,
        setting: str = "prometheus.url",
        timeout: timedelta = TIMEOUT,
        threads: int = 2,
        asked: Asked = untold,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: root of the HTTP API.
            setting: the chart value that holds it, for messages.
            timeout: how long one query may take.
            threads: queries at the same time.
            asked: told of each query.
        """
        self._asked = asked
        self._setting, self._timeout = setting, timeout.total_seconds()
        self._api = PrometheusConnect(
            url=url, session=_Session(), retry=Retry(total=0), timeout=self._timeout, method="POST"
        )
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
        begun = time.monotonic()
        try:
            answer = await self._in_turn(query, params, read)
        except MetricsError as error:
            self._asked(time.monotonic() - begun, error)
            raise
        self._asked(time.monotonic() - begun, None)
        return answer

    async def _in_turn(self, query: str, params: Mapping[str, str], read: Callable[[list[Any]], T]) -> T:
        try:
            async with self._turns, asyncio.timeout(self._timeout + 1):
                running = asyncio.get_running_loop()
                return await running.run_in_executor(self._threads, self._ask, query, params, read)
        except TimeoutError as error:
            raise self._unanswered(str(error) or "the query timed out") from error
        except (_NoAnswer, requests.RequestException) as error:
            raise self._unanswered(str(error) or type(error).__name__) from error

    def _ask(self, query: str, params: Mapping[str, str], read: Callable[[list[Any]], T]) -> T:
        """In a thread: post the query and read the answer."""
        # One series more than is read shows that there are too many; servers that know no limit are cut off by bytes.
        return read(self._api.custom_query(query, params={"limit": str(MOST_SERIES + 1), **params}))

    def _unanswered(self, why: str) -> Unanswered:
        return Unanswered(
            f"Prometheus did not answer ({excerpt(why)}): check that it runs and that the operator's {self._setting}"
            " is right"
        )


class _NoAnswer(Exception):
    """Whoever answered is no working Prometheus."""


@dataclass(frozen=True)
class _Answer:
    """An answer as far as `PrometheusConnect` looks at one: it was read and understood."""

    said: dict[str, Any]
    status_code: int = requests.codes.ok

    def json(self) -> dict[str, Any]:
        """What Prometheus said."""
        return self.said


class _Session:
    """The session that `PrometheusConnect` sends its queries through, with what that lacks.

    It would put a query into the URL, and many models make it too long for that; it would read answers of any size, and
    lose what Prometheus warns of.
    """

    verify, cert = True, None

    def __init__(self) -> None:
        self._session = requests.Session()

    def mount(self, prefix: str, adapter: requests.adapters.BaseAdapter) -> None:
        """Send what begins with this prefix through an adapter."""
        self._session.mount(prefix, adapter)

    def request(self, method: str, url: str, params: Mapping[str, str], timeout: float, **options: Any) -> _Answer:  # noqa: ANN401
        """Send a query in the body, and read its answer in bounds.

        Raises:
            _NoAnswer: whoever answered is no working Prometheus.
            MetricsError: the answer is a refusal, too large, or only a part.
            requests.RequestException: nobody answered in time.
        """
        body = {name: params[name] for name in _IN_BODY if name in params}
        rest = {name: value for name, value in params.items() if name not in body}
        with self._session.request(
            method, url, params=rest, data=body, timeout=timeout, stream=True, **options
        ) as response:
            if response.request.method != method:
                raise _NoAnswer(f"it redirects to {response.url.partition('?')[0]}, which drops the query")
            return _Answer(_understood(response.status_code, _body(response, timeout)))


def _body(response: requests.Response, timeout: float) -> bytes:
    """The body, as far as it may be read.

    Raises:
        TooLarge: it is longer.
        requests.Timeout: it does not end.
    """
    body, until = bytearray(), time.monotonic() + timeout
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            body.clear()  # else the error would keep it
            raise TooLarge(f"Prometheus' answer is larger than the {LARGEST_ANSWER >> 20} MiB that are read")
        if time.monotonic() > until:
            raise requests.Timeout("its answer timed out")
    return bytes(body)


def _understood(status: int, body: bytes) -> dict[str, Any]:
    """What a body says, which has a `result`."""
    # Before anything is made of them: within strings a quote is escaped, so this is in keys alone.
    if body.count(b'"metric"') > MOST_SERIES:
        raise TooLarge(f"Prometheus' answer has more than the {MOST_SERIES:,} series that are read")
    said = _read_json(body)
    if status != requests.codes.ok:
        raise _failed(f"{status}: {said.get('error') or _text(body)}", status)
    if not _has_result(said):
        raise _NoAnswer(f"{status}, but the answer is not from Prometheus: {_text(body)}")
    if warnings := said.get("warnings"):
        raise MetricsError(f"Prometheus returned a partial answer: {excerpt(_joined(warnings))}")
    return said


def _failed(said: str, status: int) -> Exception:
    if status not in _REFUSED:
        return _NoAnswer(said)
    return QueryRefused(
        f"Prometheus refused the query ({excerpt(said)}): correct it if it is yours, or raise the limits of Prometheus"
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


def _has_result(said: Mapping[str, Any]) -> bool:
    match said:
        case {"data": {"result": list()}}:
            return True
        case _:
            return False


def _joined(warnings: object) -> str:
    return "; ".join(map(str, warnings)) if isinstance(warnings, list) else str(warnings)
