"""The client to Triton against a peer that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from viridian_serving.http1.client import HttpClient, PeerUnreachableError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi"


@asynccontextmanager
async def peer(serve: Serve) -> AsyncIterator[HttpClient]:
    writers = []

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    client = HttpClient("127.0.0.1", server.sockets[0].getsockname()[1])
    yield client
    client.close()
    for writer in writers:
        writer.close()
    server.close()


def soon(seconds: float = 30) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_connections_are_kept_and_used_again() -> None:
    # given
    accepted = 0
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(3)
            writer.write(OK)

    async with peer(serve) as client:
        # when
        replies = [await client.call("POST", "/x", [(b"a", b"1")], [b"ab", b"c"], deadline=soon()) for _ in range(3)]
    # then
    assert accepted == 1
    assert [(reply.status, reply.headers[b"x-a"], reply.body) for reply in replies] == [(200, b"b", b"hi")] * 3
    assert b"content-length: 3" in heads[0].lower()
    assert b"a: 1" in heads[0]


async def test_a_connection_that_was_closed_meanwhile_costs_no_request() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()  # without having said so

    async with peer(serve) as client:
        for _ in range(5):
            assert (await client.call("GET", "/", deadline=soon())).status == 200


async def test_a_connection_that_ends_in_the_middle_of_an_answer_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:-1])
        writer.close()

    async with peer(serve) as client:
        with pytest.raises(PeerUnreachableError, match="while it answered"):
            await client.call("GET", "/", deadline=soon())


async def test_a_connection_that_ends_instead_of_an_answer_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with peer(serve) as client:
        with pytest.raises(PeerUnreachableError, match="instead of answering"):
            await client.call("GET", "/", deadline=soon())


async def test_nobody_there_is_an_error_at_once() -> None:
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(PeerUnreachableError, match="nothing listens"):
        await HttpClient("127.0.0.1", port).call("GET", "/", deadline=soon())


async def test_what_is_not_http_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"good day\r\n\r\n")

    async with peer(serve) as client:
        with pytest.raises(PeerUnreachableError, match="not HTTP"):
            await client.call("GET", "/", deadline=soon())


async def test_a_late_answer_never_reaches_the_next_call() -> None:
    # given a peer that answers the first call on its connection when nobody waits for it any more
    given_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            if path == b"/1":
                await given_up.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%s" % path)

    async with peer(serve) as client:
        # when
        with pytest.raises(TimeoutError):
            await client.call("GET", "/1", deadline=soon(0.03))
        given_up.set()
        # then
        assert (await client.call("GET", "/2", deadline=soon())).body == b"/2"
