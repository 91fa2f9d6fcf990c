"""The client to Triton against a peer that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.waiting import until

from viridian_serving.http1.client import HttpClient, PeerLostError, PeerUnreachableError, Reply, ResendError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi"


@asynccontextmanager
async def peer(serve: Serve, *, resend: bool = True) -> AsyncIterator[HttpClient]:
    writers = []

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    client = HttpClient("127.0.0.1", server.sockets[0].getsockname()[1], resend=resend)
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


# -- without waiting for a connection


Outcomes = list[Reply | Exception]


def message(client: HttpClient, path: str = "/") -> bytes:
    return client.head("GET", path) + b"\r\n"


async def test_a_connection_that_is_there_is_used_at_once() -> None:
    # given a peer that answers with the path, and a client with no connection yet
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    async with peer(serve) as client:
        outcomes: Outcomes = []
        assert client.send_now(message(client), outcomes.append) is None
        # when there is one
        await client.call("GET", "/", deadline=soon())
        # then it is used, as often as one likes, whether the head of the answer was seen before or not
        for number, path in enumerate(("/ab", "/cd", "/abc", "/e")):
            assert client.send_now(message(client, path), outcomes.append) is not None
            await until(lambda: len(outcomes) > number)  # noqa: B023  it is awaited at once
        assert [each.body for each in outcomes if isinstance(each, Reply)] == [b"/ab", b"/cd", b"/abc", b"/e"]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\n", b"yo"], id="in pieces"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\ny", b"o"], id="body in pieces"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-", b"A: b\r\n\r\nyo"], id="head in pieces"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n2\r\nyo\r\n0\r\n\r\n"], id="chunks"
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-A: b\r\n\r\nyo"], id="other head"),
    ],
)
async def test_a_head_that_was_seen_means_the_same_again(second: list[bytes]) -> None:
    # given a peer whose first answer comes whole, and whose next ones come otherwise
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces = [OK]
        while True:
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.02)  # so that it comes by itself
            pieces = second

    async with peer(serve) as client:
        # when
        replies = [await client.call("GET", "/", deadline=soon()) for _ in range(3)]
        # then
        assert [(reply.status, reply.headers[b"x-a"], reply.body) for reply in replies] == [
            (200, b"b", b"hi"),
            (200, b"b", b"yo"),
            (200, b"b", b"yo"),
        ]


@pytest.mark.parametrize(
    ("resend", "outcome"), [pytest.param(True, ResendError, id="may"), pytest.param(False, PeerLostError, id="may not")]
)
async def test_a_connection_that_ends_instead_of_an_answer_is_told(resend: bool, outcome: type[Exception]) -> None:
    # given a peer that reads a second call and ends
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with peer(serve, resend=resend) as client:
        await client.call("GET", "/", deadline=soon())
        # when
        outcomes: Outcomes = []
        client.send_now(message(client), outcomes.append)
        await until(lambda: outcomes)
        # then it may be sent again where that is allowed
        assert [type(each) for each in outcomes] == [outcome]


async def test_a_call_that_is_given_up_is_settled_and_its_late_answer_lost() -> None:
    # given a call that hangs
    answer = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        await answer.wait()
        writer.write(OK.replace(b"hi", b"no"))

    async with peer(serve) as client:
        await client.call("GET", "/", deadline=soon())
        outcomes: Outcomes = []
        give_up = client.send_now(message(client), outcomes.append)
        assert give_up is not None
        # when
        give_up()
        # then
        assert [type(each) for each in outcomes] == [PeerLostError]
        answer.set()
        assert (await client.call("GET", "/", deadline=soon())).body == b"hi"
        assert len(outcomes) == 1
