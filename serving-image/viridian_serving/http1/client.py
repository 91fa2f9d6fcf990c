"""A small HTTP/1.1 client for one peer, with connections kept open: to Triton, and to the stable revision.

A general client spends more on a call than Triton does on a small batch. This one knows that all it sends is reads and
inferences, which change nothing, so that they may be sent again when a connection turns out to have been closed.
"""

import asyncio
import math
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, cast

import httptools

_KNOWN_HEADS: Final = 256
"""Heads of answers that are remembered for a connection's pool, at most."""
_RESOLVE_EVERY: Final = 30.0
"""Seconds for which the address of a name is believed, unless nothing answers there."""


class PeerUnreachableError(Exception):
    """The peer does not listen, or closed the connection in the middle of a call."""


class PeerLostError(PeerUnreachableError):
    """The peer had read a call, and closed the connection instead of answering."""


class Reply(NamedTuple):
    """What the peer answered."""

    status: int
    headers: dict[bytes, bytes]
    """Names in lower case."""
    body: bytes


Settle = Callable[[Reply | Exception], None]
"""Gets what became of a call, once."""


class HttpClient:
    """A pool of connections."""

    def __init__(
        self, host: str, port: int, peer: str = "Triton", *, keep: float = math.inf, resend: bool = True
    ) -> None:
        """Make an empty pool.

        Args:
            host: Name or address.
            port: Port.
            peer: What errors call it.
            keep: For how many seconds a connection is used; 0 gives every call its own. What a Service names moves, and
                a connection stays where it was opened.
            resend: Whether to send a call again when a connection that was idle is closed before a byte of the answer.
                A peer that ends under some calls must not get them twice.
        """
        self._host = host
        self._port = port
        self._peer = peer
        self._keep = keep
        self._resend = resend
        self._idle: list[_Connection] = []
        self._heads: dict[bytes, tuple[int, dict[bytes, bytes], int]] = {}
        self._addresses: Sequence[str] = ()
        self._resolve_at = 0.0
        self._closed = False

    async def call(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: Sequence[bytes | memoryview] = (),
        *,
        deadline: float,
    ) -> Reply:
        """Send one request and read its answer.

        Args:
            method: HTTP method.
            path: Path, percent-encoded.
            headers: Headers besides Host and Content-Length.
            body: The body in pieces.
            deadline: On the event loop's clock, in seconds.

        Returns:
            The answer, whatever its status.

        Raises:
            PeerUnreachableError: There is nobody to answer.
            TimeoutError: The deadline passed. The peer may still compute; its answer is thrown away.
        """
        lines = [self.head(method, path), *(b"%s: %s\r\n" % header for header in headers)]
        lines.append(b"Content-Length: %d\r\n\r\n" % sum(map(len, body)))
        return await self.send(b"".join((*lines, *body)), deadline)

    def head(self, method: str, path: str) -> bytes:
        """Write how a request begins: its line, and the header Host."""
        return f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n".encode()

    def send_now(self, message: bytes, settle: Settle) -> Callable[[], None] | None:
        """Send a request over a connection that is there, without waiting for anything.

        Args:
            message: All of it, as send() takes it.
            settle: Gets the answer, or why there is none, as soon as it is read: no turn of the event loop later. It
                may get ResendError: then the peer has not read the request, and send() may send it again.

        Returns:
            What gives the call up, which settles it; None when there is no such connection, and nothing was sent.
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.is_too_old or connection.is_lost:
                connection.close()
                continue
            connection.begin(message, partial(self._settled_now, connection, settle))
            return connection.give_up
        return None

    def _settled_now(self, connection: "_Connection", settle: Settle, outcome: Reply | Exception) -> None:
        if isinstance(outcome, Reply):
            self._put_back(connection)
        else:
            connection.close()
            if isinstance(outcome, _StaleError):
                outcome = self._lost() if outcome.read and not self._resend else ResendError()
        settle(outcome)

    async def send(self, message: bytes, deadline: float) -> Reply:
        """Send a request that is written already, and read its answer.

        Args:
            message: All of it: head(), headers with Content-Length among them, and the body.
            deadline: On the event loop's clock, in seconds.

        Raises:
            PeerUnreachableError: See call().
            TimeoutError: See call().
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.is_too_old:
                connection.close()
                continue
            try:
                return await self._exchange(connection, message, deadline)
            except _StaleError as error:
                if error.read and not self._resend:
                    raise self._lost() from error
                # else it was closed while it was idle: nothing was computed for us
        async with asyncio.timeout_at(deadline):
            connection = await self._connect()
        try:
            return await self._exchange(connection, message, deadline)
        except _StaleError as error:
            if error.read:
                raise self._lost() from error
            raise PeerUnreachableError(f"{self._peer} closed the connection before it read the call") from error

    def _lost(self) -> PeerLostError:
        return PeerLostError(f"{self._peer} closed the connection instead of answering")

    def forget_idle(self) -> None:
        """Close the idle connections: the name may lead elsewhere now."""
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        """Close the idle connections, and every other once it is idle."""
        self._closed = True
        self.forget_idle()

    async def _connect(self) -> "_Connection":
        loop, fault = asyncio.get_running_loop(), OSError("its name leads nowhere")
        try:
            for address in await self._resolve():
                try:
                    _, connection = await loop.create_connection(self._open, address, self._port)
                except OSError as error:
                    fault = error
                else:
                    return connection
        except OSError as error:
            fault = error
        self._resolve_at = 0.0
        raise PeerUnreachableError(f"nothing listens on {self._host}:{self._port} ({fault})") from fault

    def _open(self) -> "_Connection":
        return _Connection(self._peer, self._keep, self._forget, self._heads)

    async def _resolve(self) -> Sequence[str]:
        """The peer's addresses, those of both families where it has both."""
        # Not for each connection: that of a Service stays the same, and its name takes several questions to find.
        loop = asyncio.get_running_loop()
        if loop.time() >= self._resolve_at:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
            self._resolve_at = loop.time() + _RESOLVE_EVERY
        return self._addresses

    async def _exchange(self, connection: "_Connection", message: bytes, deadline: float) -> Reply:
        try:
            reply = await connection.exchange(message, deadline)
        except BaseException:  # a timeout included: the late answer must not be taken for the next call's
            connection.close()
            raise
        self._put_back(connection)
        return reply

    def _put_back(self, connection: "_Connection") -> None:
        if connection.reusable and not self._closed and not connection.is_too_old:
            self._idle.append(connection)
        else:
            connection.close()

    def _forget(self, connection: "_Connection") -> None:
        if connection in self._idle:
            self._idle.remove(connection)


