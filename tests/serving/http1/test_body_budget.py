"""How much of clients' bodies a pod holds at a time, and who gives way; and bodies that come compressed."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.waiting import DEADLINE, until

from viridian_serving.api.content_coding import unpack
from viridian_serving.http1 import body_budget
from viridian_serving.http1.body_budget import BodyBudget
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.problems import Problem
from viridian_serving.http1.server import HttpServer


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_who_has_held_most_for_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    # given three that arrive: a large one long ago, a small one even before, and a larger one just now
    clock, gone = Clock(), []
    monkeypatch.setattr(body_budget, "time", clock)
    budget = BodyBudget(100)
    small = budget.arrive(lambda: gone.append("small"))
    clock.now = 1.0
    large = budget.arrive(lambda: gone.append("large"))
    budget.grow(small, 5)
    budget.grow(large, 40)
    clock.now = 20.0
    fresh = budget.arrive(lambda: gone.append("fresh"))
    # when there is no room for the last piece
    clock.now = 21.0
    budget.grow(fresh, 60)
    # then
    assert gone == ["large"]
    assert budget.used == 65
    # and what has arrived stays until it is released
    assert budget.arrived(fresh) == 60
    assert not budget.take(60)
    assert gone == ["large", "small"]
    assert budget.take(40)
    budget.release(100)
    assert budget.used == 0


@asynccontextmanager
async def served(max_body: int, max_bodies: int) -> AsyncIterator[tuple[HttpServer, int, asyncio.Event]]:
    gate = asyncio.Event()
    server = HttpServer(max_body, max_bodies=max_bodies)

    async def answer(request: Request) -> Response:
        await gate.wait()
        return Response(200, b"%d" % len(request.body))

    await server.listen("127.0.0.1", 0, answer)
    yield server, server._listeners[0].sockets[0].getsockname()[1], gate
    gate.set()
    await server.close(1)


async def send(port: int, length: int, part: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + b"x" * part)
    await writer.drain()
    return reader, writer


async def test_bodies_that_never_end_keep_nobody_else_out() -> None:
    async with served(10_000, 20_000) as (server, port, gate):
        # given more bodies without an end than there is room for
        stalled = [await send(port, 10_000, 9_000) for _ in range(2)]
        await until(lambda: server.budget.used == 18_000)
        # when an honest client comes
        gate.set()
        reader, writer = await send(port, 8_000, 8_000)
        # then it is answered, and one of the others is sent away
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        sent_away = await asyncio.wait_for(stalled[0][0].read(), DEADLINE)
        assert sent_away.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 1" in sent_away
        assert server.refusals == {503: 1}
        # and nothing is held for who has left
        for each in (stalled[1][1], writer):
            each.close()
        await until(lambda: server.budget.used == 0)


async def test_an_idle_connection_holds_no_body() -> None:
    async with served(100_000, 200_000) as (server, port, gate):
        gate.set()
        reader, writer = await send(port, 50_000, 50_000)
        await reader.readuntil(b"50000")
        (connection,) = server.connections
        assert (server.budget.used, len(connection._body)) == (0, 0)
        writer.close()


@pytest.mark.parametrize(
    ("coding", "compress"), [("gzip", gzip.compress), ("X-Gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_compressed_body_becomes_what_it_holds_and_counts_as_that(coding: str, compress: object) -> None:
    # given
    body = compress(b"[0,0]" * 100)  # type: ignore[operator]
    request, budget = Request(b"POST", b"/", {b"content-encoding": coding.encode()}, body, 0.0), BodyBudget(1000)
    # when
    await unpack(request, 1000, budget)
    # then
    assert (request.body, request.headers) == (b"[0,0]" * 100, {})
    assert request.held == budget.used == 500 - len(body)


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (gzip.compress(b"0" * 1001), b"gzip", 413),
        (gzip.compress(b"0" * 100)[:-9], b"gzip", 400),
        (gzip.compress(b"0" * 100) + b"0", b"gzip", 400),
        (b"{}", b"gzip", 400),
        (b"{}", b"br", 415),
        (gzip.compress(b"0" * 900), b"gzip", 503),
    ],
    ids=["too large", "cut off", "followed by something", "not compressed", "another coding", "no room"],
)
async def test_a_body_that_cannot_be_unpacked(body: bytes, coding: bytes, status: int) -> None:
    request, budget = Request(b"POST", b"/", {b"content-encoding": coding}, body, 0.0), BodyBudget(500)
    with pytest.raises(Problem) as refused:
        await unpack(request, 1000, budget)
    assert refused.value.status == status
    assert budget.used == 0
