"""One connection of the HTTP server: from bytes to requests, and answers back, in order."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, Protocol, cast

import httptools

from viridian_serving.http1.body_budget import Arrival, BodyBudget
from viridian_serving.http1.messages import Headers, Request, Response, rendered
from viridian_serving.http1.problems import CONTENT_TYPE, Problem
from viridian_serving.http1.request_ids import request_id_of

LOG = logging.getLogger(__name__)

MAX_HEADER_BYTES: Final = 64 * 1024
_SMALL_PIECE: Final = 4096
"""Bytes of a piece of a body from which on it is kept as it came."""
_HEADER_COST: Final = 32
"""Bytes that a header counts beside its own, so that thousands of tiny ones are too many as well."""
REQUEST_READ_TIMEOUT: Final = 30.0
"""Seconds for a request to arrive once it has begun."""
IDLE_TIMEOUT: Final = 75 * 60.0
"""Seconds. Longer than a gateway keeps an idle connection (Envoy: an hour): who closes first must be the client, or a
request sent at that moment is lost."""
WRITE_TIMEOUT: Final = 60.0
"""Seconds in which a client takes nothing of what waits for it, once that is more than the system's buffers hold."""
_LINGER: Final = 2.0
"""Seconds in which a refused client may finish sending and read why."""
NO_ROOM: Final = "This pod holds as many bodies as it can; send the request again in a second."
_LATER: Final = (b"Retry-After", b"1")

Handler = Callable[[Request], Awaitable[Response]]


class Server(Protocol):
    """What a connection knows of its server."""

    max_body: int
    advice: str
    headers: Headers
    closing: bool
    moving: bool
    connections: "set[Connection]"
    in_flight: int
    refusals: Counter[int]
    last_request: float
    budget: BodyBudget

    def forget(self, connection: "Connection") -> None:
        """Record that a connection has ended."""


