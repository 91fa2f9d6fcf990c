"""Fuzzes the HTTP server's own code: ``make fuzz``.

What it is given arrives on one connection, in pieces of the length that its first byte says. Whatever it is, what goes
back begins as HTTP does, nothing is answered that was not asked whole, and nothing is held when the connection is gone.
"""

import asyncio
import logging
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["viridian_serving"]):
    from viridian_serving.http1.connection import Connection
    from viridian_serving.http1.messages import Request, Response
    from viridian_serving.http1.server import HttpServer

MOST = 512
"""Bytes of a body; together, three times as many."""


class Transport(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False
        self.reading = True

    def write(self, data: "bytes | bytearray | memoryview") -> None:
        self.written += data

    def write_eof(self) -> None:
        self.reading = False

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0


LOOP = asyncio.new_event_loop()


async def drive(data: bytes) -> None:
    server, transport, asked = HttpServer(MOST, max_bodies=3 * MOST), Transport(), 0

    async def answer(request: Request) -> Response:
        nonlocal asked
        asked += 1
        if len(request.body) > MOST or request.held != len(request.body):
            raise AssertionError(request)
        return Response(200, request.body)

    connection = Connection(server, answer)
    connection.connection_made(transport)
    step = 1 + (data[0] if data else 0)
    for start in range(1, len(data), step):
        connection.data_received(data[start : start + step])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    while server.in_flight:  # noqa: ASYNC110  the loop runs for nothing else
        await asyncio.sleep(0)
    connection.connection_lost(None)
    if server.budget.used or server.connections:
        raise AssertionError("something is held for a connection that is gone")
    if transport.written and not transport.written.startswith(b"HTTP/1.1 "):
        raise AssertionError(bytes(transport.written))
    if transport.written.count(b"HTTP/1.1 200 OK\r\nDate: ") < asked:
        raise AssertionError("a request was not answered")


def read(data: bytes) -> None:
    """Let one input arrive."""
    LOOP.run_until_complete(drive(data))


def seed(corpus: Path) -> None:
    """Put requests that are known into the corpus."""
    corpus.mkdir(parents=True, exist_ok=True)
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
    for i, text in enumerate(
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
            head + b"Content-Length: 5\r\n\r\n[1,2]",
            head + b"Content-Length: 5\r\n\r\n[1,2]" + head + b"Content-Length: 600\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\nViridian-Via: split\r\n\r\n",
            head + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n[]",
            head + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n[]",
            head + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            head + b"X: " + b"a" * 2000,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        )
    ):
        for step in (0, 6, 255):
            (corpus / f"seed-{i}-{step}").write_bytes(bytes([step]) + text)


if __name__ == "__main__":
    logging.disable()
    seed(Path(sys.argv[-1]))
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
