"""Listeners answer at addresses of both families and keep who connects; clients try each address that a name has."""

import asyncio
import socket
from contextlib import ExitStack
from typing import Any

import pytest
from tests.ports import free_port
from tests.waiting import until

from viridian_serving.http1.client import HttpClient, PeerUnreachableError
from viridian_serving.http1.listeners import ANY, open_listener, reach
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.server import HttpServer

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


async def say_who_asks(request: Request) -> Response:
    return Response(200, request.peer.encode(), b"text/plain")


@needs_ipv6
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_server_on_every_address_answers_at_both_families_and_knows_its_client(address: str) -> None:
    # given
    server, port = HttpServer(1000), free_port()
    await server.listen(ANY, port, say_who_asks)

    # when
    client = HttpClient(address, port)
    reply = await client.call("GET", "/", deadline=asyncio.get_running_loop().time() + 30)
    client.close()
    await server.close(1)

    # then an address of IPv4 is written as one
    assert reply.body.decode() == address


async def test_clients_connect_while_the_process_gets_no_time() -> None:
    # given a loop that accepts nothing, because it does not turn
    server, port = HttpServer(1000), free_port()
    await server.listen("127.0.0.1", port, say_who_asks)
    with ExitStack() as clients:
        # when more connect than come to a busy pod in a second, then the kernel takes them all
        sockets = [clients.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(400)]
        # and all are served later
        sockets[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: len(server.connections) == len(sockets))
        assert (await asyncio.to_thread(sockets[-1].recv, 12)) == b"HTTP/1.1 200"
    await server.close(1)


def test_without_ipv6_a_listener_on_every_address_has_those_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with open_listener(ANY, 0) as listener:
        assert listener.family == socket.AF_INET
        assert listener.getsockname()[0] == "0.0.0.0"  # noqa: S104


@needs_ipv6
def test_a_listener_of_one_address_has_its_family() -> None:
    with open_listener("::1", 0) as six, open_listener("127.0.0.1", 0) as four:
        assert (six.family, four.family) == (socket.AF_INET6, socket.AF_INET)


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        (ANY, "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("::1", "::1"),
        ("10.0.0.7", "10.0.0.7"),
    ],
)
def test_what_listens_everywhere_is_reached_by_loopback(host: str, reached: str) -> None:
    assert reach(host) == reached


def name_for(*addresses: tuple[int, str]) -> Any:
    """A resolver that knows these addresses."""

    async def look_up(host: str, port: int, **_: object) -> list[Any]:
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in addresses]

    return look_up


@needs_ipv6
async def test_a_client_goes_on_to_the_next_address_where_the_first_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a name with addresses of both families, and a server at the second one
    server, port = HttpServer(1000), free_port()
    await server.listen("127.0.0.1", port, say_who_asks)
    known = name_for((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo
    monkeypatch.setattr(
        loop, "getaddrinfo", lambda host, port, **more: (known if host == "iris" else real)(host, port, **more)
    )

    # when
    client = HttpClient("iris", port)
    reply = await client.call("GET", "/", deadline=loop.time() + 30)

    # then
    assert reply.status == 200

    # and where nothing answers at all, the error says so
    client.forget_idle()
    await server.close(1)
    with pytest.raises(PeerUnreachableError, match="nothing listens on iris"):
        await client.call("GET", "/", deadline=loop.time() + 30)
    client.close()
