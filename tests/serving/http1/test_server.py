"""The HTTP server at its edges, over real sockets."""

import asyncio
import gc
import json
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from tests.waiting import DEADLINE, until

from viridian_serving.http1 import connection as http_connection
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.server import HttpServer


class Echo:
    """Answers with what it was asked; holds back when told to."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.gone = 0

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        request.on_gone = self._left
        await self.gate.wait()
        if request.path == b"/crash":
            raise ZeroDivisionError
        return Response(200, request.method + b" " + request.path + b" " + request.body, b"text/plain")

    def _left(self) -> None:
        self.gone += 1


class Peer:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(DEADLINE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers["content-length"]))
            return int(first.split()[1]), headers, body

    async def ended(self) -> bool:
        async with asyncio.timeout(DEADLINE):
            return await self.reader.read() == b""


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def server(echo: Echo) -> AsyncIterator[HttpServer]:
    opened = HttpServer(max_body=1000, headers=((b"Who", b"me"),))
    await opened.listen("127.0.0.1", 0, echo)
    yield opened
    await opened.close(1)


@asynccontextmanager
async def connected(server: HttpServer, listener: int = 0) -> AsyncIterator[Peer]:
    port = server._listeners[listener].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


@contextmanager
def without_garbage_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_connection_serves_many_requests(server: HttpServer) -> None:
    async with connected(server) as peer:
        for _ in range(3):
            peer.send(GET)
            status, headers, body = await peer.answer()
            assert (status, body) == (200, b"GET /a ")
            assert "connection" not in headers
            assert "date" in headers


async def test_an_answered_request_is_gone_without_the_garbage_collector(server: HttpServer, echo: Echo) -> None:
    # given a handler that holds the request, and is held by it in turn
    class Caller:
        def __init__(self, request: Request) -> None:
            self.request = request
            request.on_gone = self.left

        def left(self) -> None: ...

    callers = []

    async def answer(request: Request) -> Response:
        callers.append(weakref.ref(Caller(request)))
        return Response(200, b"")

    await server.listen("127.0.0.1", 0, answer)
    # when it has answered
    with without_garbage_collector():
        async with connected(server, listener=1) as peer:
            peer.send(GET)
            await peer.answer()
        # then neither is left
        assert [caller() for caller in callers] == [None]


async def test_a_connection_that_has_ended_is_gone_without_the_garbage_collector(server: HttpServer) -> None:
    # Looked for among all objects: a compiled class takes no weak references.
    def alive() -> int:
        return sum(type(each) is http_connection.Connection for each in gc.get_objects())

    with without_garbage_collector():
        before = alive()
        async with connected(server) as peer:
            peer.send(GET)
            await peer.answer()
            assert alive() == before + 1
        # when it ends
        await until(lambda: not server.connections)
        # then
        assert alive() == before


async def test_pipelined_requests_are_answered_in_order(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(20)))
        assert [(await peer.answer())[2] for _ in range(20)] == [b"GET /%d " % i for i in range(20)]


@pytest.mark.parametrize("before", [1, 3])
async def test_what_comes_behind_a_request_is_refused_after_its_answer(
    server: HttpServer, echo: Echo, before: int
) -> None:
    # given requests that take their time
    echo.gate.clear()
    async with connected(server) as peer:
        # when what follows them is not HTTP
        peer.send(b"".join([GET] * before + [b"nonsense\r\n\r\n", GET]))
        await until(lambda: echo.requests)
        echo.gate.set()
        # then they are answered before it is, and what follows it is not read
        assert [(await peer.answer())[0] for _ in range(before + 1)] == [200] * before + [400]
        assert await peer.ended()
    assert len(echo.requests) == before
    assert server.refusals == {400: 1}


async def test_a_request_in_single_bytes(server: HttpServer) -> None:
    async with connected(server) as peer:
        for byte in b"POST /p HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 2\r\n\r\nok":
            peer.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await peer.answer())[2] == b"POST /p ok"


async def test_a_chunked_body(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
        assert (await peer.answer())[2] == b"POST /p abcde"


async def test_a_body_of_small_and_large_pieces_is_joined_in_their_order(echo: Echo) -> None:
    pieces = [bytes([65 + number]) * size for number, size in enumerate((10, 5000, 5000, 1, 1, 5000, 10))]
    server = HttpServer(max_body=100_000)
    await server.listen("127.0.0.1", 0, echo)
    async with connected(server) as peer:
        peer.send(b"POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in [*pieces, b""]:
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        assert (await peer.answer())[2] == b"POST /p " + b"".join(pieces)
    assert server.budget.used == 0
    await server.close(1)


async def test_a_client_that_asks_first_is_told_to_go_on(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await peer.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(b"ok")
        assert (await peer.answer())[2] == b"POST /p ok"


async def test_head_has_no_body(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 8" in head
        assert (await peer.answer())[2] == b"GET /a "


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]
)
async def test_a_client_that_wants_no_more_is_let_go(server: HttpServer, request_: bytes) -> None:
    async with connected(server) as peer:
        peer.send(request_)
        _, headers, _ = await peer.answer()
        assert headers["connection"] == "close"
        assert await peer.ended()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 700_000, 431),
        (b"GET /" + b"x" * 70_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
)
async def test_what_cannot_be_served_is_refused_and_the_connection_ends(
    server: HttpServer, echo: Echo, sent: bytes, status: int
) -> None:
    async with connected(server) as peer:
        peer.send(sent)
        answered, headers, body = await peer.answer()
        assert answered == status
        assert headers["content-type"] == "application/problem+json"
        assert headers["who"] == "me"
        document = json.loads(body)
        assert document["status"] == status
        assert document["error"] == document["detail"]
        assert document["request_id"] == headers["x-request-id"]
        assert await peer.ended()
    assert server.in_flight == 0


async def test_a_refusal_before_the_body_has_the_id_that_the_client_gave(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-7\r\nContent-Length: 1001\r\n\r\n")
        _, headers, body = await peer.answer()
        assert headers["x-request-id"] == json.loads(body)["request_id"] == "mine-7"


async def test_a_handler_that_crashes_is_a_500_without_a_traceback(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"GET /crash HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, body = await peer.answer()
        assert status == 500
        assert b"ZeroDivision" not in body


async def test_a_client_that_leaves_is_noticed_while_its_request_runs(server: HttpServer, echo: Echo) -> None:
    # given
    echo.gate.clear()
    async with connected(server) as peer:
        peer.send(GET)
        await until(lambda: echo.requests)
    # when it has left
    await until(lambda: echo.gone)
    # then its answer is thrown away, quietly
    echo.gate.set()
    await until(lambda: not server.in_flight)
    assert server.connections == set()


async def test_a_request_that_does_not_arrive_is_given_up(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        await until(lambda: any(c._reading_since for c in server.connections))
        (connection,) = server.connections
        # when its time is not over, and then over
        connection.expire(time.perf_counter())
        connection.expire(time.perf_counter() + http_connection.REQUEST_READ_TIMEOUT + 1)
        assert (await peer.answer())[0] == 408


async def test_an_idle_connection_is_closed_after_longer_than_any_gateway_keeps_it(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(GET)
        await peer.answer()
        (connection,) = server.connections
        connection.expire(time.perf_counter() + 3600)
        peer.send(GET)
        assert (await peer.answer())[0] == 200
        connection.expire(time.perf_counter() + http_connection.IDLE_TIMEOUT + 1)
        assert await peer.ended()


async def test_closing_lets_running_requests_finish_and_ends_idle_connections(server: HttpServer, echo: Echo) -> None:
    # given one connection with a running request and an idle one
    async with connected(server) as busy, connected(server) as idle:
        idle.send(GET)
        await idle.answer()
        echo.gate.clear()
        busy.send(GET)
        await until(lambda: server.in_flight)
        # when
        closing = asyncio.create_task(server.close(30))
        assert await idle.ended()
        assert not closing.done()
        echo.gate.set()
        # then
        status, headers, _ = await busy.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await closing is True


async def test_closing_says_when_a_request_did_not_finish(server: HttpServer, echo: Echo) -> None:
    async with connected(server) as peer:
        echo.gate.clear()
        peer.send(GET)
        await until(lambda: server.in_flight)
        assert await server.close(0.05) is False
        echo.gate.set()
        await peer.answer()


async def test_while_closing_is_announced_new_connections_are_served_and_told(server: HttpServer) -> None:
    server.announce_closing()
    async with connected(server) as peer:
        peer.send(GET)
        status, headers, _ = await peer.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await peer.ended()


async def test_a_trailer_is_no_header(server: HttpServer, echo: Echo) -> None:
    async with connected(server) as peer:
        peer.send(
            b"POST /p HTTP/1.1\r\nHost: a\r\nViridian-Via: split\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\nViridian-Via: check\r\nX-New: 1\r\n\r\n"
        )
        assert (await peer.answer())[0] == 200
    assert echo.requests[0].headers[b"viridian-via"] == b"split"
    assert b"x-new" not in echo.requests[0].headers


async def test_a_trailer_that_never_ends_is_refused(server: HttpServer) -> None:
    async with connected(server) as peer:
        peer.send(b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: ")
        await asyncio.sleep(0.05)
        for _ in range(3):
            peer.send(b"a" * http_connection.MAX_HEADER_BYTES)
            await asyncio.sleep(0.01)
        assert (await peer.answer())[0] == 431


async def test_who_takes_no_answers_is_given_no_more() -> None:
    # given
    asked = 0

    async def large(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(200, bytes(20_000))

    server = HttpServer(max_body=1000)
    await server.listen("127.0.0.1", 0, large)
    async with connected(server) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        # when
        for _ in range(10):
            peer.send(GET * 500)
            await asyncio.sleep(0.05)
        (connection,) = server.connections
        await until(lambda: connection._choked_since is not None)
        await asyncio.sleep(0.5)
        # then
        assert asked < 2500
        assert connection._transport is not None
        assert connection._transport.get_write_buffer_size() < 200_000
        # and
        connection.expire(time.perf_counter() + http_connection.WRITE_TIMEOUT + 1)
        await until(lambda: not server.connections)
    await server.close(1)