class Connection(asyncio.Protocol):
    """One client's connection. Requests on it are answered one after the other, in order."""

    __deletable__ = ("_parser",)  # for mypyc, whose attributes else are there for good

    def __init__(self, server: Server, handler: Handler) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = server
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._current: Request | None = None
        self._task: asyncio.Task[None] | None = None
        """Answers it; the loop itself would forget a task that only waits."""
        self._refused: Response | None = None
        """The answer to what came behind the last whole request: nothing that follows it is read."""
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._in_head = False
        self._after_chunk = False
        """Whether a chunk of the body was announced: after the last one come trailers."""
        self._body: list[bytes | bytearray] = []
        """Its pieces, in order."""
        self._body_bytes = 0
        self._arrival: Arrival | None = None
        """The body, while it is received."""
        self._choked_since: float | None = None
        """Since when the client takes nothing of what waits for it; None while hardly anything does."""
        self._untaken = 0
        """Bytes that waited for it then."""
        self._reading_since: float | None = None
        self._idle_since = time.perf_counter()
        self._ended = False
        self._peer = ""

    # -- transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class
        address = self._transport.get_extra_info("peername")
        # A listener for both families gives an address of IPv4 as one of IPv6.
        self._peer = str(address[0]).removeprefix("::ffff:") if address else ""
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Signal a running request that its client has left."""
        self._ended = True
        del self._parser  # it and this hold each other: else both would stay until the garbage collector runs
        self._server.forget(self)
        self._drop_body()
        for request, _ in self._waiting:
            self._server.budget.release(request.held)
        self._waiting.clear()
        if self._current is not None:
            self._current.leave()

    def data_received(self, data: bytes) -> None:
        """Parse."""
        if self._is_deaf():
            return
        was_in_head, was_after_chunk, body = self._in_head, self._after_chunk, self._body_bytes
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "This server speaks plain HTTP/1.1 only; send the request without Upgrade.")
        except httptools.HttpParserError:
            self._refuse(400, "What arrived is not HTTP/1.1.")
        if self._is_deaf():
            return
        if (was_in_head and self._in_head) or (was_after_chunk and self._after_chunk and self._body_bytes == body):
            # The parser shows a header when it is complete. One that never ends must not fill the memory.
            self._count_header(len(data))

    def _is_deaf(self) -> bool:
        """Whether nothing is read any more; asked anew each time, since parsing may have changed it."""
        return self._ended or self._refused is not None

    def eof_received(self) -> bool:
        """Take a closed half for a client that has left, as gateways do; nobody who waits for an answer does that."""
        return False

    def pause_writing(self) -> None:
        """Begin nothing more for a client that does not take its answers: they would pile up here."""
        self._choked_since = time.perf_counter()
        self._untaken = self._unsent()

    def resume_writing(self) -> None:
        """Go on."""
        self._choked_since = None
        self._idle_since = time.perf_counter()
        self._go_on()

    # -- parser

    def on_message_begin(self) -> None:
        """Start a request."""
        self._url = b""
        self._headers = {}
        self._header_bytes = 0
        self._in_head = True
        self._after_chunk = False
        self._forget_body()
        self._reading_since = time.perf_counter()

    def on_url(self, url: bytes) -> None:
        """Collect the URL; it may come in pieces."""
        self._url += url
        self._count_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        if self._in_head:
            name, headers = name.lower(), self._headers
            headers[name] = headers[name] + b", " + value if name in headers else value
        # Else it is a trailer: thrown away (RFC 9110, 6.5.1), for it would pass for what a gateway has set.
        self._header_bytes += len(name) + len(value) + _HEADER_COST
        if self._header_bytes > MAX_HEADER_BYTES:
            self._header_too_large()

    def on_headers_complete(self) -> None:
        """Refuse what is too large before it is sent."""
        self._in_head = False
        length = self._headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._server.max_body:
            self._too_large()
        elif self._headers.get(b"expect", b"").lower() == b"100-continue" and not self._ended:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        """Collect the body."""
        if self._is_deaf():
            return  # the parser goes on to the end of what it was given
        # Large pieces are joined at the end. Small ones at once: an object for each would cost dozens of bytes more.
        last = self._body[-1] if self._body and len(piece) < _SMALL_PIECE else None
        if isinstance(last, bytearray):
            last += piece
        elif last is not None:
            self._body[-1] = bytearray(last + piece)
        else:
            self._body.append(piece)
        self._body_bytes += len(piece)
        if self._body_bytes > self._server.max_body:
            self._too_large()
            return
        if self._arrival is None:
            self._arrival = self._server.budget.arrive(self._give_way)
        self._server.budget.grow(self._arrival, len(piece))

    def on_chunk_header(self) -> None:
        """Record that what comes now is a piece of the body, or else a trailer."""
        self._after_chunk = True

    def on_message_complete(self) -> None:
        """Hand the request over."""
        if self._is_deaf() or self._parser.should_upgrade():
            return
        now = time.perf_counter()
        self._reading_since = None
        self._after_chunk = False
        path, _, query = self._url.partition(b"?")
        body = b"".join(self._body)
        self._forget_body()  # else a connection would keep it for as long as it is idle
        request = Request(self._parser.get_method(), path, self._headers, body, now, query=query, peer=self._peer)
        if self._arrival is not None:
            request.held = self._server.budget.arrived(self._arrival)
            self._arrival = None
        keep_alive = self._parser.should_keep_alive()
        if self._current is None and self._choked_since is None:
            self._start(request, keep_alive)
        else:
            self._waiting.append((request, keep_alive))
            if self._transport is not None:
                self._transport.pause_reading()

    # -- answering

    def _start(self, request: Request, keep_alive: bool) -> None:
        self._current = request
        self._server.in_flight += 1
        self._server.last_request = request.received
        self._task = self._loop.create_task(self._answer(request, keep_alive))

    async def _answer(self, request: Request, keep_alive: bool) -> None:
        response = None
        try:
            response = await self._handler(request)
        except Exception:
            LOG.exception("request %s %s crashed", request.method.decode(), request.path.decode("latin-1"))
        finally:  # when it was cancelled, too
            self._answered(request, response, keep_alive)

    def _answered(self, request: Request, response: Response | None, keep_alive: bool) -> None:
        self._server.in_flight -= 1
        self._server.budget.release(request.held)
        self._current = None
        self._task = None
        # Else request and callback would hold each other, with all that was answered, for the garbage collector.
        request.on_gone = None
        self._idle_since = time.perf_counter()
        if self._ended:
            return
        if response is None:
            self._refuse_now(self._refusal(500, "The server failed; its log says why.", request.headers))
            return
        keep_alive = keep_alive and not self._server.closing and not self._server.moving
        self._write(rendered(response, head_only=request.method == b"HEAD", keep_alive=keep_alive))
        if not keep_alive:
            self._end()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._ended or self._current is not None or self._choked_since is not None:
            return
        if self._waiting:
            self._start(*self._waiting.popleft())
        elif self._refused is not None:
            self._refuse_now(self._refused)
        elif self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def close_if_idle(self) -> None:
        """Close, unless a request runs or arrives."""
        if self._current is None and self._reading_since is None and not self._waiting:
            self._end()

    def expire(self, now: float) -> None:
        """Close a connection that has done nothing, or sent a piece of a request, for too long.

        Args:
            now: ``time.perf_counter()``.
        """
        if self._choked_since is not None:
            self._expire_choked(self._choked_since, now)
        if self._current is not None or self._waiting:
            return
        if self._reading_since is not None and now - self._reading_since > REQUEST_READ_TIMEOUT:
            self._refuse(408, f"The request did not arrive within {REQUEST_READ_TIMEOUT:g} s.")
        elif self._reading_since is None and now - self._idle_since > IDLE_TIMEOUT:
            self._end()

    def _expire_choked(self, since: float, now: float) -> None:
        if (left := self._unsent()) < self._untaken:
            self._choked_since, self._untaken = now, left  # slow is not dead
        elif now - since > WRITE_TIMEOUT and self._transport is not None:
            self._ended = True
            self._transport.abort()

    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            self._header_too_large()

    def _header_too_large(self) -> None:
        self._refuse(431, f"The headers exceed {MAX_HEADER_BYTES} bytes; send fewer or shorter ones.")

    def _too_large(self) -> None:
        self._refuse(413, f"The body exceeds {self._server.max_body} bytes; {self._server.advice}.")

    def _give_way(self) -> None:
        self._arrival = None
        self._refuse(503, NO_ROOM)

    def _forget_body(self) -> None:
        self._body = []
        self._body_bytes = 0

    def _drop_body(self) -> None:
        self._forget_body()
        if self._arrival is not None:
            self._server.budget.forget(self._arrival)
            self._arrival = None

    def _refuse(self, status: int, detail: str) -> None:
        """Refuse what is being read, after the answers to what came before it."""
        if self._ended or self._refused is not None:
            return
        self._drop_body()
        refusal = self._refusal(status, detail, self._headers)
        if self._current is None and not self._waiting:
            self._refuse_now(refusal)
            return
        self._refused = refusal
        if self._transport is not None:
            self._transport.pause_reading()

    def _refusal(self, status: int, detail: str, asked: Mapping[bytes, bytes]) -> Response:
        """The document that the API itself would write, for who is refused before it is asked."""
        request_id = request_id_of(asked)
        headers = ((b"X-Request-Id", request_id.encode()), *self._server.headers)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers = (*headers, _LATER)
        return Response(status, Problem(status, "http", detail).body(request_id), CONTENT_TYPE, headers)

    def _refuse_now(self, refusal: Response) -> None:
        self._server.refusals[refusal.status] += 1
        self._write(rendered(refusal, head_only=False, keep_alive=False))
        self._ended = True
        if self._transport is not None:
            # The client may still be sending. Closed now, the kernel would throw our answer away together with what
            # was not read; so the rest is read and thrown away, for a while.
            self._transport.write_eof()
            self._loop.call_later(_LINGER, self._transport.close)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _end(self) -> None:
        self._ended = True
        if self._transport is not None:
            self._transport.close()
