"""A small HTTP/1.1 server: the parser is httptools (llhttp), the rest is what this pod needs and no more.

It exists because the road of every prediction leads through it. Measured on the same machine, an ASGI server answered
15 thousand constant requests a second at 32 connections and this one 34 thousand; and a prediction API must know things
that ASGI hides: that a client has left while its request runs, and which connections are idle when the pod is told to
stop.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, cast

import httptools

from viridian_serving.http_messages import Headers, Request, Response, rendered

LOG = logging.getLogger(__name__)

MAX_HEADER_BYTES: Final = 64 * 1024
_HEADER_COST: Final = 32
"""Bytes that a header counts beside its own, so that thousands of tiny ones are too many as well."""
REQUEST_READ_TIMEOUT: Final = 30.0
"""Seconds for a request to arrive once it has begun."""
IDLE_TIMEOUT: Final = 75 * 60.0
"""Seconds. Longer than a gateway keeps an idle connection (Envoy: an hour): who closes first must be the client, or a
request sent at that moment is lost."""
_SWEEP: Final = 5.0
WRITE_TIMEOUT: Final = 60.0
"""Seconds in which a client takes nothing of what waits for it, once that is more than the system's buffers hold."""
_LINGER: Final = 2.0
"""Seconds in which a refused client may finish sending and read why."""

Handler = Callable[[Request], Awaitable[Response]]


class HttpServer:
    """Listeners, their connections, and an orderly end."""

    def __init__(self, max_body: int, headers: Headers = ()) -> None:
        """Make a server without listeners.

        Args:
            max_body: Largest body of a request, in bytes.
            headers: Put on answers that no handler gives, such as to what is not HTTP.
        """
        self.max_body = max_body
        self.advice = "send fewer instances in a request"
        """What to do about a body that is too large."""
        self.headers: Final = headers
        self.closing = False
        self.moving = False
        """Whether clients are told to open new connections, because the name that they came by leads elsewhere now."""
        self.connections: set[Connection] = set()
        self.in_flight = 0
        self.refusals: Counter[int] = Counter()
        """Answers by status, to what never became a request."""
        self.last_request = 0.0
        """When the last request was received, by `time.perf_counter`."""
        self._listeners: list[asyncio.Server] = []
        self._empty = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None

    async def listen(self, host: str, port: int, handler: Handler) -> None:
        """Open a listener.

        Args:
            host: Address to bind.
            port: Port to bind.
            handler: Answers its requests.

        Raises:
            OSError: The address is taken or not ours.
        """
        loop = asyncio.get_running_loop()
        self._listeners.append(await loop.create_server(lambda: Connection(self, handler), host, port, backlog=2048))
        if self._sweeper is None:
            self._sweep()

    def announce_closing(self) -> None:
        """Tell every client with its next answer that the connection ends; new ones are still served."""
        self.closing = True

    async def close(self, longest: float) -> bool:
        """Close listeners and idle connections, and wait for the requests that run.

        Args:
            longest: Longest wait in seconds.

        Returns:
            Whether every request was answered in time.
        """
        self.announce_closing()
        # What the kernel has accepted already, and what was already sent on an idle connection, is read first.
        for _ in range(3):
            await asyncio.sleep(0)
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.close_if_idle()
        # Every connection ends once its last answer is written out, so this waits for the bytes too.
        try:
            if self.connections:
                await asyncio.wait_for(self._empty.wait(), longest)
        except TimeoutError:
            return False
        finally:
            if self._sweeper is not None:
                self._sweeper.cancel()
        return True

    def forget(self, connection: "Connection") -> None:
        """Note that a connection has ended."""
        self.connections.discard(connection)
        if self.closing and not self.connections:
            self._empty.set()

    def _sweep(self) -> None:
        now = time.perf_counter()
        for connection in list(self.connections):
            connection.expire(now)
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP, self._sweep)


class Connection(asyncio.Protocol):
    """One client's connection. Requests on it are answered one after the other, in order."""

    def __init__(self, server: HttpServer, handler: Handler) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = server
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._current: Request | None = None
        self._task: asyncio.Task[None] | None = None
        """Answers it; the loop itself would forget a task that only waits."""
        self._refused: tuple[int, str] | None = None
        """Status and reason for what came behind the last whole request: nothing that follows it is read."""
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._in_head = False
        self._after_chunk = False
        """Whether a chunk of the body was announced: after the last one come trailers."""
        self._body: bytes | bytearray = b""
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
        self._peer = str(address[0]) if address else ""
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell a running request that nobody waits for it."""
        self._ended = True
        del self._parser  # it and this hold each other: else both would stay until the garbage collector runs
        self._server.forget(self)
        self._waiting.clear()
        if self._current is not None:
            self._current.leave()

    def data_received(self, data: bytes) -> None:
        """Parse."""
        if self._ended or self._refused is not None:
            return
        was_in_head, was_after_chunk, body = self._in_head, self._after_chunk, len(self._body)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "This server speaks plain HTTP/1.1 only; send the request without Upgrade.")
        except httptools.HttpParserError:
            self._refuse(400, "What arrived is not HTTP/1.1.")
        if self._ended or self._refused is not None:
            return
        if (was_in_head and self._in_head) or (was_after_chunk and self._after_chunk and len(self._body) == body):
            # The parser shows a header when it is complete. One that never ends must not fill the memory.
            self._count_header(len(data))

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
        self._body = b""
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
        # One object, however small the pieces are that a client sends: each of its own would cost dozens of bytes more.
        if not self._body:
            self._body = piece
        elif isinstance(self._body, bytearray):
            self._body += piece
        else:
            self._body = bytearray(self._body + piece)
        if len(self._body) > self._server.max_body:
            self._too_large()

    def on_chunk_header(self) -> None:
        """Note that what comes now is a piece of the body, or else a trailer."""
        self._after_chunk = True

    def on_message_complete(self) -> None:
        """Hand the request over."""
        if self._ended or self._refused is not None or self._parser.should_upgrade():
            return
        now = time.perf_counter()
        self._reading_since = None
        self._after_chunk = False
        path, _, query = self._url.partition(b"?")
        request = Request(
            self._parser.get_method(), path, self._headers, bytes(self._body), now, query=query, peer=self._peer
        )
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
        self._current = None
        self._task = None
        # Else request and callback would hold each other, with all that was answered, for the garbage collector.
        request.on_gone = None
        self._idle_since = time.perf_counter()
        if self._ended:
            return
        if response is None:
            self._refuse_now(500, "The server failed; its log says why.")
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
            self._refuse_now(*self._refused)
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

    def _refuse(self, status: int, detail: str) -> None:
        """Refuse what is being read, after the answers to what came before it."""
        if self._ended or self._refused is not None:
            return
        if self._current is None and not self._waiting:
            self._refuse_now(status, detail)
            return
        self._refused = status, detail
        if self._transport is not None:
            self._transport.pause_reading()

    def _refuse_now(self, status: int, detail: str) -> None:
        self._server.refusals[status] += 1
        phrase = HTTPStatus(status).phrase
        body = (
            f'{{"type":"urn:viridian:problem:http","title":"{phrase}","status":{status},"detail":"{detail}"}}'
        ).encode()
        refusal = Response(status, body, b"application/problem+json", self._server.headers)
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
