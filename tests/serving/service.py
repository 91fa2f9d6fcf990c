"""What a Service does, without Kubernetes: each new connection goes to whom the selector names, and stays there."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.waiting import DEADLINE


class Service:
    def __init__(self) -> None:
        self.port = 0
        self.target: int | None = None
        """Port of the pod that is named now; None when there is none."""
        self.connections = 0
        self._loop = asyncio.new_event_loop()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.target is not None:
                there, back = await asyncio.open_connection("127.0.0.1", self.target)
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
        except OSError:
            pass  # nobody there: the connection ends, as it does with a Service without endpoints
        finally:
            writer.transport.abort()

    def run(self, started: threading.Event) -> None:
        async def serve() -> None:
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            started.set()
            await self._stop.wait()

        self._loop.run_until_complete(serve())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(task)
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def service() -> Iterator[Service]:
    made = Service()
    started = threading.Event()
    thread = threading.Thread(target=made.run, args=(started,))
    thread.start()
    assert started.wait(DEADLINE)
    try:
        yield made
    finally:
        made.stop()
        thread.join(DEADLINE)