class ResendError(Exception):
    """The peer closed an idle connection before it read the request, which may be sent again."""


class _StaleError(Exception):
    """The connection was closed before any byte of the answer came."""

    def __init__(self, *, read: bool) -> None:
        super().__init__()
        self.read = read
        """Whether the peer may have read the call."""


class _Connection(asyncio.Protocol):
    """One connection, one call at a time."""

    __deletable__ = ("_parser",)  # for mypyc, whose attributes else are there for good

    def __init__(
        self,
        peer: str,
        keep: float,
        on_lost: "Callable[[_Connection], None]",
        heads: dict[bytes, tuple[int, dict[bytes, bytes], int]],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._used_until = self._loop.time() + keep
        self._peer = peer
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._settle: Settle | None = None
        """Gets what becomes of the call that runs; None when none does."""
        self._heads = heads
        """What the parser made of an answer's head, by its bytes: status, headers and size of the body. The same bytes
        mean the same, and Triton's heads differ in nothing but sizes."""
        self._first = b""
        """What came first of an answer."""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._begun = False
        self._lost = False
        self.reusable = False

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be sent over it."""
        return self._lost or self._transport is None

    @property
    def is_too_old(self) -> bool:
        """Whether it was opened too long ago to be used again."""
        return self._loop.time() >= self._used_until

    async def exchange(self, message: bytes, deadline: float) -> Reply:
        """Send and wait."""
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self.begin(message, partial(_set, waiter))
        timer = self._loop.call_at(deadline, _expire, waiter)  # asyncio.timeout_at() takes three times as long
        try:
            return await waiter
        finally:
            timer.cancel()
            self._settle = None

    def begin(self, message: bytes, settle: Settle) -> None:
        """Send, and have told what becomes of it."""
        if self._transport is None or self._lost:
            settle(_StaleError(read=False))
            return
        self._settle = settle
        self._begun = False
        self._transport.write(message)

    def give_up(self) -> None:
        """Want no answer any more."""
        self.close()
        self._end(PeerLostError(f"the call to {self._peer} was given up"))

    def _end(self, outcome: Reply | Exception) -> None:
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(outcome)

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        del self._parser  # it and this hold each other: else both would stay until the garbage collector runs
        self._on_lost(self)
        # A peer that closes with bytes unread resets the connection: it never had the whole call.
        if self._begun:
            self._end(PeerLostError(f"{self._peer} closed the connection while it answered"))
        else:
            self._end(_StaleError(read=exc is None))

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            if self._is_known(data):
                return
            self._first = data
            self._headers = {}
            self._body = []
            self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(PeerUnreachableError(f"the answer of {self._peer} is not HTTP: {error}"))
            self.close()

    def _is_known(self, data: bytes) -> bool:
        """Whether this is a whole answer with a head that was read before; then the call is settled."""
        end = data.find(b"\r\n\r\n")
        if end < 0 or self._settle is None:
            return False
        size = end + 4
        known = self._heads.get(data[:size])
        if known is None or len(data) != size + known[2]:
            return False
        self.reusable = True
        self._end(Reply(known[0], known[1], data[size:]))
        return True

    def _remember(self, reply: Reply) -> None:
        """Keep what was made of a head, of an answer that came whole and left the connection open."""
        size = len(self._first) - len(reply.body)
        whole = size > 4 and self._first.find(b"\r\n\r\n") == size - 4
        # Not where the size was said in another way: of an answer to HEAD, or one in chunks.
        if whole and reply.headers.get(b"content-length") == b"%d" % len(reply.body):
            self._heads[self._first[:size]] = (reply.status, reply.headers, len(reply.body))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)

    def on_message_complete(self) -> None:
        if self._settle is None:
            return  # nobody asked
        self.reusable = self._parser.should_keep_alive()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        reply = Reply(self._parser.get_status_code(), self._headers, body)
        if self.reusable and len(self._heads) < _KNOWN_HEADS:
            self._remember(reply)
        self._end(reply)


def _set(waiter: "asyncio.Future[Reply]", outcome: Reply | Exception) -> None:
    if waiter.done():
        return
    if isinstance(outcome, Reply):
        waiter.set_result(outcome)
    else:
        waiter.set_exception(outcome)


def _expire(waiter: "asyncio.Future[Reply]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
